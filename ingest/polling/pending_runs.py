"""Single runs: followed to their end, their lost attempts, the jobs of failed ones.

Each function fetches one thing of the work list `pending`, in which `store.pending`
puts what a saved run leaves open.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.errors import NotFound
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.rows import LONGEST_RUN, job_row
from ci_observer.ingest.store import feeds, pending, runs
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import utc

log = logging.getLogger("ci_observer.ingest")

# At most so many of each kind in one pass; the others have their turn in the next.
RUNS_A_PASS = 50
ATTEMPTS_A_PASS = 20
JOBS_A_PASS = 20


class Following:
    """Works off the list of what is still to be fetched of single runs.

    `wrote` is told how many runs a fetch changed.
    """

    def __init__(
        self,
        db: Database,
        github: GitHub,
        clock: Callable[[], datetime],
        wrote: Callable[[Feed, int], None],
    ) -> None:
        self._db = db
        self._github = github
        self._clock = clock
        self._wrote = wrote

    def open_runs(self) -> list[PendingItem]:
        """Unfinished runs that their feed's newest page no longer shows."""
        return pending.next_items(self._db, "run", RUNS_A_PASS)

    def lost_attempts(self) -> list[PendingItem]:
        """Attempts that were replaced before they were seen."""
        return pending.next_items(self._db, "attempt", ATTEMPTS_A_PASS)

    def unknown_jobs(self) -> list[PendingItem]:
        """Failed attempts whose jobs are not known."""
        return pending.next_items(self._db, "jobs", JOBS_A_PASS)

    async def fetch(self, item: PendingItem) -> None:
        """Fetch one thing; what GitHub no longer has is not asked for again."""
        work = {"run": self._run, "attempt": self._attempt, "jobs": self._jobs}
        try:
            await work[item.kind](item)
        except NotFound:
            pending.save_gone(self._db, item, self._clock())

    async def _run(self, item: PendingItem) -> None:
        page = await self._github.fetch_run(item.repo, item.run_id, etag=item.etag)
        self._save(item, page.runs)
        now = self._clock()
        if any(run.get("status") == "completed" for run in page.runs):
            pending.remove(self._db, item)
        elif utc(now - LONGEST_RUN) > pending.run_started_at(self._db, item):
            log.warning("%s should have ended after 35 days; given up.", item)
            pending.save_gone(self._db, item, now)
        else:
            pending.save_requested(self._db, item, now=now, etag=page.etag)

    async def _attempt(self, item: PendingItem) -> None:
        page = await self._github.fetch_attempt(
            item.repo, item.run_id, item.run_attempt
        )
        self._save(item, page.runs)
        pending.remove(self._db, item)

    async def _jobs(self, item: PendingItem) -> None:
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
            self._wrote(feed, saved.written)
