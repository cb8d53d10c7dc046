"""Checks of repositories whose own list of runs is not polled.

A blocked repository makes runs that belong to no workflow, and a new file makes runs of
a workflow that is not watched yet. The lists of the watched workflows show neither.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zlib import crc32

from sqlite_utils import Database

from ci_observer.ingest.errors import Forbidden, InvalidResponse, NotFound
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.polling.run_pages import RepoList, RunList, cached_page
from ci_observer.ingest.store import repo_pages, repos, responses
from ci_observer.ingest.store.responses import ResponseKey
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

PAGE_SIZE = 10
CHECK_EVERY = timedelta(minutes=5)
# Without a token each check costs one of 60 requests an hour.
CHECK_EVERY_WITHOUT_TOKEN = timedelta(hours=1)
STEPS = 5
NEVER = datetime.min.replace(tzinfo=UTC)


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
        self._blocked: set[str] = set()

    def take_due_repos(self, polled: Iterable[RunList]) -> list[str]:
        """The repositories to check now; those whose list was `polled` are not due."""
        now = self._clock()
        for run_list in polled:
            if isinstance(run_list, RepoList):
                self._due_at[run_list.repo] = now + self._interval
        polled_repos = {f.repo for f in self._discovery.feeds() if f.checked_at}
        return sorted(r for r in polled_repos if self._due_at.get(r, NEVER) <= now)

    async def check(self, repo: str) -> None:
        """Fetch a repository's newest runs, and save whether it is blocked."""
        self._postpone(repo)
        url = self._github.repo_runs_path(repo, per_page=PAGE_SIZE)
        key = ResponseKey("runs", repo, url)
        cached = responses.get_cached(self._db, key)
        try:
            page = await self._github.fetch_page(
                url, etag=cached.etag if cached else None
            )
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

    @property
    def _interval(self) -> timedelta:
        has_token = self._github.connection.has_token
        return CHECK_EVERY if has_token else CHECK_EVERY_WITHOUT_TOKEN

    def _postpone(self, repo: str) -> None:
        wait = self._interval
        if repo not in self._due_at:
            # All are checked in the first pass. The next checks are spread over time.
            wait *= (1 + crc32(repo.encode()) % STEPS) / STEPS
        self._due_at[repo] = self._clock() + wait
