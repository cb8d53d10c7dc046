"""The errors of owners and repositories that have no feed to show them."""

import logging
from datetime import timedelta

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.config.repo_rules import workflows_of
from ci_observer.ingest.errors import GitHubError, NotFound
from ci_observer.ingest.feeds.refresh_schedule import RefreshSchedule
from ci_observer.ingest.feeds.selection import FeedSelection
from ci_observer.ingest.store import feeds, watch_errors
from ci_observer.ingest.store.keys import Owner
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")


class SourceErrors:
    """Shows the errors of sources on the wall, and logs each once."""

    def __init__(
        self,
        config: Config,
        db: Database,
        clock: Clock,
        selection: FeedSelection,
        schedule: RefreshSchedule,
    ) -> None:
        self._config = config
        self._db = db
        self._clock = clock
        self._selection = selection
        self._schedule = schedule
        self._failed_owners: set[str] = set()

    def save(
        self, source: Owner | str, error: GitHubError, wait: timedelta | None = None
    ) -> None:
        """Show the error of a source, which is retried after `wait`."""
        if isinstance(source, Owner):
            self._failed_owners.add(source.name.lower())
        self._save(source, str(error), kind=error.kind, wait=wait)

    def clear_owner(self, name: str) -> None:
        """The list of an owner's repositories was fetched."""
        self._failed_owners.discard(name.lower())

    def update_owner(self, name: str) -> None:
        """Show an error if none of an owner's workflows is watched, or clear it."""
        owner = Owner(name)
        if not self._selection.has_owner(name) or name.lower() in self._failed_owners:
            return
        listed = self._selection.listed(name)
        if any(map(self._schedule.is_due, listed)):
            return
        # Other shards may have workflows: `ShardRecord` tells of an empty one.
        if self._config.shard or any(map(self._is_on_wall, listed)):
            watch_errors.delete(self._db, owner)
            return
        sought = (
            w for repo in sorted(listed) for w in workflows_of(self._config, repo)
        )
        names = " or ".join(dict.fromkeys(sought)) or "workflow"
        error = (
            "No workflow to watch: check GH_WORKFLOWS"
            " or the settings file, or the token's permission "
            f"Actions: read. It sees no {names} in {name}'s {len(listed)} "
            "repositories."
        )
        self._save(owner, error, kind=NotFound.kind, wait=None)

    def delete_former(self) -> None:
        """Delete the errors of sources that are not watched, or that have feeds."""
        watched = {feed.repo.lower() for feed in feeds.watched(self._db)}
        without_feeds = [r for r in self._selection.repos() if r.lower() not in watched]
        owners = map(Owner, self._config.owners)
        watch_errors.delete_others(self._db, [*owners, *without_feeds])

    def _is_on_wall(self, repo: str) -> bool:
        is_watched = feeds.watched(self._db, repo)
        return bool(is_watched or watch_errors.get(self._db, repo))

    def _save(
        self, source: Owner | str, error: str, *, kind: str, wait: timedelta | None
    ) -> None:
        now = self._clock()
        stored = watch_errors.get(self._db, source)
        if stored is None or stored.error != error:
            log.warning("%s: %s", source, error)
        watch_errors.save(
            self._db,
            source,
            error=error,
            kind=kind,
            now=now,
            retry_at=now + wait if wait else None,
        )
