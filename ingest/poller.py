"""The poll: which feeds are asked when, and what follows from GitHub's answers.

`Poller.poll` is one pass and never waits for the next; `run_forever` only repeats it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import stamina
from sqlite_utils import Database

from ingest import store
from ingest.client import GitHub
from ingest.config import EVERY_WORKFLOW, Config
from ingest.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    GitHubUnreachable,
    NotFound,
    RateLimited,
    Unauthorized,
)
from ingest.following import Following
from ingest.lists import Lists
from ingest.pacing import NO_ACCESS_WAIT, Pacing
from ingest.pruning import Pruning
from ingest.repacking import Repacking
from ingest.repo_lists import RepoList
from ingest.reruns import Reruns
from ingest.schema import StorageError
from ingest.store import Feed, Pending, utc
from ingest.watching import Watch
from ingest.wire import parse_expiration

log = logging.getLogger("ci_observer.ingest")

T = TypeVar("T", str, Feed, Pending, RepoList)
Clock = Callable[[], datetime]
Progress = Callable[[int, int], None]

CONCURRENCY = 4

# A passing fault is tried three times in all, then left to the next pass.
retry_unavailable = stamina.AsyncRetryingCaller(
    attempts=3, wait_initial=1, wait_max=10
).on(GitHubUnavailable)


@dataclass(frozen=True)
class PollResult:
    """What one pass came to; the fields are columns of the table `polls`."""

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

    `clock` gives aware times. One failing feed is noted and never stops the others;
    what concerns them all (a spent limit, a bad token, no network) ends the pass.
    """

    def __init__(
        self, config: Config, db: Database, github: GitHub, clock: Clock
    ) -> None:
        self._config = config
        self._db = db
        self._github = github
        self._clock = clock
        self._watch = Watch(config, db, github, clock)
        self._watch.start()
        self._following = Following(db, github, clock, self._note_written)
        self._lists = Lists(
            db,
            github,
            self._watch,
            clock,
            history=timedelta(days=config.history_days),
            wrote=self._note_written,
            wrote_older=self._count_written,
        )
        self._reruns = Reruns(db, github, self._watch, clock, self._note_written)
        self._pruning = Pruning(config, db, clock)
        self._repacking = Repacking(db)
        self._pacing = Pacing(config)
        self._is_first_pass = True
        # The kinds of error of the feeds that failed, in this pass and the one before.
        self._failed: dict[str, str] = {}
        self._failed_before: dict[str, str] = {}
        self._written = 0
        self._stopped_by: GitHubError | None = None
        self._last: PollResult | None = None

    async def poll(
        self,
        *,
        catch_up_until: datetime | None = None,
        on_progress: Progress = lambda done, total: None,
    ) -> PollResult:
        """One pass: repositories described daily, live pages, then older pages.

        Catching up with older pages ends at `catch_up_until`, so that live polling is
        never late, or when everything is fetched. `on_progress` is told how many feeds
        are complete, and of how many.
        """
        started_at = self._clock()
        if self._last is not None and self._is_token_refused(started_at):
            return self._last
        self._failed_before, self._failed = self._failed, {}
        self._written, self._stopped_by = 0, None
        self._github.meter.reset()
        await self._each(self._watch.owners_to_list(), self._watch.list_owner)
        await self._each(self._watch.repos_to_describe(), self._watch.describe)
        feeds = [f for f in self._watch.feeds() if self._is_due(f, started_at)]
        own, repos = self._lists.split(feeds)
        await self._each(own, self._lists.poll_feed)
        await self._each(repos + self._lists.unprimed(own), self._lists.poll_repo)
        await self._each(self._following.open_runs(), self._following.fetch)
        await self._each(self._following.lost_attempts(), self._following.fetch)
        await self._each(self._following.unknown_jobs(), self._following.fetch)
        await self._each(self._reruns.repos_to_ask(), self._reruns.ask)
        self._reruns.walk_daily()
        self._pruning.prune_daily()
        self._repacking.go_on()
        await self._catch_up(catch_up_until, on_progress)
        self._is_first_pass = False
        self._last = self._result(started_at, len(feeds))
        store.save_poll(self._db, asdict(self._last))
        expires_at = parse_expiration(self._github.meter.token_expires)
        store.save_token_expiration(self._db, expires_at)
        return self._last

    def next_poll_at(self, started_at: datetime) -> datetime:
        """When the pass after the one that started then is due."""
        return self._pacing.next_poll_at(
            started_at,
            now=self._clock(),
            error=self._stopped_by,
            meter=self._github.meter,
        )

    def _is_token_refused(self, now: datetime) -> bool:
        """Whether GitHub refused the token lately, and there is no other one.

        Asking again with it could get the address blocked. A token file is read anew
        before each pass, so that a new token is used at once.
        """
        if (path := self._config.token_file) and self._github.renew_token(path):
            log.info("A new token is used from %s", path)
            return False
        if self._last is None or not isinstance(self._stopped_by, Unauthorized):
            return False
        return utc(now - NO_ACCESS_WAIT) < self._last.finished_at

    def _is_due(self, feed: Feed, now: datetime) -> bool:
        # A restart asks again at once: the settings or the token may have been mended.
        is_resting = not self._is_first_pass and (feed.retry_at or "") > utc(now)
        is_asked = feed.workflow != EVERY_WORKFLOW and str(feed) not in self._failed
        return is_asked and not is_resting

    async def _each(
        self, items: Collection[T], work: Callable[[T], Awaitable[None]]
    ) -> None:
        """Do `work` for every item, a few at once, until GitHub asks to stop."""
        waiting = iter(items)

        async def work_off() -> None:
            for item in waiting:
                if self._stopped_by is None:
                    await self._noting_errors(item, work)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(CONCURRENCY, len(items))):
                tasks.create_task(work_off())

    async def _noting_errors(
        self, item: T, work: Callable[[T], Awaitable[None]]
    ) -> None:
        try:
            await retry_unavailable(work, item)
        except (RateLimited, Unauthorized, GitHubUnreachable) as error:
            if self._stopped_by is None:
                log.warning("%s", error)
            self._stopped_by = error
        except GitHubError as error:
            self._note_error(item, error)

    def _note_error(
        self, item: Feed | Pending | RepoList | str, error: GitHubError
    ) -> None:
        """Keep an error with its feed, or with every feed of its repository."""
        if isinstance(item, Pending):
            # One run's trouble; its feed is fine. It has its turn again.
            log.warning("%s: %s", item, error)
            store.save_asked(self._db, item, now=self._clock())
            return
        wait = NO_ACCESS_WAIT if isinstance(error, NotFound | Forbidden) else None
        if isinstance(item, Feed | RepoList):
            for feed in item.feeds if isinstance(item, RepoList) else [item]:
                self._save_error(feed, error, wait)
            if isinstance(error, NotFound):
                self._watch.look_again(item.repo)
            return
        if wait is None:
            # What is known of the repository still serves to poll its feeds.
            log.warning("%s: %s", item, error)
            return
        self._watch.note_refused(item, error, wait)
        for feed in self._watch.feeds_of(item):
            self._save_error(feed, error, wait)

    def _save_error(
        self, feed: Feed, error: GitHubError, wait: timedelta | None
    ) -> None:
        now = self._clock()
        if feed.error != str(error):
            log.warning("%s: %s", feed, error)
        # Not the stored kind: a good newest page has cleared what an older one left.
        before = self._failed_before.get(str(feed))
        if before == error.kind == GitHubUnavailable.kind:
            self._lists.ask_for_smaller_pages(feed)
        self._failed[str(feed)] = error.kind
        store.save_feed_error(
            self._db,
            feed,
            error=str(error),
            kind=error.kind,
            now=now,
            retry_at=now + wait if wait else None,
        )

    async def _catch_up(self, until: datetime | None, on_progress: Progress) -> None:
        """Fetch older pages of the feeds that miss some, one page of each in turn."""
        feeds = len(self._watch.feeds())
        while self._stopped_by is None:
            behind = [
                feed
                for feed in store.feeds_behind(self._db)
                if self._is_due(feed, self._clock())
            ]
            on_progress(feeds - len(behind), feeds)
            if not behind or (until is not None and self._clock() >= until):
                return
            await self._each(behind, self._lists.fetch_older)

    def _note_written(self, feed: Feed, written: int) -> None:
        self._count_written(written)
        if written:
            log.info("%s: %d run%s", feed, written, "" if written == 1 else "s")

    def _count_written(self, written: int) -> None:
        self._written += written

    def _result(self, started_at: datetime, feeds: int) -> PollResult:
        meter = self._github.meter
        limit, error = meter.rate_limit, self._stopped_by
        return PollResult(
            started_at=utc(started_at),
            finished_at=utc(self._clock()),
            feeds=feeds,
            feeds_failed=len(self._failed),
            requests=meter.requests,
            not_modified=meter.not_modified,
            runs_written=self._written,
            error=str(error) if error else None,
            error_kind=error.kind if error else None,
            rate_limit=limit.limit if limit else None,
            rate_limit_remaining=limit.remaining if limit else None,
            rate_limit_reset_at=utc(limit.reset_at) if limit else None,
        )


async def run_forever(
    poller: Poller,
    db: Database,
    *,
    refresh: timedelta,
    clock: Clock,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Poll, tell when the next poll is due, wait, for ever; ends by cancellation.

    A database that cannot be written, as on a full disk, is tried again each time: what
    a failed transaction did not keep is fetched anew, since its ETag was not kept.
    """
    while True:
        started_at = clock()
        next_poll_at = started_at + refresh
        try:
            await poller.poll(catch_up_until=next_poll_at)
            next_poll_at = poller.next_poll_at(started_at)
            store.save_next_poll(db, next_poll_at)
        except* StorageError as errors:
            log.error("The database cannot be written: %s.", errors.exceptions[0])
        await wait(max(0.0, (next_poll_at - clock()).total_seconds()))
