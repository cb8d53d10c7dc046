"""The command `backfill`: older history of the watched feeds, back to a date.

The date is written into the feeds, and from then on it is the catching up that every
poll does: page by page, each committed with the address of the next. So it outlives
whatever ends this process, and an ingest that runs already is left to do it.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click
from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.errors import (
    AlreadyPolling,
    ConfigError,
    DatabaseError,
    GitHubError,
)
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.names import EVERY_WORKFLOW, every_repo_of, owner_of
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.polling.poller import Poller, PollResult
from ci_observer.ingest.store import backfills, feeds, instance, pending
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import utc

Clock = Callable[[], datetime]

# GitHub Actions was announced then: no run is older.
ACTIONS_BEGAN = datetime(2018, 10, 16, tzinfo=UTC)
WATCH_SECONDS = 1.0
# `up` restarts an ingest that has died sooner than that.
GONE_AFTER_SECONDS = 60.0
LINE_EVERY_SECONDS = 60.0
# What passes by itself is waited for, as ingest does.
PASSING = ("rate_limited", "unreachable")
GOES_ON = "It goes on when this is called again, or when ingest runs."


@dataclass(frozen=True)
class Progress:
    """How far the feeds have come: complete ones, and days covered by all of them."""

    complete: int
    feeds: int
    days: int
    all_days: int

    def __str__(self) -> str:
        return f"{self.complete} of {self.feeds} feeds complete"


# Shows how far it has come, when it is time to; only then is that found out.
Show = Callable[[Callable[[], Progress]], None]


class Backfill:
    """One call of the command, for the watched feeds of `repos` or for all of them.

    `clock` gives aware times.
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
        self._marked: set[str] = set()
        self._left: int | None = None

    async def run(self, github: GitHub, *, version: str) -> bool:
        """Do it, or watch how a running ingest does it; whether no feed failed."""
        try:
            with ExitStack() as lock:
                if self._is_ours(lock):
                    self._check_settings(version)
                    await self._work_off(github)
                else:
                    await self._watch()
            return self._report()
        except asyncio.CancelledError:
            click.echo(f"Not complete yet. {GOES_ON}")
            raise

    def _is_ours(self, lock: ExitStack) -> bool:
        """Take the database's lock unless an ingest holds it."""
        try:
            lock.enter_context(only_ingest(self._config.db_path))
        except AlreadyPolling:
            return False
        return True

    def _check_settings(self, version: str) -> None:
        """Refuse what cannot be done; tell the web side what is polled from now on."""
        if self._config.why_not_polling:
            raise ConfigError(self._config.why_not_polling)
        self._check_repos(self._config.repos)
        instance.save_settings(
            self._db, self._config, version=version, now=self._clock()
        )

    async def _watch(self) -> None:
        """Leave it to the ingest that runs, and show how far that has come."""
        # Its settings count, not ours.
        state, reason = self._polling()
        if state == "off":
            raise ConfigError(str(reason))
        self._check_repos({feed.repo for feed in feeds.watched(self._db)})
        self._mark()
        click.echo("An ingest is running and fetches it; this only watches.", err=True)
        last_alive, last_reason = time.monotonic(), None
        with _display() as show:
            while self._is_open():
                show(self._progress)
                await asyncio.sleep(WATCH_SECONDS)
                with ExitStack() as probe:
                    if not self._is_ours(probe):
                        last_alive = time.monotonic()
                if time.monotonic() - last_alive > GONE_AFTER_SECONDS:
                    raise DatabaseError(f"The ingest has ended. {GOES_ON}")
                _, reason = self._polling()
                if reason and reason != last_reason:
                    _say(reason)
                last_reason = reason
            show(self._progress)

    async def _work_off(self, github: GitHub) -> None:
        """Poll as ingest does, newest runs included, until the history is complete."""
        poller = Poller(self._config, self._db, github, self._clock)
        self._mark()
        with _display() as show:
            is_open = True
            while is_open:
                started_at = self._clock()
                result = await self._pass(poller, show)
                # With GH_WORKFLOWS=* the first pass has found which feeds there are.
                self._mark()
                next_poll_at = poller.next_poll_at(started_at)
                instance.save_next_poll(self._db, next_poll_at)
                await self._wait_if_stopped(result, next_poll_at)
                is_open = self._is_open() or self._is_more_left()
            show(self._progress)

    async def _pass(self, poller: Poller, show: Show) -> PollResult:
        """One pass, not longer than until the newest runs are due again."""
        refresh = timedelta(seconds=self._config.refresh_seconds)
        failed: list[Exception] = []
        try:
            return await poller.poll(
                catch_up_until=self._clock() + refresh,
                on_progress=lambda done, total: show(self._progress),
            )
        except* StorageError as errors:
            failed += errors.exceptions
        raise DatabaseError(f"The database cannot be written: {failed[0]}. {GOES_ON}")

    async def _wait_if_stopped(self, result: PollResult, until: datetime) -> None:
        """After a pass that GitHub or the network ended, wait as long as it takes."""
        if result.error is None:
            return
        if result.error_kind not in PASSING:
            raise GitHubError(f"{result.error} {GOES_ON}")
        self._left = None
        _say(f"Waiting until {until:%H:%M:%S} UTC.")
        await asyncio.sleep(max(0.0, (until - self._clock()).total_seconds()))

    def _is_more_left(self) -> bool:
        """Whether single attempts and jobs are still to be fetched, and get fewer.

        GitHub forgets them too. What keeps failing is left to later polls.
        """
        before = self._left
        self._left = pending.count(self._db, ("attempt", "jobs"))
        return self._left > 0 and (before is None or self._left < before)

    def _report(self) -> bool:
        """Say what came of it; whether no feed failed."""
        watched = self._feeds()
        for feed in watched:
            if feed.error:
                click.echo(f"{feed}: {feed.error}", err=True)
            elif feed.windows_short:
                click.echo(f"{feed}: {_what_is_missing(feed.windows_short)}")
        failed = sum(feed.error is not None for feed in watched)
        click.echo(f"{self._progress()} back to {self._since:%Y-%m-%d}.")
        if failed:
            click.echo(f"{failed} failed. {GOES_ON}")
        return not failed

    def _feeds(self) -> list[Feed]:
        wanted = {repo.lower() for repo in self._repos}
        watched = feeds.watched(self._db)
        return [f for f in watched if not wanted or f.repo.lower() in wanted]

    def _check_repos(self, watched: Collection[str]) -> None:
        known = {repo.lower() for repo in watched}
        for repo in self._repos:
            if not known & {repo.lower(), every_repo_of(owner_of(repo.lower()))}:
                raise ConfigError(
                    f"--repo: {repo} is not watched. "
                    f"Write one of {', '.join(sorted(watched)) or 'none'}, "
                    "or add it to GH_REPOS first."
                )

    def _mark(self) -> None:
        """Have the feeds that are not marked yet catch up back to the date."""
        unmarked = [
            feed
            for feed in self._feeds()
            if str(feed) not in self._marked and feed.workflow != EVERY_WORKFLOW
        ]
        horizon = self._clock() - timedelta(days=self._config.history_days)
        backfills.request(self._db, unmarked, since=self._since, horizon=horizon)
        self._marked |= {str(feed) for feed in unmarked}

    def _is_open(self) -> bool:
        """Whether a feed that does not fail is still to reach the date."""
        return any(not (f.error or self._is_complete(f)) for f in self._feeds())

    def _is_complete(self, feed: Feed) -> bool:
        # A feed that catches up less far only closes a gap of today.
        until = feed.backfill_until
        return not feed.error and (until is None or until > utc(self._since))

    def _progress(self) -> Progress:
        watched = self._feeds()
        days = [self._days_covered(feed) for feed in watched]
        return Progress(
            complete=sum(self._is_complete(feed) for feed in watched),
            feeds=len(watched),
            days=sum(days),
            all_days=len(watched) * self._days_since(self._since),
        )

    def _days_covered(self, feed: Feed) -> int:
        if self._is_complete(feed):
            return self._days_since(self._since)
        if feed.backfilled_to is None:
            return 0
        oldest = datetime.fromisoformat(feed.backfilled_to)
        return self._days_since(max(oldest, self._since))

    def _days_since(self, instant: datetime) -> int:
        return (self._clock() - instant).days

    def _polling(self) -> tuple[str, str | None]:
        [[state, reason]] = self._db.execute("select state, reason from polling")
        return state, reason


