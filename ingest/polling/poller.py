"""The poller: the steps of one pass over the watched feeds, in order.

`Poller.poll` never waits for the next pass; `loop` repeats it, `schedule` decides when.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import GitHubError, Unauthorized
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.headers import parse_expiration
from ci_observer.ingest.polling.backfill import BackfillPages
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.polling.feed_errors import FeedErrors, Item
from ci_observer.ingest.polling.maintenance import Pruning, Repacking
from ci_observer.ingest.polling.repo_checks import RepoChecks
from ci_observer.ingest.polling.run_lists import PageSizes, RunList, feeds_of
from ci_observer.ingest.polling.run_pages import RunPages
from ci_observer.ingest.polling.schedule import (
    NO_ACCESS_WAIT,
    PassSchedule,
    QuietFeedSchedule,
)
from ci_observer.ingest.polling.single_runs import SingleRuns
from ci_observer.ingest.store import feeds, instance
from ci_observer.ingest.store.database import refuse_other_file
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import Clock, ClockWatch, Timer, utc

log = logging.getLogger("ci_observer.ingest")

# A wait may end a moment too early.
WAKES_EARLY_SECONDS = 0.1

Progress = Callable[[int, int], None]
T = TypeVar("T", bound=Item)


@dataclass(frozen=True)
class PollResult:
    """The result of one pass. Its fields are columns of the table `polls`."""

    started_at: str
    finished_at: str
    feeds: int
    feeds_failed: int
    requests: int
    not_modified: int
    runs_written: int
    rate_limit: int | None
    rate_limit_remaining: int | None
    rate_limit_reset_at: str | None
    error: str | None
    error_kind: str | None


class Poller:
    """Polls the watched feeds of one database.

    Call `start` once before the first pass. The connection of `github` must send its
    requests through `pool`. `clock` returns aware times. The error of a feed is
    recorded and stops no other feed; an error that concerns all of them ends the pass.
    """

    def __init__(
        self,
        config: Config,
        db: Database,
        github: GitHub,
        pool: RequestPool,
        clock: Clock,
        *,
        timer: Timer = time.monotonic,
    ) -> None:
        self._config = config
        self._db = db
        self._github = github
        self._connection = github.connection
        self._pool = pool
        self._clock = clock
        self._timer = timer
        self._clock_watch = ClockWatch(clock, timer)
        self._started = self._finished = timer()
        self._build()

    def _build(self) -> None:
        """Build the parts, without anything that they remember."""
        config, db, github, clock = self._config, self._db, self._github, self._clock
        sizes = PageSizes()
        self._discovery = FeedDiscovery(config, db, github, clock)
        self._run_pages = RunPages(
            db,
            github,
            self._discovery,
            clock,
            sizes=sizes,
            history=timedelta(days=config.history_days),
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
            pool=self._pool,
            run=self._run,
            on_runs_saved=self._record_saved,
        )
        self._pruning = Pruning(config, db, clock)
        self._repacking = Repacking(db)
        self._schedule = PassSchedule(config)
        self._quiet_feeds = QuietFeedSchedule(config, db)
        self._errors = FeedErrors(db, self._discovery, sizes, clock)
        # When each account that rests may send requests, and the error that stopped it.
        self._rests: dict[str, tuple[float, GitHubError | None]] = {}
        self._ignores_waits = True
        self._is_interrupted = False
        self._written = 0
        self._last_result: PollResult | None = None

    def start(self) -> None:
        """Save which feeds the settings select, and schedule their first requests."""
        self._discovery.start()
        self._single_runs.start()

    async def poll(
        self,
        *,
        backfill_for: timedelta | None = None,
        on_progress: Progress = lambda complete, total: None,
    ) -> PollResult:
        """Make one pass: metadata that is due, newest runs, then older runs.

        The backfill ends `backfill_for` after the start of the pass, so that the newest
        runs are never late, or when it is complete. Without a limit, the pass also
        fetches everything that is pending, so that the next one finds only unchanged
        pages. `on_progress` receives the numbers of complete and of all feeds. Raises
        a `StorageError`, or an exception group with one, if the database cannot be
        written.
        """
        self._started = self._timer()
        refuse_other_file(self._db)
        self._restart_if_clock_was_set_back()
        started_at = self._clock()
        if self._last_result is not None:
            is_reloaded = self._reload_token_if_changed()
            if not is_reloaded and self._is_token_refused():
                return self._last_result
        self._reset()
        await self._connection.credentials.start_pass()
        self._retry_if_more_is_visible()
        instance.save_poll_start(self._db, started_at)
        await self._refresh_metadata()
        polled = await self._fetch_newest(started_at)
        await self._single_runs.fetch_some(started_at)
        self._pruning.prune_daily()
        self._repacking.repack_some()
        await self._fetch_older(backfill_for, on_progress)
        if backfill_for is None:
            await self._fetch_rest()
        self._ignores_waits = False
        feed_count = sum(len(feeds_of(run_list)) for run_list in polled)
        self._last_result = result = self._result(started_at, feed_count)
        self._finished = self._timer()
        self._save_result(result)
        self._is_interrupted = False
        return result

    def schedule_next(self) -> timedelta:
        """The wait until the pass after the last one is due."""
        now, stopped = self._timer(), self._pool.stopped
        wait = self._schedule.schedule_next(
            self._elapsed(),
            now=self._clock(),
            stopped=stopped,
            is_temporary=self._errors.is_temporary or self._is_interrupted,
            stats=self._connection.stats,
            resting={
                account: timedelta(seconds=until - now)
                for account, (until, _) in self._rests.items()
                if account in stopped
            },
        )
        self._rests = {
            account: (now + rest.total_seconds(), stopped.get(account))
            for account, rest in self._schedule.rests.items()
        }
        return wait

    @property
    def has_resting_accounts(self) -> bool:
        """Whether some accounts send no requests in the next pass."""
        return bool(self._rests)

    def _elapsed(self) -> timedelta:
        """The time since the last pass began."""
        return timedelta(seconds=self._timer() - self._started)

    def _restart_if_clock_was_set_back(self) -> None:
        """Forget all waits, as a restart does: they would last too long."""
        if step := self._clock_watch.take_step_back():
            log.warning("The clock was set back by %s: every wait ends now.", step)
            self._build()
            self.start()

    def _reset(self) -> None:
        """Start again, for a new pass."""
        now = self._timer() + WAKES_EARLY_SECONDS
        self._rests = {a: rest for a, rest in self._rests.items() if rest[0] > now}
        self._pool.reset(
            {account: error for account, (_, error) in self._rests.items()}
        )
        self._errors.reset()
        self._connection.stats.reset()
        self._written = 0
        self._is_interrupted = True

    def _retry_if_more_is_visible(self) -> None:
        """End the waits after a refusal, as a restart does."""
        if self._connection.credentials.take_new_access():
            self._ignores_waits = True
            self._discovery.retry_refused()

    async def _refresh_metadata(self) -> None:
        """Refresh the owners and repositories that are due, or were renamed."""
        discovery = self._discovery
        await self._run(discovery.due_owners(), discovery.refresh_owner)
        discovery.schedule_redirected_repos()
        await self._run(discovery.due_repos(), discovery.refresh_repo)

    async def _fetch_newest(self, started_at: datetime) -> list[RunList]:
        """Fetch the newest runs of the feeds that are due; return the polled lists."""
        due = [f for f in self._discovery.feeds() if self._is_due(f, started_at)]
        lists = self._run_pages.choose_lists(due)
        polled = self._quiet_feeds.take_due(lists, started_at)
        await self._run(polled, self._run_pages.fetch)
        without_etag = self._run_pages.without_etag(polled)
        await self._run(without_etag, self._run_pages.fetch_repo)
        unclear = self._run_pages.take_unclear_feeds(polled)
        unclear = [feed for feed in unclear if self._is_due(feed, started_at)]
        await self._run(unclear, self._run_pages.fetch_unclear)
        repos = self._repo_checks.take_due_repos([*polled, *without_etag])
        await self._run(repos, self._repo_checks.check)
        self._repo_checks.log_blocked()
        return polled

    async def _fetch_rest(self) -> None:
        """Fetch all that an older page has made pending."""
        await self._single_runs.fetch_refs()
        self._run_pages.follow_unlisted()
        await self._single_runs.fetch_rest()

    async def _fetch_older(
        self, limit: timedelta | None, on_progress: Progress
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
            if not incomplete or (limit is not None and self._elapsed() >= limit):
                return
            await self._run(incomplete, self._backfill.fetch_next)

    async def _run(
        self, items: Collection[T], work: Callable[[T], Awaitable[None]]
    ) -> None:
        await self._pool.run(items, work, self._errors.record)

    def _reload_token_if_changed(self) -> bool:
        """Read the file of the token or of the App's key again.

        Returns whether it holds another one.
        """
        path = self._config.token_file or self._config.app_key_file
        if path is None or not self._connection.credentials.reload(path):
            return False
        what = "token" if self._config.token_file else "key of the GitHub App"
        log.info("Using the new %s in %s", what, path)
        # A spent limit is not another one's with another key.
        self._rests = {
            account: rest
            for account, rest in self._rests.items()
            if not isinstance(rest[1], Unauthorized)
        }
        return True

    def _is_token_refused(self) -> bool:
        """Whether GitHub refused the token in the last hour.

        Another request with it could get the address blocked.
        """
        is_refused = isinstance(self._pool.stopped_by, Unauthorized)
        age = timedelta(seconds=self._timer() - self._finished)
        return is_refused and age < NO_ACCESS_WAIT

    def _is_due(self, feed: Feed, now: datetime) -> bool:
        # A later time is that of a wrong clock.
        is_waiting = utc(now) < (feed.retry_at or "") <= utc(now + NO_ACCESS_WAIT)
        # After a restart, also feeds that wait: the settings or the token may be new.
        was_tried = feed.key in self._errors.failed or feed.key in self._errors.skipped
        return not was_tried and (self._ignores_waits or not is_waiting)

    def _record_saved(self, feed: Feed, written: int) -> None:
        self._count_written(written)
        if written:
            self._discovery.record_enabled(feed)
            log.info("%s: %d run%s", feed, written, "" if written == 1 else "s")

    def _count_written(self, written: int) -> None:
        self._written += written

    def _save_result(self, result: PollResult) -> None:
        instance.save_poll(self._db, asdict(result))
        is_app = self._connection.credentials.is_app
        text = None if is_app else self._connection.stats.token_expires
        expires_at = parse_expiration(text)
        instance.save_token_expiration(self._db, expires_at)

    def _error(self) -> GitHubError | None:
        """The error that stopped every account; None if some were polled."""
        accounts = self._connection.stats.by_account
        errors = [self._pool.stopped.get(account) for account in accounts]
        return self._pool.stopped_by or (errors[0] if errors and all(errors) else None)

    def _result(self, started_at: datetime, feed_count: int) -> PollResult:
        stats, error = self._connection.stats, self._error()
        limit = stats.lowest_rate_limit(self._clock())
        return PollResult(
            started_at=utc(started_at),
            finished_at=utc(self._clock()),
            feeds=feed_count,
            feeds_failed=len(self._errors.failed),
            requests=stats.requests,
            not_modified=stats.not_modified,
            runs_written=self._written,
            error=str(error) if error else None,
            error_kind=error.kind if error else None,
            rate_limit=limit.limit if limit else None,
            rate_limit_remaining=limit.remaining if limit else None,
            rate_limit_reset_at=utc(limit.reset_at) if limit else None,
        )
