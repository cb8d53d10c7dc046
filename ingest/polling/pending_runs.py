"""Single runs and attempts: fetches the items of the table `pending`.

A pending item is an unfinished run, or one that a tile speaks of, that its feed's
newest page does not list; an attempt that was never seen; or the jobs of a failed
attempt. `store.following` and `store.pending` add them.
`cancelled_runs` fetches the annotations.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.errors import NotFound
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.store import (
    cancellations,
    due_runs,
    feeds,
    following,
    gone_runs,
    pending,
    runs,
)
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.jobs import save_jobs, save_without_jobs
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import Clock, utc

log = logging.getLogger("ci_observer.ingest")

# Limits of one pass; the rest is fetched in later passes.
MAX_RUNS = 50
MAX_ATTEMPTS = 20
MAX_JOBS = 20
MAX_WATCHED = 200
# Without a token, a 304 is one of 60 requests an hour. So each unfinished run, and a
# single one of all runs of tiles, is requested only this often.
FOLLOW_EVERY = timedelta(minutes=10)


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
        self._pass_started_at = clock()
        self._requested: set[int] = set()

    def start_pass(self, started_at: datetime) -> None:
        """Stop following the runs that are too old, or that no tile speaks of."""
        self._pass_started_at = started_at
        self._requested.clear()
        for run in gone_runs.give_up(self._db, self._clock()):
            log.warning("%s is unfinished after 35 days: no longer followed.", run)
        following.stop_watching(self._db, self._clock())

    def next_runs(self) -> list[PendingItem]:
        """Unfinished runs to fetch in this pass; without a token, each rarely."""
        has_token = self._github.connection.has_token
        return due_runs.next_unfinished(
            self._db,
            since=self._pass_started_at,
            now=self._clock(),
            every=timedelta(0) if has_token else FOLLOW_EVERY,
            limit=MAX_RUNS,
        )

    def next_attempts(self) -> list[PendingItem]:
        """Missing attempts to fetch in this pass."""
        return pending.next_items(self._db, "attempt", MAX_ATTEMPTS)

    def next_jobs(self) -> list[PendingItem]:
        """Attempts whose jobs to fetch in this pass."""
        return pending.next_items(self._db, "jobs", MAX_JOBS)

    def next_watched(self) -> list[PendingItem]:
        """Runs of tiles to fetch in this pass; without a token, one in ten minutes."""
        now = self._clock()
        limit = MAX_WATCHED
        if not self._github.connection.has_token:
            since = utc(now - FOLLOW_EVERY)
            if since < due_runs.last_watched_at(self._db) <= utc(now):
                return []
            limit = 1
        return due_runs.next_watched(
            self._db, since=self._pass_started_at, now=now, limit=limit
        )

    def next_unfetched(self) -> list[PendingItem]:
        """Unfinished runs and runs of tiles that this pass has made pending."""
        return [
            item
            for item in [*self.next_runs(), *self.next_watched()]
            if item.etag is None and item.run_id not in self._requested
        ]

    async def fetch(self, item: PendingItem) -> None:
        """Fetch and save one item, or record that GitHub does not have it.

        Raises the `GitHubError` of any other failed request.
        """
        fetch = {
            "run": self._fetch_run,
            "watch": self._fetch_run,
            "attempt": self._fetch_attempt,
            "jobs": self._fetch_jobs,
        }
        try:
            await fetch[item.kind](item)
        except NotFound:
            self._record_not_found(item)

    def _record_not_found(self, item: PendingItem) -> None:
        now = self._clock()
        if item.kind not in ("run", "watch"):
            pending.save_gone(self._db, item, now)
            if item.kind == "jobs":
                save_without_jobs(self._db, item)
        elif gone_runs.save_not_found(self._db, item, now):
            log.warning("%s: GitHub no longer has it.", item)

    async def _fetch_run(self, item: PendingItem) -> None:
        self._requested.add(item.run_id)
        page = await self._github.fetch_run(item.repo, item.run_id, etag=item.etag)
        self._save(item, page.runs)
        gone_runs.save_found(self._db, item, now=self._clock(), etag=page.etag)
        if item.kind == "run" and any(
            run.get("status") == "completed" for run in page.runs
        ):
            pending.remove(self._db, item)

    async def _fetch_attempt(self, item: PendingItem) -> None:
        page = await self._github.fetch_attempt(
            item.repo, item.run_id, item.run_attempt
        )
        self._save(item, page.runs)
        if any(run.get("status") == "completed" for run in page.runs):
            pending.remove(self._db, item)
            cancellations.add_earlier_attempt(self._db, item)
        elif pending.was_requested(self._db, item):
            pending.save_gone(self._db, item, self._clock())
        else:
            # A later attempt exists, so the response may be outdated: request it again.
            pending.save_requested(self._db, item, now=self._clock())

    async def _fetch_jobs(self, item: PendingItem) -> None:
        is_latest = pending.is_latest_attempt(self._db, item)
        jobs = await self._github.fetch_jobs(
            item.repo, item.run_id, run_attempt=None if is_latest else item.run_attempt
        )
        save_jobs(self._db, item, jobs)

    def _save(self, item: PendingItem, payloads: list[dict[str, object]]) -> None:
        for payload in payloads:
            feed = feeds.get(self._db, item.repo, item.workflow)
            saved = runs.save_run(self._db, feed, payload, now=self._clock())
            self._on_runs_saved(feed, saved.written)
