"""Finds the feeds that the settings select, with regular requests to GitHub.

Each repository's metadata (name, default branch, workflows) are fetched within 15
minutes, without a token one repository in 15 minutes; each owner's repositories daily.
`selection` derives the watched feeds from them.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import GitHubError, InvalidResponse, NotFound
from ci_observer.ingest.feeds import metadata
from ci_observer.ingest.feeds.owners import fetch_owner
from ci_observer.ingest.feeds.refresh_schedule import RefreshSchedule
from ci_observer.ingest.feeds.refresh_times import REFRESH_EVERY
from ci_observer.ingest.feeds.renames import Renames
from ci_observer.ingest.feeds.selection import FeedSelection
from ci_observer.ingest.feeds.shard_record import ShardRecord
from ci_observer.ingest.feeds.source_errors import SourceErrors
from ci_observer.ingest.feeds.workflow_log import WorkflowLog
from ci_observer.ingest.feeds.workflows import assign_runs, workflow_rows
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.names import owner_of
from ci_observer.ingest.store import (
    feed_states,
    feeds,
    instance,
    repos,
    responses,
    tile_settings,
    watch_errors,
    workflows,
)
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.keys import Owner
from ci_observer.ingest.store.repo_pages import AssignedRuns
from ci_observer.ingest.store.responses import ResponseKey
from ci_observer.ingest.times import Clock, utc

log = logging.getLogger("ci_observer.ingest")

# Several missing workflows cause one refresh of their repository, not one each.
REFRESH_AGAIN_AFTER = timedelta(minutes=10)


class FeedDiscovery:
    """Keeps the watched feeds of a database up to date with the settings and GitHub.

    A `source` of feeds is an owner or the name of a repository.
    """

    def __init__(
        self,
        config: Config,
        db: Database,
        github: GitHub,
        clock: Clock,
    ) -> None:
        self._config = config
        self._db = db
        self._github = github
        self._clock = clock
        self._selection = FeedSelection(config, db)
        self._renames = Renames(db, github, self._selection)
        self._workflow_log = WorkflowLog(db)
        self._sought_files: set[tuple[str, str]] = set()
        self._schedule = RefreshSchedule(config, db, github, clock, self._selection)
        self._errors = SourceErrors(config, db, clock, self._selection, self._schedule)
        self._shard_record = ShardRecord(config, db, self._selection)

    def start(self) -> None:
        """Watch what the settings select among the stored repositories."""
        before, former_shard = self.feeds(), instance.stored_shard(self._db)
        self._renames.start()
        pairs = [
            (repo, workflow)
            for repo in self._selection.repos()
            for workflow in self._selection.workflows(repo, before)
        ]
        with transaction(self._db):
            feeds.save_watched(self._db, pairs)
            self._errors.delete_former()
            tile_settings.save_repos(
                self._db, self._config, self._selection.repos(), self._clock()
            )
            self._shard_record.save()
        self._shard_record.log_change(former_shard, before)
        self._schedule.start()

    def feeds(self) -> list[Feed]:
        """The watched feeds, as stored."""
        return feeds.watched(self._db)

    def feeds_of(self, repo: str) -> list[Feed]:
        """The watched feeds of a repository. The name's letter case does not matter."""
        return feeds.watched(self._db, repo)

    def due_owners(self) -> list[Owner]:
        """The owners whose list of repositories is due for a refresh."""
        return [owner for owner in self._owners() if self._schedule.is_due(owner)]

    def due_repos(self) -> list[str]:
        """The repositories whose metadata is due for a refresh, a few in each pass."""
        return self._schedule.due_repos()

    def schedule_redirected_repos(self) -> None:
        """Make repositories due that GitHub has redirected since the last call."""
        for repo in self._renames.take_redirected(self._selection.repos()):
            self._schedule.make_due(repo)

    async def refresh_owner(self, owner: Owner) -> None:
        """Fetch the repositories of an owner, and watch the live ones."""
        pages = await fetch_owner(
            self._github,
            owner.name,
            lambda url: responses.get_cached(
                self._db, ResponseKey("repositories", str(owner), url)
            ),
        )
        with transaction(self._db):
            before = self._selection.listed(owner.name)
            for found in (repo for page in pages for repo in page.repos or []):
                if found.is_live:
                    self._renames.reconcile(found.full_name, found)
            repos.save_listed(self._db, owner.name, pages)
            listed = self._selection.listed(owner.name)
            for repo in (before ^ listed) | self._renamed_away(owner.name):
                self._update_watched(repo)
            self._shard_record.save()
        _log_changes(owner, before, listed)
        self._errors.clear_owner(owner.name)
        self._schedule.postpone(owner, REFRESH_EVERY)
        if not listed and not self._selection.listed_in_all_shards(owner.name):
            raise NotFound(self._nothing_listed_text(owner.name))
        self._errors.update_owner(owner.name)

    def _renamed_away(self, owner: str) -> set[str]:
        """The repositories with feeds whose present name is not watched here."""
        return {
            feed.repo
            for feed in self.feeds()
            if owner_of(feed.repo).lower() == owner.lower()
            and not self._selection.is_watched(feed.repo)
        }

    def _nothing_listed_text(self, owner: str) -> str:
        if repos.listed(self._db, owner):
            return (
                "No repository to watch: correct repositories or topics in "
                f"{self._config.config_file}. They select none of those of {owner}."
            )
        return (
            "No repository to watch: name some in GH_REPOS"
            " or the settings file, or let the token see "
            f"more. Each that it sees of {owner} is archived, disabled or a fork."
        )

    async def refresh_repo(self, repo: str) -> None:
        """Fetch the metadata of a repository, and watch its selected workflows."""
        found = await metadata.fetch_if_changed(
            self._db, repo, "repository", self._github.fetch_repo
        )
        if found.value and not self._renames.reconcile(repo, found.value):
            return
        try:
            items = await metadata.fetch_if_changed(
                self._db, repo, "workflows", self._github.fetch_workflows
            )
        except InvalidResponse:
            # An incomplete list may stay so, and each try is charged.
            self._schedule.postpone(repo, REFRESH_AGAIN_AFTER)
            raise
        listed = None if items.value is None else workflow_rows(items.value)
        # Another task may have found the alias during these requests.
        if self._renames.is_alias(repo):
            return
        before = workflows.known(self._db, repo)
        with transaction(self._db):
            if listed is not None:
                workflows.save(self._db, repo, listed)
            self._update_watched(repo, is_listed=True)
            metadata.save(
                self._db,
                repo,
                etags={"repository": found.etag, "workflows": items.etag},
                now=self._clock(),
            )
        self._schedule.record_refresh(repo)
        self._shard_record.save_if_empty()
        self._errors.update_owner(owner_of(repo))
        self._workflow_log.log_gone(repo, before)
        if self._selection.follows_list(repo):
            self._workflow_log.log_same_names(repo)
        if found.value and found.value.is_archived:
            self._drop_archived(repo)

    def record_enabled(self, feed: Feed) -> None:
        """Set a disabled workflow active that has run since; confirm that soon."""
        if feed_states.save_enabled(self._db, feed.key, feed.workflow_state):
            log.info("%s: it runs again, so it is enabled", feed)
            self._schedule.make_due(feed.repo)

    def record_owner_error(
        self, owner: Owner, error: GitHubError, wait: timedelta
    ) -> None:
        """Retry a failed refresh after `wait`, and show its error until then."""
        self._schedule.postpone(owner, wait)
        self._errors.save(owner, error, wait)

    def record_repo_error(self, repo: str, error: GitHubError, wait: timedelta) -> bool:
        """Retry a failed refresh after `wait`; show its error if no feed can show it.

        A repository that the settings do not name leaves the wall instead. Returns
        whether the error is shown for the repository itself.
        """
        self._schedule.postpone(repo, wait)
        if not self._selection.is_named(repo):
            log.warning("%s is left out: %s", repo, error)
            feeds.save_watched_in(self._db, repo, [])
            self._errors.update_owner(owner_of(repo))
            return False
        if self.feeds_of(repo):
            return False
        self._errors.save(repo, error, wait)
        return True

    def postpone(self, source: Owner | str, wait: timedelta) -> None:
        """Refresh a source after a wait."""
        self._schedule.postpone(source, wait)

    def show_error(self, source: Owner | str, error: GitHubError) -> None:
        """Show the error of a source without feeds, if the settings name it."""
        if isinstance(source, Owner) or self._selection.is_named(source):
            self._errors.save(source, error)

    def retry_refused(self) -> None:
        """Make the sources due that GitHub may have refused before."""
        for owner in self._owners():
            self._schedule.make_due(owner)
        for repo in self._selection.repos():
            known = self.feeds_of(repo)
            if not known or any(feed.error for feed in known):
                self._schedule.make_due(repo)

    def schedule_refresh(self, repo: str) -> None:
        """Make a repository due because one of its workflows was not found.

        Not when the settings name its workflows: a missing one stays on the wall.
        """
        if self._may_refresh(repo):
            self._schedule.make_due(repo)

    def assign_runs(self, repo: str, runs: list[dict[str, Any]]) -> AssignedRuns:
        """Sort the runs on a page of a repository by the workflow they belong to.

        Makes the repository due, once, for a file that GitHub's stored list lacks. It
        may be new, or that of a ruleset.
        Raises `InvalidResponse` if the name belongs to another repository now.
        """
        self.reject_runs_of_other_repo(repo, runs)
        assigned = assign_runs(self._db, repo, runs)
        new = {(repo.lower(), file) for file in assigned.new_files}
        if new - self._sought_files and self._may_refresh(repo):
            self._sought_files |= new
            self._schedule.make_due(repo)
        return assigned

    def reject_runs_of_other_repo(
        self, repo: str, runs: Iterable[dict[str, Any]]
    ) -> None:
        """Raise `InvalidResponse` if the name belongs to another repository now.

        Makes the repository due, so that the next pass keeps the histories apart.
        """
        known = repos.get(self._db, repo)
        if known is None or known.repo_id is None:
            return
        for run in runs:
            match run.get("repository"):
                case {"id": int(repo_id)} if repo_id != known.repo_id:
                    self._schedule.make_due(repo)
                    raise InvalidResponse(
                        f"Another repository is called {repo} now. Its runs are "
                        "fetched from the next poll on, as a history of their own."
                    )

    def _may_refresh(self, repo: str) -> bool:
        """Whether GitHub's list decides what is watched, and is not quite new."""
        known = repos.get(self._db, repo)
        if known is None or not self._selection.follows_list(repo):
            return False
        now = self._clock()
        # A time in the future is that of a wrong clock.
        before, last = utc(now - REFRESH_AGAIN_AFTER), known.metadata_at or ""
        return not before < last <= utc(now)

    def _update_watched(self, repo: str, *, is_listed: bool = False) -> None:
        selected = (
            []
            if self._renames.is_alias(repo)
            else self._selection.workflows(
                repo, self.feeds_of(repo), is_listed=is_listed
            )
        )
        with transaction(self._db):
            feeds.save_watched_in(self._db, repo, selected)
            tile_settings.save_repo(self._db, self._config, repo, self._clock())
            if selected or is_listed:
                watch_errors.delete(self._db, repo)

    def _drop_archived(self, repo: str) -> None:
        """Let an archived repository leave the wall soon, unless it is named."""
        known = repos.get(self._db, repo)
        if known and known.listed_in and not self._selection.is_named(repo):
            log.info("%s is archived: it leaves the wall", repo)
            self._schedule.make_due(Owner(owner_of(repo)))

    def _owners(self) -> list[Owner]:
        return [Owner(name) for name in self._config.owners]


def _log_changes(owner: Owner, before: set[str], listed: set[str]) -> None:
    gone = "left out from now on (archived, disabled, a fork or not visible)"
    for what, names in (("new", listed - before), (gone, before - listed)):
        if names:
            log.info("%s: %s: %s", owner, what, ", ".join(sorted(names)))