def parse_since(text: str, *, now: datetime) -> datetime:
    """The day of `--since`, from its beginning in UTC; raises `ConfigError`."""
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


@contextmanager
def _display() -> Iterator[Show]:
    """A bar on a terminal, else a line a minute."""
    if not sys.stderr.isatty():
        yield _line_a_minute()
        return
    # The log's news of each page would break the bar.
    logging.getLogger("ci_observer").setLevel(logging.WARNING)
    with click.progressbar(
        length=1,
        label="days of history",
        show_pos=True,
        item_show_func=_feeds_complete,
        file=sys.stderr,
    ) as bar:

        def show(find_out: Callable[[], Progress]) -> None:
            progress = find_out()
            bar.length = max(1, progress.all_days)
            bar.update(progress.days - bar.pos, progress)
            bar.render_progress()

        yield show


def _say(text: str) -> None:
    """A line of its own, also below a bar."""
    click.echo(f"\n{text}" if sys.stderr.isatty() else text, err=True)


def _what_is_missing(windows: int) -> str:
    where = "a window" if windows == 1 else f"{windows} windows"
    return (
        f"GitHub's search did not list all the runs that it counts in {where} of time. "
        "Calling this again asks for them anew."
    )


def _feeds_complete(progress: Progress | None) -> str:
    return str(progress or "")


def _line_a_minute() -> Show:
    last = float("-inf")

    def show(find_out: Callable[[], Progress]) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY_SECONDS:
            last = time.monotonic()
            progress = find_out()
            days = f"{progress.days} of {progress.all_days} days of history"
            click.echo(f"{progress}, {days}", err=True)

    return show
