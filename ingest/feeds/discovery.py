"""Finds the feeds that the settings select, with daily requests to GitHub.

Once a day, each repository's metadata (name, default branch, workflows) and each
owner's repositories are fetched. `selection` derives the watched feeds from them.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import GitHubError, InvalidResponse, NotFound
from ci_observer.ingest.feeds import metadata
from ci_observer.ingest.feeds.owners import fetch_owner
from ci_observer.ingest.feeds.renames import Renames
from ci_observer.ingest.feeds.selection import FeedSelection
from ci_observer.ingest.feeds.workflows import mark_replaced, workflow_rows
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.names import (
    EVERY_WORKFLOW,
    every_repo_of,
    is_every_repo,
    owner_of,
)
from ci_observer.ingest.store import feeds, repos, responses, workflows
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.responses import ResponseKey
from ci_observer.ingest.times import Clock, utc

log = logging.getLogger("ci_observer.ingest")

NEVER = datetime.min.replace(tzinfo=UTC)
REFRESH_EVERY = timedelta(days=1)
# Several missing workflows cause one refresh of their repository, not one each.
REFRESH_AGAIN_AFTER = timedelta(minutes=10)


class FeedDiscovery:
    """Keeps the watched feeds of a database up to date with the settings and GitHub.

    An `item` is a repository or an owner, written as in `GH_REPOS`.
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
        self._failed_owners: set[str] = set()
        self._due_at: dict[str, datetime] = {}

    def start(self) -> None:
        """Watch what the settings select among the stored repositories."""
        before = self.feeds()
        self._renames.start()
        pairs = [
            (repo, workflow)
            for repo in self._selection.repos()
            for workflow in self._selection.workflows(repo, before)
        ]
        pairs += [
            (feed.repo, feed.workflow)
            for feed in before
            if self._selection.is_owner(feed.repo)
        ]
        feeds.save_watched(self._db, pairs)
        for repo in self._selection.repos():
            self._due_at[repo.lower()] = self._first_refresh_at(repo)

    def feeds(self) -> list[Feed]:
        """The watched feeds, as stored."""
        return feeds.watched(self._db)

    def feeds_of(self, repo: str) -> list[Feed]:
        """The watched feeds of a repository. The name's letter case does not matter."""
        return feeds.watched(self._db, repo)

    def due_owners(self) -> list[str]:
        """The owners whose list of repositories is due for a refresh, as `owner/*`."""
        owners = map(every_repo_of, self._config.owners)
        return [owner for owner in owners if self._is_due(owner)]

    def due_repos(self) -> list[str]:
        """The repositories whose metadata is due for a refresh."""
        return [repo for repo in self._selection.repos() if self._is_due(repo)]

    def schedule_redirected_repos(self) -> None:
        """Make repositories due that GitHub has redirected since the last call."""
        for repo in self._renames.take_redirected(self._selection.repos()):
            self._make_due(repo)

    async def refresh_owner(self, item: str) -> None:
        """Fetch the repositories of an owner, and watch the live ones."""
        owner = owner_of(item)
        pages = await fetch_owner(
            self._github,
            owner,
            lambda url: responses.get_cached(
                self._db, ResponseKey("repositories", item, url)
            ),
        )
        with transaction(self._db):
            before = self._selection.listed(owner)
            for found in (repo for page in pages for repo in page.repos or []):
                if found.is_live:
                    self._renames.reconcile(found.full_name, found)
            repos.save_listed(self._db, owner, pages)
            listed = self._selection.listed(owner)
            for repo in before ^ listed:
                self._update_watched(repo)
        _log_changes(item, before, listed)
        self._failed_owners.discard(item.lower())
        self._postpone(item, REFRESH_EVERY)
        if not listed:
            raise NotFound(
                "No repository to watch: name some in GH_REPOS, or let the token see "
                f"more. Each that it sees of {owner} is archived, disabled or a fork."
            )
        self._update_owner_error(owner)

    async def refresh_repo(self, repo: str) -> None:
        """Fetch the metadata of a repository, and watch its selected workflows."""
        found = await metadata.fetch_if_changed(
            self._db, repo, "repository", self._github.fetch_repo
        )
        if found.value and not self._renames.reconcile(repo, found.value):
            return
        items = await metadata.fetch_if_changed(
            self._db, repo, "workflows", self._github.fetch_workflows
        )
        listed = None if items.value is None else workflow_rows(items.value)
        if self._selection.follows_list(repo):
            listed = await mark_replaced(self._db, self._github, repo, listed)
        # Another task may have found the alias during these requests.
        if self._renames.is_alias(repo):
            return
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
        self._postpone(repo, REFRESH_EVERY)
        self._update_owner_error(owner_of(repo))

    def record_error(self, item: str, error: GitHubError, wait: timedelta) -> None:
        """Retry a failed refresh after `wait`, and make its error visible until then.

        If there is no feed, a placeholder shows the error on the wall. A
        repository that the settings do not name leaves the wall instead.
        """
        self._postpone(item, wait)
        if is_every_repo(item):
            self._failed_owners.add(item.lower())
        elif not self._selection.is_named(item):
            log.warning("%s is left out: %s", item, error)
            feeds.save_watched_in(self._db, item, [])
            self._update_owner_error(owner_of(item))
            return
        if not self.feeds_of(item):
            feeds.save_placeholder(self._db, item)

    def schedule_refresh(self, repo: str) -> None:
        """Make a repository due because one of its feeds was not found.

        Not when the settings name its workflows: a missing one stays on the wall.
        """
        known = repos.get(self._db, repo)
        if known is None or not self._selection.follows_list(repo):
            return
        if (known.metadata_at or "") <= utc(self._clock() - REFRESH_AGAIN_AFTER):
            self._make_due(repo)

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
                    self._make_due(repo)
                    raise InvalidResponse(
                        f"Another repository is called {repo} now. Its runs are "
                        "fetched from the next poll on, as a history of their own."
                    )

    def _update_watched(self, repo: str, *, is_listed: bool = False) -> None:
        selected = self._selection.workflows(
            repo, self.feeds_of(repo), is_listed=is_listed
        )
        feeds.save_watched_in(self._db, repo, selected)

    def _update_owner_error(self, owner: str) -> None:
        """Show an error if none of an owner's workflows is watched, or clear it."""
        item = every_repo_of(owner)
        if not self._selection.is_owner(item) or item.lower() in self._failed_owners:
            return
        listed = self._selection.listed(owner)
        if any(map(self._is_due, listed)):
            return
        if any(map(self.feeds_of, listed)):
            feeds.save_watched_in(self._db, item, [])
            return
        feeds.save_placeholder(self._db, item)
        [feed] = self.feeds_of(item)
        names = " or ".join(self._config.workflows)
        error = (
            "No workflow to watch: check GH_WORKFLOWS, or the token's permission "
            f"Actions: read. It sees no active {names} in {owner}'s {len(listed)} "
            "repositories."
        )
        if feed.error != error:
            log.warning("%s: %s", item, error)
        feeds.save_error(
            self._db,
            feed,
            error=error,
            kind=NotFound.kind,
            now=self._clock(),
            retry_at=None,
        )

    def _first_refresh_at(self, repo: str) -> datetime:
        """When a repository is due after a restart."""
        stored = repos.get(self._db, repo)
        is_complete = all(feed.metadata_at for feed in self.feeds_of(repo))
        if not stored or not stored.metadata_at or not is_complete:
            return self._clock()
        if EVERY_WORKFLOW in self._config.workflows:
            return self._clock()
        return datetime.fromisoformat(stored.metadata_at) + REFRESH_EVERY

    def _is_due(self, item: str) -> bool:
        return self._due_at.get(item.lower(), NEVER) <= self._clock()

    def _make_due(self, item: str) -> None:
        self._due_at.pop(item.lower(), None)

    def _postpone(self, item: str, wait: timedelta) -> None:
        self._due_at[item.lower()] = self._clock() + wait


def _log_changes(item: str, before: set[str], listed: set[str]) -> None:
    for what, names in (("new", listed - before), ("gone", before - listed)):
        if names:
            log.info("%s: %s: %s", item, what, ", ".join(sorted(names)))
