"""The command `backfill`: fetches older history of the watched feeds, back to a date.

It writes the date into the feeds. From then on every poll continues the backfill page
by page, and commits each page with the URL of the next. So the work survives the end of
this process, and a running ingest does it instead.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import click
from sqlite_utils import Database

from ci_observer.ingest.commands.backfill_jobs import JobsBackfill
from ci_observer.ingest.commands.explained_errors import EXIT_FAILED
from ci_observer.ingest.commands.runtime import (
    VERSION,
    open_poller,
    utc_now,
)
from ci_observer.ingest.commands.terminal import (
    HistoryProgress,
    ShowHistory,
    echo_line,
    history_display,
)
from ci_observer.ingest.config import Config
from ci_observer.ingest.config.shard import number_of
from ci_observer.ingest.config.watching import fits
from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.db.storage_errors import explain
from ci_observer.ingest.errors import (
    AlreadyPolling,
    ConfigError,
    DatabaseError,
    GitHubError,
    RateLimited,
    single_errors,
)
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.polling.poller import Poller
from ci_observer.ingest.polling.results import PollResult
from ci_observer.ingest.store import (
    backfills,
    feeds,
    instance,
    job_walk,
    pending,
    watch_errors,
)
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.watch_errors import WatchError
from ci_observer.ingest.texts import escaped
from ci_observer.ingest.times import Clock, utc

# GitHub Actions was announced on this day: no run is older.
ACTIONS_BEGAN = datetime(2018, 10, 16, tzinfo=UTC)
WATCH_SECONDS = 1.0
# `up` restarts an ingest that has died sooner than that.
GONE_AFTER_SECONDS = 60.0
# Kinds of errors after which polling resumes by itself.
TEMPORARY = ("rate_limited", "unreachable")
CONTINUES = "The next backfill or ingest continues."


async def run_backfill(
    config: Config, db: Database, *, since: datetime, repos: Collection[str]
) -> int:
    """Fetch the history of the watched feeds back to `since`; return the exit code.

    `repos` limits it to some repositories.
    """
    async with open_poller(config, db) as poller:
        backfill = Backfill(config, db, utc_now, since=since, repos=repos)
        is_good = await backfill.run(poller)
    return 0 if is_good else EXIT_FAILED


class Backfill:
    """One call of the command, for the watched feeds of `repos`, or for all if empty.

    `clock` returns aware times.
    """

    def __init__(
        self,
        config: Config,
        db: Database,
        clock: Clock,
        *,
        since: datetime,
        repos: Collection[str] = (),
    ) -> None:
        self._config = config
        self._db = db
        self._clock = clock
        self._since = max(since, ACTIONS_BEGAN)
        self._repos = repos
        self._dated: set[FeedKey] = set()
        self._pending: int | None = None

    async def run(self, poller: Poller) -> bool:
        """Fetch, or watch a running ingest fetch; return whether no feed failed."""
        try:
            with ExitStack() as lock:
                if self._take_lock(lock):
                    self._check_settings()
                    await self._poll(poller)
                else:
                    await self._watch()
            return self._report()
        except asyncio.CancelledError:
            click.echo(f"Not complete yet. {CONTINUES}")
            raise

    def _take_lock(self, lock: ExitStack) -> bool:
        """Take the database's lock; return False if an ingest holds it."""
        try:
            lock.enter_context(only_ingest(self._config.db_path))
        except AlreadyPolling:
            return False
        return True

    def _check_settings(self) -> None:
        """Raise `ConfigError` if nothing can be polled, otherwise save the settings."""
        if self._config.why_not_polling:
            raise ConfigError(self._config.why_not_polling)
        self._check_repos(self._config.repos)
        self._check_shard()
        job_walk.start_again(self._db)
        instance.save_settings(
            self._db, self._config, version=VERSION, now=self._clock()
        )

    async def _watch(self) -> None:
        """Show the progress while the running ingest fetches."""
        # The settings of that ingest apply, not the ones of this process.
        state, reason = self._polling_state()
        if state == "off":
            raise ConfigError(str(reason))
        watched = {feed.repo for feed in feeds.watched(self._db)}
        watched |= {error.repo for error in watch_errors.known(self._db)}
        self._check_repos(watched)
        self._set_date()
        click.echo(
            "An ingest is running and does the fetching; this only watches.", err=True
        )
        last_alive, last_reason = time.monotonic(), None
        with history_display() as show:
            while self._is_incomplete():
                show(self._progress)
                await asyncio.sleep(WATCH_SECONDS)
                with ExitStack() as probe:
                    if not self._take_lock(probe):
                        last_alive = time.monotonic()
                if time.monotonic() - last_alive > GONE_AFTER_SECONDS:
                    raise DatabaseError(f"The ingest has ended. {CONTINUES}")
                _, reason = self._polling_state()
                if reason and reason != last_reason:
                    echo_line(reason)
                last_reason = reason
            show(self._progress)
        click.echo("It goes on to fetch jobs as far as the rate limit has room.")

    async def _poll(self, poller: Poller) -> None:
        """Poll as ingest does, newest runs included, until the history is complete."""
        poller.start()
        self._set_date()
        with history_display() as show:
            is_incomplete = True
            while is_incomplete:
                result = await self._pass(poller, show, self._progress)
                # With GH_WORKFLOWS=* the first pass finds the feeds.
                self._set_date()
                remaining = poller.schedule_next()
                instance.save_next_poll(self._db, self._clock() + remaining)
                await self._wait_if_stopped(result, remaining)
                if poller.has_resting_accounts:
                    # The others are polled as usual, and not without a pause.
                    await asyncio.sleep(remaining.total_seconds())
                is_incomplete = self._is_incomplete() or self._count_pending()
            show(self._progress)
        if self._config.fetch_jobs in job_walk.SELECTED:
            await self._catch_up_with_jobs(poller)

    async def _catch_up_with_jobs(self, poller: Poller) -> None:
        """Poll until the jobs are fetched, too. Polling keeps its share."""
        poller.catch_up_with_jobs()
        jobs = JobsBackfill(self._db, self._feeds, self._since, self._clock)
        with history_display("jobs") as show:
            while places := jobs.places():
                result = await self._pass(poller, show, jobs.progress)
                remaining = poller.schedule_next()
                instance.save_next_poll(self._db, self._clock() + remaining)
                await self._wait_if_stopped(result, remaining)
                if jobs.places() == places:
                    echo_line("Jobs wait until the rate limit has room for them.")
                    await asyncio.sleep(remaining.total_seconds())
            show(jobs.progress)

    async def _pass(
        self,
        poller: Poller,
        show: ShowHistory,
        progress: Callable[[], HistoryProgress],
    ) -> PollResult:
        """Make one pass that ends when the newest runs are due again."""
        refresh = timedelta(seconds=self._config.refresh_seconds)
        failed: list[StorageError] = []
        try:
            return await poller.poll(
                backfill_for=refresh,
                on_progress=lambda complete, total: show(progress),
            )
        except* StorageError as errors:
            failed += [e for e in single_errors(errors) if isinstance(e, StorageError)]
        reason = explain(failed[0], self._config.db_path)
        raise DatabaseError(f"The database cannot be written: {reason} {CONTINUES}")

    async def _wait_if_stopped(self, result: PollResult, wait: timedelta) -> None:
        """Wait after an error that ends by itself; raise any other error."""
        if result.error is None:
            return
        if result.error_kind not in TEMPORARY:
            raise GitHubError(f"{result.error} {CONTINUES}")
        self._pending = None
        echo_line(f"Waiting until {self._clock() + wait:%H:%M:%S} UTC.")
        await asyncio.sleep(wait.total_seconds())

    def _count_pending(self) -> bool:
        """Count the pending attempts and jobs; return whether they are getting fewer.

        GitHub deletes them too. Later polls retry the ones that keep failing.
        """
        before = self._pending
        self._pending = pending.count(self._db, ("attempt", "jobs"))
        return self._pending > 0 and (before is None or self._pending < before)

    def _report(self) -> bool:
        """Print the outcome; return whether no feed failed."""
        watched = self._feeds()
        failed: list[Feed | WatchError] = [feed for feed in watched if feed.error]
        failed += self._watch_errors()
        for item in failed:
            click.echo(escaped(f"{item}: {item.error}"), err=True)
        for feed in watched:
            given_up = backfills.get(self._db, feed.key).windows_given_up
            if given_up and not feed.error:
                click.echo(escaped(f"{feed}: {_windows_text(given_up)}"))
        click.echo(f"{self._progress()} back to {self._since:%Y-%m-%d}.")
        if failed:
            click.echo(f"{len(failed)} failed. {CONTINUES}")
        return not failed

    def _feeds(self) -> list[Feed]:
        return [f for f in feeds.watched(self._db) if self._is_wanted(f.repo)]

    def _watch_errors(self) -> list[WatchError]:
        return [e for e in watch_errors.known(self._db) if self._is_wanted(e.repo)]

    def _is_wanted(self, repo: str) -> bool:
        return not self._repos or repo.lower() in map(str.lower, self._repos)

    def _check_repos(self, watched: Collection[str]) -> None:
        for repo in self._repos:
            if not any(fits(item, repo) for item in watched):
                raise ConfigError(
                    f"--repo: {repo} is not watched. "
                    f"Write one of {', '.join(sorted(watched)) or 'none'}, "
                    "or add it to GH_REPOS or the settings file first."
                )

    def _check_shard(self) -> None:
        shard = self._config.shard
        for repo in self._repos:
            if shard and not shard.has(repo):
                raise ConfigError(
                    f"--repo: {repo} does not belong to {shard.name}, but to shard "
                    f"{number_of(repo, shard.count)}. Run the command there."
                )

    def _set_date(self) -> None:
        """Write the date into the feeds that do not have it yet."""
        undated = [f.key for f in self._feeds() if f.key not in self._dated]
        horizon = self._clock() - timedelta(days=self._config.history_days)
        backfills.request(self._db, undated, since=self._since, horizon=horizon)
        self._dated.update(undated)

    def _is_incomplete(self) -> bool:
        """Whether a feed has not reached the date, with no error but a rate limit."""
        return any(
            not self._is_complete(feed)
            for feed in self._feeds()
            if not feed.error or feed.error_kind == RateLimited.kind
        )

    def _is_complete(self, feed: Feed) -> bool:
        # A feed whose backfill ends later than the date only closes a recent gap.
        until = backfills.get(self._db, feed.key).fetch_until
        return not feed.error and (until is None or until > utc(self._since))

    def _progress(self) -> HistoryProgress:
        watched = self._feeds()
        # An owner or a repository that cannot be listed counts as one feed.
        count = len(watched) + len(self._watch_errors())
        return HistoryProgress(
            complete=sum(self._is_complete(feed) for feed in watched),
            feeds=count,
            days=sum(self._days_covered(feed) for feed in watched),
            all_days=count * self._days_since(self._since),
        )

    def _days_covered(self, feed: Feed) -> int:
        if self._is_complete(feed):
            return self._days_since(self._since)
        fetched_to = backfills.get(self._db, feed.key).fetched_to
        if fetched_to is None:
            return 0
        oldest = datetime.fromisoformat(fetched_to)
        return self._days_since(max(oldest, self._since))

    def _days_since(self, instant: datetime) -> int:
        return (self._clock() - instant).days

    def _polling_state(self) -> tuple[str, str | None]:
        [[state, reason]] = self._db.execute("select state, reason from polling")
        return state, reason


def parse_since(text: str, *, now: datetime) -> datetime:
    """The start of the day of `--since`, in UTC.

    Raises `ConfigError` for a text that is not a date, and for a day in the future.
    """
    try:
        since = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(
            f"--since: {text!r} is not a date. Write year-month-day, "
            f"for example --since {now - timedelta(days=365):%Y-%m-%d}"
        ) from None
    if since > now:
        raise ConfigError(f"--since: {text} is in the future. Write a day of the past.")
    return since


def _windows_text(windows: int) -> str:
    where = "a window" if windows == 1 else f"{windows} windows"
    return (
        f"GitHub's search did not list all the runs that it counts in {where} of time. "
        "The next backfill requests them again."
    )
