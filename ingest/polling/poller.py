"""The poll: which feeds are asked when, and what follows from GitHub's answers.

`Poller.poll` is one pass and never waits for the next; `loop` only repeats it.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import Unauthorized
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.names import EVERY_WORKFLOW
from ci_observer.ingest.github.wire import parse_expiration
from ci_observer.ingest.polling.concurrency import Work
from ci_observer.ingest.polling.feed_errors import FeedErrors
from ci_observer.ingest.polling.pacing import NO_ACCESS_WAIT, Pacing
from ci_observer.ingest.polling.pending_runs import Following
from ci_observer.ingest.polling.pruning import Pruning
from ci_observer.ingest.polling.repacking import Repacking
from ci_observer.ingest.polling.repo_pages import feeds_of
from ci_observer.ingest.polling.reruns import Reruns
from ci_observer.ingest.polling.run_pages import Lists
from ci_observer.ingest.polling.schedule import Turns
from ci_observer.ingest.store import feeds, instance
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import utc

log = logging.getLogger("ci_observer.ingest")

Clock = Callable[[], datetime]
Progress = Callable[[int, int], None]


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
        self._watch = FeedDiscovery(config, db, github, clock)
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
        self._turns = Turns(config, db)
        self._errors = FeedErrors(db, self._watch, self._lists, clock)
        self._work = Work(self._errors.note)
        self._is_first_pass = True
        self._written = 0
        self._is_complete = True
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
        self._work, self._written = Work(self._errors.note), 0
        self._github.connection.request = self._work.request
        self._errors.begin()
        self._is_complete = False
        self._github.connection.stats.reset()
        await self._work.each(self._watch.due_owners(), self._watch.refresh_owner)
        self._watch.schedule_redirected_repos()
        await self._work.each(self._watch.due_repos(), self._watch.refresh_repo)
        due = [f for f in self._watch.feeds() if self._is_due(f, started_at)]
        own, repos = self._lists.split(due)
        asked = self._turns.take([*own, *repos], started_at)
        await self._work.each(asked, self._lists.poll)
        await self._work.each(self._lists.unprimed(asked), self._lists.poll_repo)
        await self._work.each(self._following.open_runs(), self._following.fetch)
        await self._work.each(self._following.lost_attempts(), self._following.fetch)
        await self._work.each(self._following.unknown_jobs(), self._following.fetch)
        await self._work.each(self._reruns.repos_to_ask(), self._reruns.ask)
        self._reruns.walk_daily()
        self._pruning.prune_daily()
        self._repacking.go_on()
        await self._catch_up(catch_up_until, on_progress)
        self._is_first_pass = False
        self._last = self._result(started_at, sum(len(feeds_of(a)) for a in asked))
        instance.save_poll(self._db, asdict(self._last))
        expires_at = parse_expiration(self._github.connection.stats.token_expires)
        instance.save_token_expiration(self._db, expires_at)
        self._is_complete = True
        return self._last

    def next_poll_at(self, started_at: datetime) -> datetime:
        """When the pass after the one that started then is due."""
        return self._pacing.next_poll_at(
            started_at,
            now=self._clock(),
            error=self._work.stopped_by,
            is_passing=self._errors.is_passing or not self._is_complete,
            stats=self._github.connection.stats,
        )

    def _is_token_refused(self, now: datetime) -> bool:
        """Whether GitHub refused the token lately, and there is no other one.

        Asking again with it could get the address blocked. A token file is read anew
        before each pass, so that a new token is used at once.
        """
        path = self._config.token_file
        if path and self._github.connection.reload_token(path):
            log.info("A new token is used from %s", path)
            return False
        if self._last is None or not isinstance(self._work.stopped_by, Unauthorized):
            return False
        return utc(now - NO_ACCESS_WAIT) < self._last.finished_at

    def _is_due(self, feed: Feed, now: datetime) -> bool:
        # A restart asks again at once: the settings or the token may have been mended.
        is_resting = not self._is_first_pass and (feed.retry_at or "") > utc(now)
        is_asked = feed.workflow != EVERY_WORKFLOW
        return is_asked and not is_resting and feed.key not in self._errors.failed

    async def _catch_up(self, until: datetime | None, on_progress: Progress) -> None:
        """Fetch older pages of the feeds that miss some, one page of each in turn."""
        total = len(self._watch.feeds())
        while self._work.stopped_by is None:
            behind = [
                feed
                for feed in feeds.to_backfill(self._db)
                if self._is_due(feed, self._clock())
            ]
            on_progress(total - len(behind), total)
            if not behind or (until is not None and self._clock() >= until):
                return
            await self._work.each(behind, self._lists.fetch_older)

    def _note_written(self, feed: Feed, written: int) -> None:
        self._count_written(written)
        if written:
            log.info("%s: %d run%s", feed, written, "" if written == 1 else "s")

    def _count_written(self, written: int) -> None:
        self._written += written

    def _result(self, started_at: datetime, feed_count: int) -> PollResult:
        stats = self._github.connection.stats
        limit, error = stats.rate_limit, self._work.stopped_by
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
