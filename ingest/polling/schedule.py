"""The schedule: when the next pass is due, and which quiet feeds wait for it.

It only decides: `loop` waits, and `poller` polls.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zlib import crc32

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import (
    GitHubError,
    GitHubUnreachable,
    RateLimited,
    Unauthorized,
)
from ci_observer.ingest.github.credentials import EVERY_ACCOUNT
from ci_observer.ingest.github.http_messages import AccountStats, RequestStats
from ci_observer.ingest.polling.run_lists import RunList, feeds_of
from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import NEVER

# Repeated 404s and 401s can get the address blocked:
# https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
NO_ACCESS_WAIT = timedelta(hours=1)
# Items of an account that has to rest leave the limits of a pass to others.
STOPPED_WAIT = timedelta(minutes=1)
# The extra wait doubles if the limit is hit again right after a wait, up to an hour.
LIMITED_AGAIN_WAIT = timedelta(minutes=1)
MAX_DOUBLINGS = 6
# Longer waits come from a wrong clock, here or at GitHub.
MAX_LIMIT_WAIT = timedelta(days=1)
LIMIT_WINDOW = timedelta(hours=1)
# After a temporary error, the next pass comes once after this share of the refresh
# interval, so that a feed that is polled in every second pass does not become stale.
RETRY_SHARE = 0.5
# Passes are spread out when less than this share of the rate limit is left.
SCARCE_SHARE = 0.1

QUIET_AFTER = timedelta(days=14)
# Quiet feeds skip no pass if that would delay them longer than this.
MAX_QUIET_WAIT = timedelta(minutes=5)
# The duration of three requests that fail.
RETRY_DURATION = timedelta(seconds=5)


@dataclass
class PassSchedule:
    """Decides when the next pass of this process is due.

    An account with a spent or scarce rate limit, or a refused token, rests while the
    others are polled: `rests` has its wait after the last pass. When all have to rest,
    the pass itself waits for the first of them.
    """

    config: Config
    limited_in_a_row: Counter[str] = field(default_factory=Counter)
    is_retry: bool = False
    rests: dict[str, timedelta] = field(default_factory=dict)

    def schedule_next(
        self,
        elapsed: timedelta,
        *,
        now: datetime,
        stopped: Mapping[str, GitHubError | None],
        is_temporary: bool,
        stats: RequestStats,
        resting: Mapping[str, timedelta] | None = None,
    ) -> timedelta:
        """The wait after a pass that began `elapsed` ago.

        `stopped` has the errors that stopped requests in that pass, by account.
        `resting` are the remaining waits of accounts that sent none. `is_temporary`: an
        error of a feed or of the database may be over soon. It is a duration, so that
        setting the clock cannot change it.
        """
        error = stopped.get(EVERY_ACCOUNT)
        interval = self._take_interval(error, is_temporary=is_temporary)
        usual = max(timedelta(0), interval - elapsed)
        known = {**dict.fromkeys(stats.by_account), **stopped}
        waits = {
            account: self._wait_of(account, stopped.get(account), stats, now)
            for account in known
            if account not in (resting or {})
        } | dict(resting or {})
        # Requests of all accounts are sent after this wait, so it has no rest.
        of_all = waits.pop(EVERY_ACCOUNT, timedelta(0))
        wait = max(usual, of_all, min(waits.values(), default=timedelta(0)))
        self.rests = {a: rest for a, rest in waits.items() if rest > timedelta(0)}
        return wait

    def _wait_of(
        self,
        account: str,
        error: GitHubError | None,
        stats: RequestStats,
        now: datetime,
    ) -> timedelta:
        """How long an account has to rest; 0 if nothing is wrong."""
        if isinstance(error, RateLimited):
            doublings = min(self.limited_in_a_row[account], MAX_DOUBLINGS)
            self.limited_in_a_row[account] += 1
            extra = LIMITED_AGAIN_WAIT * ((1 << doublings) - 1)
            return min(error.retry_at - now, MAX_LIMIT_WAIT) + extra
        self.limited_in_a_row[account] = 0
        # A file with the secret is read before each pass, without a request.
        has_file = self.config.token_file or self.config.app_key_file
        is_refused = isinstance(error, Unauthorized)
        if is_refused and not (has_file and account == EVERY_ACCOUNT):
            return NO_ACCESS_WAIT
        return self._spread(stats.by_account.get(account, AccountStats()), now)

    def _take_interval(
        self, error: GitHubError | None, *, is_temporary: bool
    ) -> timedelta:
        """The refresh interval; shorter after a temporary error, every second time."""
        may_retry = is_temporary or isinstance(error, GitHubUnreachable)
        self.is_retry = may_retry and not self.is_retry
        refresh = timedelta(seconds=self.config.refresh_seconds)
        return refresh * RETRY_SHARE if self.is_retry else refresh

    def _spread(self, stats: AccountStats, now: datetime) -> timedelta:
        """The wait with which the rest of the rate limit lasts until its reset.

        0 while the rest is not scarce. Otherwise the time until the reset, times the
        cost of the last pass, divided by the rest. A 304 is free with a token only:
        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
        """
        limit = stats.rate_limit
        if limit is None or limit.remaining >= SCARCE_SHARE * limit.limit:
            return timedelta(0)
        has_token = self.config.token or self.config.app_id
        free = stats.not_modified if has_token else 0
        cost = max(1, stats.requests - free)
        until_reset = min(max(timedelta(0), limit.reset_at - now), LIMIT_WINDOW)
        return until_reset * cost / max(limit.remaining, 1)


class QuietFeedSchedule:
    """Polls quiet feeds in alternating halves, every second pass.

    A tile becomes stale three refresh intervals after the last response. So a list may
    skip a pass only if two attempts remain in time: the next pass, and its retry after
    `RETRY_SHARE` of an interval.
    """

    def __init__(self, config: Config, db: Database) -> None:
        self._db = db
        self._refresh = timedelta(seconds=config.refresh_seconds)
        self._passes = 0
        self._last_at: datetime | None = None

    def take_due(self, lists: Sequence[RunList], started_at: datetime) -> list[RunList]:
        """The lists to poll in the pass that starts now, least recently checked first.

        All of them in the first pass. A repository's list skips a pass only if all of
        its feeds are quiet.
        """
        skipped = self._skipped(lists, started_at)
        self._passes += 1
        self._last_at = started_at
        # A spent rate limit drops the last ones; they come first in the next pass.
        return sorted(
            (run_list for run_list in lists if run_list not in skipped),
            key=lambda run_list: run_list.checked_at or "",
        )

    def _skipped(self, lists: Sequence[RunList], started_at: datetime) -> set[RunList]:
        """The lists that can wait for the next pass."""
        if self._last_at is None or 2 * self._refresh > MAX_QUIET_WAIT:
            return set()
        # Assume that the next pass is as late as this one.
        step = max(self._refresh, started_at - self._last_at)
        retry = self._refresh * RETRY_SHARE + RETRY_DURATION
        max_age = feeds.stale_after(self._db) - step - retry
        quiet = feeds.quiet(self._db, since=started_at - QUIET_AFTER)
        return {
            run_list
            for run_list in lists
            if not self._is_in_half(run_list)
            and quiet.issuperset(feed.key for feed in feeds_of(run_list))
            and started_at - _checked_at(run_list) < max_age
        }

    def _is_in_half(self, run_list: RunList) -> bool:
        """Whether a list belongs to the half that this pass polls."""
        return (self._passes + crc32(str(run_list).encode())) % 2 == 0


def _checked_at(run_list: RunList) -> datetime:
    text = run_list.checked_at
    return datetime.fromisoformat(text) if text else NEVER
