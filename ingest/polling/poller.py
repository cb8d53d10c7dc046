"""The poller: one pass over the watched feeds, from its start to its result.

`Poller.poll` never waits for the next pass; `loop` repeats it, `schedule` decides when.
"""

import logging
import time
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import Unauthorized
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.headers import parse_expiration
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.polling.rests import Rests
from ci_observer.ingest.polling.results import PollResult, error_of_pass
from ci_observer.ingest.polling.schedule import NO_ACCESS_WAIT, PassSchedule
from ci_observer.ingest.polling.steps import PassSteps, Progress
from ci_observer.ingest.store import instance
from ci_observer.ingest.store.database import refuse_other_file
from ci_observer.ingest.times import Clock, ClockWatch, Timer

log = logging.getLogger("ci_observer.ingest")

# Jobs that no tile needs get at most this share of the time for older runs.
SHARE_FOR_JOBS = 0.5


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
        self._steps = PassSteps(
            self._config, self._db, self._github, self._pool, self._clock
        )
        self._schedule = PassSchedule(self._config)
        self._rests = Rests(self._timer)
        self._is_interrupted = False
        self._last_result: PollResult | None = None

    def start(self) -> None:
        """Save which feeds the settings select, and schedule their first requests."""
        self._steps.start()

    def catch_up_with_jobs(self) -> None:
        """From now on, spend on jobs all of the rate limit that polling leaves."""
        self._steps.job_walk.budget.is_catching_up = True

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
        await self._start_credentials()
        instance.save_poll_start(self._db, started_at)
        feeds = await self._take_steps(started_at, backfill_for, on_progress)
        self._steps.ignores_waits = False
        self._last_result = result = self._result(started_at, feeds)
        self._finished = self._timer()
        self._save_result(result)
        self._is_interrupted = False
        return result

    def schedule_next(self) -> timedelta:
        """The wait until the pass after the last one is due."""
        stopped = self._pool.stopped
        remaining = self._rests.remaining
        wait = self._schedule.schedule_next(
            self._elapsed(),
            now=self._clock(),
            stopped=stopped,
            is_temporary=self._steps.errors.is_temporary or self._is_interrupted,
            stats=self._connection.stats,
            resting={a: rest for a, rest in remaining.items() if a in stopped},
        )
        self._rests.replace(self._schedule.rests, stopped)
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
        self._rests.end_past()
        self._pool.reset(self._rests.errors)
        self._steps.reset()
        self._connection.stats.reset()
        self._is_interrupted = True

    async def _start_credentials(self) -> None:
        credentials = self._connection.credentials
        await credentials.start_pass()
        if credentials.take_new_access():
            self._steps.retry_refused()

    async def _take_steps(
        self, started_at: datetime, backfill_for: timedelta | None, progress: Progress
    ) -> int:
        """Take the steps of a pass; return the number of polled feeds."""
        steps = self._steps
        await steps.refresh_metadata()
        feeds = await steps.fetch_newest(started_at)
        await steps.fetch_single_runs(started_at)
        steps.maintain()
        if backfill_for is not None:
            half = backfill_for * SHARE_FOR_JOBS
            await steps.fetch_more_jobs(lambda: self._elapsed() >= half)
        await steps.fetch_older(
            lambda: backfill_for is not None and self._elapsed() >= backfill_for,
            progress,
        )
        if backfill_for is None:
            await steps.fetch_rest()
            await steps.fetch_more_jobs(lambda: False)
        return feeds

    def _reload_token_if_changed(self) -> bool:
        """Read the file of the token or of the App's key again.

        Returns whether it holds another one.
        """
        path = self._config.token_file or self._config.app_key_file
        if path is None or not self._connection.credentials.reload(path):
            return False
        what = "token" if self._config.token_file else "key of the GitHub App"
        log.info("Using the new %s in %s", what, path)
        self._rests.end_refused()
        return True

    def _is_token_refused(self) -> bool:
        """Whether GitHub refused the token in the last hour.

        Another request with it could get the address blocked.
        """
        is_refused = isinstance(self._pool.stopped_by, Unauthorized)
        age = timedelta(seconds=self._timer() - self._finished)
        return is_refused and age < NO_ACCESS_WAIT

    def _save_result(self, result: PollResult) -> None:
        instance.save_poll(self._db, asdict(result))
        is_app = self._connection.credentials.is_app
        text = None if is_app else self._connection.stats.token_expires
        expires_at = parse_expiration(text)
        instance.save_token_expiration(self._db, expires_at)

    def _result(self, started_at: datetime, feeds: int) -> PollResult:
        stats = self._connection.stats
        return PollResult.of(
            stats,
            error_of_pass(self._pool, stats),
            started_at=started_at,
            finished_at=self._clock(),
            feeds=feeds,
            feeds_failed=len(self._steps.errors.failed),
            runs_written=self._steps.written,
        )
