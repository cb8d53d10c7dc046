"""The steps of a pass that request single runs, attempts, jobs and refs, in order."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Protocol, TypeVar

from sqlite_utils import Database

from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.polling.cancelled_runs import CancelledRuns
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.polling.failed_runs import FailedRuns
from ci_observer.ingest.polling.feed_errors import Item
from ci_observer.ingest.polling.pending_runs import PendingRuns
from ci_observer.ingest.polling.reruns import Reruns
from ci_observer.ingest.polling.tag_refs import TagRefs
from ci_observer.ingest.store import pending
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.refs import PushedRef
from ci_observer.ingest.times import Clock

T = TypeVar("T", bound=Item)
# The kinds of pending items that belong to finished attempts.
DETAILS = ("attempt", "jobs", "annotations", "errors")


class Run(Protocol):
    """Does the work for every item, and records the errors."""

    async def __call__(
        self, items: Collection[T], work: Callable[[T], Awaitable[None]]
    ) -> None: ...


class SingleRuns:
    """Fetches what the newest pages of the run lists do not show.

    `on_runs_saved` receives a feed and the number of its runs that a fetch changed.
    """

    def __init__(
        self,
        db: Database,
        github: GitHub,
        discovery: FeedDiscovery,
        clock: Clock,
        *,
        pool: RequestPool,
        run: Run,
        on_runs_saved: Callable[[Feed, int], None],
    ) -> None:
        self._db = db
        self._pool = pool
        self._run = run
        self._pending_runs = PendingRuns(db, github, clock, on_runs_saved)
        self._reruns = Reruns(db, github, discovery, clock, on_runs_saved)
        self._tag_refs = TagRefs(db, github, clock)
        self._cancelled_runs = CancelledRuns(db, github, clock)
        self._failed_runs = FailedRuns(db, github, clock)

    def start(self) -> None:
        """Make the lists of unfinished runs due."""
        self._reruns.start()

    async def fetch_some(self, started_at: datetime) -> None:
        """Fetch what is due in the pass that began at `started_at`."""
        pending_runs = self._pending_runs
        pending_runs.start_pass(started_at)
        await self._run(pending_runs.next_runs(), pending_runs.fetch)
        await self._run(pending_runs.next_watched(), pending_runs.fetch)
        await self._run(self._tag_refs.next_refs(), self._tag_refs.fetch)
        await self._fetch_some_details()
        await self._run(self._reruns.take_due_repos(), self._reruns.list_unfinished)
        self._reruns.schedule_rescans()

    async def fetch_refs(self) -> None:
        """Fetch all refs that may be tags, until that makes no progress."""
        fetched: list[PushedRef] = []
        while (refs := self._tag_refs.next_refs()) not in ([], fetched):
            await self._run(refs, self._tag_refs.fetch)
            fetched = refs

    async def fetch_rest(self) -> None:
        """Fetch everything that is pending, until that makes no progress."""
        while items := self._pending_runs.next_unfetched():
            await self._run(items, self._pending_runs.fetch)
            if self._pool.stopped:
                return
        self._cancelled_runs.add_pending()
        self._failed_runs.add_pending()
        remaining = pending.count(self._db, DETAILS)
        while remaining and self._pool.stopped_by is None:
            await self._fetch_some_details()
            before, remaining = remaining, pending.count(self._db, DETAILS)
            if remaining >= before:
                return

    async def _fetch_some_details(self) -> None:
        """Fetch as many attempts, jobs and annotations as one pass may."""
        pending_runs, cancelled_runs = self._pending_runs, self._cancelled_runs
        await self._run(pending_runs.next_attempts(), pending_runs.fetch)
        cancelled_runs.add_pending()
        await self._run(pending_runs.next_jobs(), pending_runs.fetch)
        await self._run(cancelled_runs.next_attempts(), cancelled_runs.fetch)
        self._failed_runs.add_pending()
        await self._run(self._failed_runs.next_attempts(), self._failed_runs.fetch)
