"""Checks of repositories whose own list of runs is not polled.

A blocked repository makes runs that belong to no workflow, and a new file makes runs of
a workflow that is not watched yet. The lists of the watched workflows show neither.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.errors import Forbidden, InvalidResponse, NotFound
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.polling.run_lists import RepoList, RunList
from ci_observer.ingest.polling.run_pages import cached_page
from ci_observer.ingest.store import repo_pages, repos, responses
from ci_observer.ingest.store.responses import ResponseKey
from ci_observer.ingest.times import Clock, due_after

log = logging.getLogger("ci_observer.ingest")

PAGE_SIZE = 10
# A 304 is free, so a quiet repository is checked often. The wait doubles with each
# response that has changed, as in a repository with many runs of other workflows.
CHECK_EVERY = timedelta(minutes=1)
MAX_CHECK_EVERY = timedelta(minutes=5)
# Without a token each check costs one of 60 requests an hour.
CHECK_EVERY_WITHOUT_TOKEN = timedelta(hours=1)


class RepoChecks:
    """Requests the newest runs of repositories that are polled workflow by workflow."""

    def __init__(
        self, db: Database, github: GitHub, discovery: FeedDiscovery, clock: Clock
    ) -> None:
        self._db = db
        self._github = github
        self._discovery = discovery
        self._clock = clock
        self._due_at: dict[str, datetime] = {}
        self._changes_in_a_row: dict[str, int] = {}
        self._blocked: set[str] = set()

    def take_due_repos(self, polled: Iterable[RunList]) -> list[str]:
        """The repositories to check now; those whose list was `polled` are not due."""
        now = self._clock()
        for run_list in polled:
            if isinstance(run_list, RepoList):
                # Longer than a quiet list may skip passes.
                self._due_at[run_list.repo] = now + MAX_CHECK_EVERY
        polled_repos = {f.repo for f in self._discovery.feeds() if f.checked_at}
        return sorted(r for r in polled_repos if self._check_at(r, now) <= now)

    def _check_at(self, repo: str, now: datetime) -> datetime:
        """When a repository is due; after a restart, as if there had been none."""
        if repo not in self._due_at:
            last = responses.requested_at(self._db, self._key(repo))
            self._due_at[repo] = due_after(last, self._wait(repo), now=now)
        return self._due_at[repo]

    async def check(self, repo: str) -> None:
        """Fetch a repository's newest runs, and save whether it is blocked."""
        self._due_at[repo] = self._clock() + self._wait(repo)
        key = self._key(repo)
        cached = responses.get_cached(self._db, key)
        try:
            page = await self._github.fetch_page(
                repo, key.url, etag=cached.etag if cached else None
            )
            responses.save_requested(self._db, key, self._clock())
            self._postpone(repo, has_changed=not page.is_not_modified)
            if page.is_not_modified:
                return
            assigned = self._discovery.assign_runs(repo, page.runs)
        except (Forbidden, InvalidResponse, NotFound) as error:
            # Not an error of a feed: the feeds' own lists decide about access.
            log.warning("%s: cannot list the newest runs. %s", repo, error)
            return
        repo_pages.save(
            self._db, repo, assigned, page=cached_page(key, page), now=self._clock()
        )

    def _key(self, repo: str) -> ResponseKey:
        url = self._github.repo_runs_path(repo, per_page=PAGE_SIZE)
        return ResponseKey("runs", repo, url)

    def log_blocked(self) -> None:
        """Log the repositories that are blocked since the last call, or no longer."""
        blocked = repos.blocked(self._db)
        for repo in sorted(blocked - self._blocked):
            log.warning(
                "%s is blocked: its newest run belongs to no workflow, so GitHub runs "
                "nothing there. Look at the account's billing and at its policies",
                repo,
            )
        for repo in sorted(self._blocked - blocked):
            log.info("%s is not blocked any more", repo)
        self._blocked = blocked

    def _wait(self, repo: str) -> timedelta:
        """The time until the next check of a repository."""
        if not self._github.connection.has_token:
            return CHECK_EVERY_WITHOUT_TOKEN
        doublings = max(self._changes_in_a_row.get(repo, 0) - 1, 0)
        return min(CHECK_EVERY * (1 << doublings), MAX_CHECK_EVERY)

    def _postpone(self, repo: str, *, has_changed: bool) -> None:
        changes = self._changes_in_a_row.get(repo, 0)
        # More doublings than this would change nothing.
        self._changes_in_a_row[repo] = min(changes + 1, 4) if has_changed else 0
        self._due_at[repo] = self._clock() + self._wait(repo)
