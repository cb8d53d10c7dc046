"""Jobs that no tile needs, fetched from the newest run to the oldest within a budget.

`job_budget` decides how many requests a pass may spend, `store.job_walk` which runs are
next. An error here shows on no tile: the attempt is tried again by the next walk.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.db.schema import VALUE_ERRORS
from ci_observer.ingest.errors import (
    AccountStopped,
    GitHubError,
    GitHubUnreachable,
    NotFound,
    RateLimited,
    Unauthorized,
    UnexpectedError,
)
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.polling.concurrency import PoolStopped, RequestPool
from ci_observer.ingest.polling.job_budget import JobBudget
from ci_observer.ingest.store import job_walk, jobs, pending
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.due_runs import RERUN_DAYS
from ci_observer.ingest.store.job_walk import KIND, Place, Step
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import Clock, utc

log = logging.getLogger("ci_observer.ingest")

# Attempts that are written in one transaction; each of them updates every tile once.
BATCH = 48
# The most attempts of one feed in a step, so that all feeds progress together.
MAX_OF_FEED = 8
# The steps of a pass. Each looks at 200 runs, and most runs may need nothing.
MAX_STEPS = 100
# After this many runs in a row without jobs, GitHub has no jobs of older runs either.
GONE_IN_A_ROW = 3
# The most jobs in one transaction: a run may have hundreds, with their steps.
MAX_UNSAVED_JOBS = 500
# After this many errors, jobs wait for the next pass.
MAX_ERRORS = 3
# The errors that concern every request of an account.
OF_ACCOUNT = (
    AccountStopped,
    GitHubUnreachable,
    PoolStopped,
    RateLimited,
    Unauthorized,
)


class JobWalk:
    """Fetches and saves jobs within the budget of each pass."""

    def __init__(
        self,
        config: Config,
        db: Database,
        github: GitHub,
        pool: RequestPool,
        clock: Clock,
    ) -> None:
        self._db = db
        self._github = github
        self._pool = pool
        self._clock = clock
        self._which = config.fetch_jobs
        self.budget = JobBudget(
            timedelta(seconds=config.refresh_seconds),
            github.connection.has_token,
            clock,
        )
        self._gone: dict[FeedKey, list[Place]] = {}
        self._not_found: set[PendingItem] = set()
        self._fetched: list[tuple[PendingItem, list[dict[str, Any]]]] = []
        self._open: set[PendingItem] = set()
        self._errors = 0
        self._is_over: Callable[[], bool] = lambda: False

    def start(self) -> None:
        """Start all walks again if the setting has changed."""
        job_walk.start_if_changed(self._db, which=self._which)

    async def fetch_some(self, is_over: Callable[[], bool]) -> None:
        """Fetch jobs until the budget of the pass is spent, or `is_over`."""
        stats = self._github.connection.stats
        self.budget.start(stats)
        self._errors, self._is_over = 0, is_over
        await self._fetch_pending()
        await self._walk()
        self.budget.end(stats)

    async def _fetch_pending(self) -> None:
        tried: set[PendingItem] = set()
        while not self._must_stop():
            found = pending.next_items(self._db, KIND, BATCH + len(tried))
            items = self._affordable([item for item in found if item not in tried])
            if not items:
                return
            tried.update(items)
            await self._fetch(items)

    async def _walk(self) -> None:
        """Step through the runs of each feed, those with the newest next runs first."""
        job_walk.start_due(self._db, now=self._clock())
        left = MAX_STEPS
        while left > 0 and not self._must_stop():
            steps = self._next_steps(left)
            if not steps:
                return
            left -= len(steps)
            await self._fetch([item for _, items in steps.values() for item in items])
            with transaction(self._db):
                for key, (step, items) in steps.items():
                    self._save_place(key, step, items)

    def _next_steps(self, limit: int) -> dict[FeedKey, tuple[Step, list[PendingItem]]]:
        """The next step of some feeds, and those of its items to fetch now."""
        found: dict[FeedKey, tuple[Step, list[PendingItem]]] = {}
        wanted: list[PendingItem] = []
        for key in job_walk.next_feeds(self._db):
            if len(found) >= limit or len(wanted) >= BATCH:
                break
            if self._room(key.repo, wanted) > 0:
                step = job_walk.next_step(self._db, key)
                items = self._affordable(step.items[:MAX_OF_FEED], wanted)
                wanted += items
                found[key] = (step, items)
        return found

    def _save_place(self, key: FeedKey, step: Step, items: list[PendingItem]) -> None:
        """Save how far the walk has come: not below an attempt that was not tried."""
        now = self._clock()
        tried = dict(zip(step.items, step.places, strict=True))
        if gone_from := self._find_retention(key, {i: tried[i] for i in items}):
            # Runs can be deleted one by one, too. Then the next walk goes on below.
            if gone_from < utc(now - RERUN_DAYS):
                job_walk.save_kept_from(self._db, key, gone_from)
            job_walk.save_place(self._db, key, job_walk.END, now=now)
            return
        left = [p for i, p in tried.items() if i in self._open or i not in items]
        place = (left[0][0], left[0][1] + 1) if left else step.end
        job_walk.save_place(self._db, key, place, now=now)

    def _find_retention(
        self, key: FeedKey, tried: dict[PendingItem, Place]
    ) -> str | None:
        """The start of the newest of several runs in a row whose jobs are gone."""
        gone = self._gone.setdefault(key, [])
        for item, place in tried.items():
            if item in self._not_found:
                gone.append(place)
            elif item not in self._open:
                gone.clear()
            if len(gone) >= GONE_IN_A_ROW:
                return self._gone.pop(key)[0][0]
        return None

    def _must_stop(self) -> bool:
        is_stopped = self._pool.stopped_by is not None
        return is_stopped or self._is_over() or self._errors >= MAX_ERRORS

    def _room(self, repo: str, wanted: Sequence[PendingItem]) -> int:
        """How many more requests the account of a repository may send now."""
        connection = self._github.connection
        account_of = connection.credentials.account_of
        account = account_of(repo)
        if account in self._pool.stopped:
            return 0
        spent = sum(account_of(item.repo) == account for item in wanted)
        return self.budget.left(account, connection.stats) - spent

    def _affordable(
        self, items: Sequence[PendingItem], wanted: Sequence[PendingItem] = ()
    ) -> list[PendingItem]:
        """As many of the items as the budgets of their accounts allow."""
        found: list[PendingItem] = []
        for item in items[:BATCH]:
            if self._room(item.repo, [*wanted, *found]) > 0:
                found.append(item)
        return found

    async def _fetch(self, items: list[PendingItem]) -> None:
        """Fetch the jobs of some attempts, and save them together."""
        self._open, self._not_found, self._fetched = set(items), set(), []
        await self._pool.run(items, self._fetch_one, self._record_error)
        self._save_fetched()

    async def _fetch_one(self, item: PendingItem) -> None:
        if self._must_stop():
            return
        is_latest = pending.is_latest_attempt(self._db, item)
        try:
            found = await self._github.fetch_jobs(
                item.repo,
                item.run_id,
                run_attempt=None if is_latest else item.run_attempt,
            )
        except NotFound:
            self._not_found.add(item)
            jobs.save_without_jobs(self._db, item)
        except OF_ACCOUNT:
            raise
        except GitHubError as error:
            # Caught here, because the pool would try it again, and polling would wait.
            self._record_error(item, error)
        else:
            self._fetched.append((item, found))
            if sum(len(each) for _, each in self._fetched) >= MAX_UNSAVED_JOBS:
                self._save_fetched()
        self._open.discard(item)

    def _record_error(self, item: PendingItem, error: GitHubError) -> None:
        """Leave an attempt to the next walk, unless no request was sent for it."""
        if isinstance(error, OF_ACCOUNT):
            return
        self._errors += 1
        log.info("%s: its jobs are tried again tomorrow. %s", item, error)
        pending.remove(self._db, item)
        self._open.discard(item)

    def _save_fetched(self) -> None:
        fetched, self._fetched = self._fetched, []
        if not fetched:
            return
        try:
            jobs.save_all(self._db, fetched)
        except VALUE_ERRORS:
            # One of them cannot be stored; the others can.
            for item, found in fetched:
                self._save_alone(item, found)

    def _save_alone(self, item: PendingItem, found: list[dict[str, Any]]) -> None:
        try:
            jobs.save_all(self._db, [(item, found)])
        except VALUE_ERRORS as error:
            self._record_error(item, UnexpectedError(error))
