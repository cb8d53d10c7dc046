"""The steps of a pass: metadata, newest runs, single runs, older runs, maintenance.

`poller` decides which of them a pass has, and when it ends.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.polling.backfill import BackfillPages
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.polling.feed_errors import FeedErrors, Item
from ci_observer.ingest.polling.job_walk import JobWalk
from ci_observer.ingest.polling.maintenance import Indexing, Pruning, Repacking
from ci_observer.ingest.polling.repo_checks import RepoChecks
from ci_observer.ingest.polling.run_lists import PageSizes, RunList, feeds_of
from ci_observer.ingest.polling.run_pages import RunPages
from ci_observer.ingest.polling.schedule import NO_ACCESS_WAIT, QuietFeedSchedule
from ci_observer.ingest.polling.single_runs import SingleRuns
from ci_observer.ingest.polling.unchanged_lists import UnchangedLists
from ci_observer.ingest.store import feeds
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import Clock, utc

log = logging.getLogger("ci_observer.ingest")

Progress = Callable[[int, int], None]
T = TypeVar("T", bound=Item)


class PassSteps:
    """The steps of a pass, with their memory of the passes before.

    `errors` has the errors of the pass, `written` counts its runs that are new or have
    changed. `ignores_waits`: feeds that wait after an error are polled, too.
    """

    def __init__(
        self,
        config: Config,
        db: Database,
        github: GitHub,
        pool: RequestPool,
        clock: Clock,
    ) -> None:
        self._db = db
        self._pool = pool
        self._clock = clock
        sizes = PageSizes()
        self._discovery = FeedDiscovery(config, db, github, clock)
        self._unchanged = UnchangedLists(db)
        self._run_pages = RunPages(
            db,
            github,
            self._discovery,
            clock,
            sizes=sizes,
            history=timedelta(days=config.history_days),
            unchanged=self._unchanged,
            on_runs_saved=self._record_saved,
        )
        self._backfill = BackfillPages(
            db,
            github,
            self._discovery,
            clock,
            sizes=sizes,
            on_older_saved=self._count_written,
        )
        self._repo_checks = RepoChecks(db, github, self._discovery, clock)
        self._single_runs = SingleRuns(
            db,
            github,
            self._discovery,
            clock,
            pool=pool,
            run=self._run,
            on_runs_saved=self._record_saved,
        )
        self.job_walk = JobWalk(config, db, github, pool, clock)
        self._pruning = Pruning(config, db, clock)
        self._repacking = Repacking(db)
        self._indexing = Indexing(db)
        self._quiet_feeds = QuietFeedSchedule(config, db)
        self.errors = FeedErrors(db, self._discovery, sizes, clock)
        self.ignores_waits = True
        self.written = 0

    def start(self) -> None:
        """Save which feeds the settings select, and schedule their first requests."""
        self._discovery.start()
        self._single_runs.start()
        self.job_walk.start()

    def reset(self) -> None:
        """Start again, for a new pass."""
        self.errors.reset()
        self.written = 0

    def retry_refused(self) -> None:
        """End the waits after a refusal, as a restart does."""
        self.ignores_waits = True
        self._discovery.retry_refused()

    async def refresh_metadata(self) -> None:
        """Refresh the owners and repositories that are due, or were renamed."""
        discovery = self._discovery
        await self._run(discovery.due_owners(), discovery.refresh_owner)
        discovery.schedule_redirected_repos()
        await self._run(discovery.due_repos(), discovery.refresh_repo)

    async def fetch_newest(self, started_at: datetime) -> int:
        """Fetch the newest runs of the feeds that are due; return their number."""
        due = [f for f in self._discovery.feeds() if self._is_due(f, started_at)]
        lists = self._run_pages.choose_lists(due)
        polled = self._quiet_feeds.take_due(lists, started_at)
        await self._fetch_lists(polled, self._run_pages.fetch)
        without_etag = self._run_pages.without_etag(polled)
        await self._fetch_lists(without_etag, self._run_pages.fetch_repo)
        await self._fetch_unclear(polled, started_at)
        repos = self._repo_checks.take_due_repos([*polled, *without_etag])
        await self._run(repos, self._repo_checks.check)
        self._repo_checks.log_blocked()
        return sum(len(feeds_of(run_list)) for run_list in polled)

    async def fetch_single_runs(self, started_at: datetime) -> None:
        """Fetch some of the pending runs."""
        await self._single_runs.fetch_some(started_at)

    def maintain(self) -> None:
        """Prune once a day, repack some stored payloads, and make an index."""
        self._pruning.prune_daily()
        self._repacking.repack_some()
        self._indexing.make_one()

    async def fetch_more_jobs(self, is_over: Callable[[], bool]) -> None:
        """Fetch jobs that no tile needs, as far as the rate limit has room."""
        await self.job_walk.fetch_some(is_over)

    async def fetch_older(
        self, is_over: Callable[[], bool], on_progress: Progress
    ) -> None:
        """Backfill the feeds that need it, one page of each in turn."""
        total = len(self._discovery.feeds())
        while self._pool.stopped_by is None:
            incomplete = [
                feed
                for feed in feeds.to_backfill(self._db)
                if self._is_due(feed, self._clock())
            ]
            on_progress(total - len(incomplete), total)
            if not incomplete or is_over():
                return
            await self._run(incomplete, self._backfill.fetch_next)

    async def fetch_rest(self) -> None:
        """Fetch all that an older page has made pending."""
        await self._single_runs.fetch_refs()
        self._run_pages.follow_unlisted()
        await self._single_runs.fetch_rest()

    async def _fetch_unclear(
        self, polled: Sequence[RunList], started_at: datetime
    ) -> None:
        unclear = self._run_pages.take_unclear_feeds(polled)
        unclear = [feed for feed in unclear if self._is_due(feed, started_at)]
        await self._fetch_lists(unclear, self._run_pages.fetch_unclear)

    async def _fetch_lists(
        self, lists: Collection[T], fetch: Callable[[T], Awaitable[None]]
    ) -> None:
        """Fetch lists of newest runs, and record the unchanged ones."""
        async with self._unchanged.saving():
            await self._run(lists, fetch)
        await self._run(self._unchanged.failed(), self._unchanged.save_alone)

    async def _run(
        self, items: Collection[T], work: Callable[[T], Awaitable[None]]
    ) -> None:
        await self._pool.run(items, work, self.errors.record)

    def _is_due(self, feed: Feed, now: datetime) -> bool:
        # A later time is that of a wrong clock.
        is_waiting = utc(now) < (feed.retry_at or "") <= utc(now + NO_ACCESS_WAIT)
        # After a restart, also feeds that wait: the settings or the token may be new.
        was_tried = feed.key in self.errors.failed or feed.key in self.errors.skipped
        return not was_tried and (self.ignores_waits or not is_waiting)

    def _record_saved(self, feed: Feed, written: int) -> None:
        self._count_written(written)
        if written:
            self._discovery.record_enabled(feed)
            log.info("%s: %d run%s", feed, written, "" if written == 1 else "s")

    def _count_written(self, written: int) -> None:
        self.written += written
