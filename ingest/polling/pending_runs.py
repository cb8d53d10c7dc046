"""Single runs and attempts: fetches the items of the table `pending`.

A pending item is an unfinished run that its feed's newest page no longer lists, an
attempt that was never seen, or the jobs of a failed attempt. `store.pending` adds them.
`cancelled_runs` fetches the annotations.
"""

import logging
from collections.abc import Callable

from sqlite_utils import Database

from ci_observer.ingest.errors import NotFound
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.rows import job_row
from ci_observer.ingest.store import feeds, following, pending, runs
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

# Limits of one pass; the rest is fetched in later passes.
MAX_RUNS = 50
MAX_ATTEMPTS = 20
MAX_JOBS = 20


class PendingRuns:
    """Fetches and saves pending items.

    `on_runs_saved` receives a feed and the number of its runs that a fetch changed.
    """

    def __init__(
        self,
        db: Database,
        github: GitHub,
        clock: Clock,
        on_runs_saved: Callable[[Feed, int], None],
    ) -> None:
        self._db = db
        self._github = github
        self._clock = clock
        self._on_runs_saved = on_runs_saved

    def next_runs(self) -> list[PendingItem]:
        """Unfinished runs to fetch in this pass."""
        return pending.next_items(self._db, "run", MAX_RUNS)

    def next_attempts(self) -> list[PendingItem]:
        """Missing attempts to fetch in this pass."""
        return pending.next_items(self._db, "attempt", MAX_ATTEMPTS)

    def next_jobs(self) -> list[PendingItem]:
        """Attempts whose jobs to fetch in this pass."""
        return pending.next_items(self._db, "jobs", MAX_JOBS)

    def give_up_old(self) -> None:
        """Stop following runs that are unfinished for longer than GitHub allows."""
        for run in following.give_up(self._db, self._clock()):
            log.warning("%s is unfinished after 35 days: no longer followed.", run)

    async def fetch(self, item: PendingItem) -> None:
        """Fetch and save one item; never again if GitHub has deleted it.

        Raises the `GitHubError` of any other failed request.
        """
        fetch = {
            "run": self._fetch_run,
            "attempt": self._fetch_attempt,
            "jobs": self._fetch_jobs,
        }
        try:
            await fetch[item.kind](item)
        except NotFound:
            pending.save_gone(self._db, item, self._clock())

    async def _fetch_run(self, item: PendingItem) -> None:
        page = await self._github.fetch_run(item.repo, item.run_id, etag=item.etag)
        self._save(item, page.runs)
        if any(run.get("status") == "completed" for run in page.runs):
            pending.remove(self._db, item)
        else:
            pending.save_requested(self._db, item, now=self._clock(), etag=page.etag)

    async def _fetch_attempt(self, item: PendingItem) -> None:
        page = await self._github.fetch_attempt(
            item.repo, item.run_id, item.run_attempt
        )
        self._save(item, page.runs)
        pending.remove(self._db, item)

    async def _fetch_jobs(self, item: PendingItem) -> None:
        jobs = await self._github.fetch_jobs(item.repo, item.run_id)
        rows = [
            job_row(job, run_id=item.run_id, run_attempt=item.run_attempt)
            for job in jobs
        ]
        pending.save_jobs(self._db, item, rows)

    def _save(self, item: PendingItem, payloads: list[dict[str, object]]) -> None:
        for payload in payloads:
            feed = feeds.get(self._db, item.repo, item.workflow)
            saved = runs.save_run(self._db, feed, payload, now=self._clock())
            self._on_runs_saved(feed, saved.written)
