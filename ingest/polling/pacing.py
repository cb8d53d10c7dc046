"""When the next pass is due: after the refresh, a limit's wait, or a token's."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import (
    GitHubError,
    GitHubUnreachable,
    RateLimited,
    Unauthorized,
)
from ci_observer.ingest.github.connection import RequestStats

# Repeated 404s and 401s can get the address blocked:
# https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
NO_ACCESS_WAIT = timedelta(hours=1)
# A limit that is hit again right after its wait asks for growing ones, up to an hour.
LIMITED_AGAIN_WAIT = timedelta(minutes=1)
MOST_DOUBLINGS = 6
# After a fault that may pass, the next pass comes after this part of the refresh, once:
# so that a feed that was asked every second time is not stale by then.
SOONER = 0.5
# When less than this share of the rate limit is left, polling stretches.
SCARCE = 0.1


@dataclass
class Pacing:
    """Decides the waits of one process; told how each pass ended."""

    config: Config
    limited_in_a_row: int = 0
    is_sooner: bool = False

    def next_poll_at(
        self,
        started_at: datetime,
        *,
        now: datetime,
        error: GitHubError | None,
        is_passing: bool,
        stats: RequestStats,
    ) -> datetime:
        """When the pass after the one that started then, and ended so, is due.

        `error` ended it; `is_passing` says that some feed's error, or the database's,
        may be over soon.
        """
        usual = max(now, started_at + self._refresh(error, is_passing=is_passing))
        if isinstance(error, RateLimited):
            doublings = min(self.limited_in_a_row, MOST_DOUBLINGS)
            self.limited_in_a_row += 1
            more = LIMITED_AGAIN_WAIT * ((1 << doublings) - 1)
            return max(usual, error.retry_at + more)
        self.limited_in_a_row = 0
        # A token file is looked at before each pass, which costs nothing.
        if isinstance(error, Unauthorized) and not self.config.token_file:
            return max(usual, now + NO_ACCESS_WAIT)
        return max(usual, now + self._stretch(stats, now))

    def _refresh(self, error: GitHubError | None, *, is_passing: bool) -> timedelta:
        is_fault = is_passing or isinstance(error, GitHubUnreachable)
        self.is_sooner = is_fault and not self.is_sooner
        refresh = timedelta(seconds=self.config.refresh_seconds)
        return refresh * SOONER if self.is_sooner else refresh

    def _stretch(self, stats: RequestStats, now: datetime) -> timedelta:
        """How long to wait so that what is left of the rate limit lasts to its reset.

        Nothing while a tenth of it is left; then as long as one pass like the last one
        may take of the time, by what it cost. Without a token GitHub charges 304s too.
        """
        limit = stats.rate_limit
        if limit is None or limit.remaining >= SCARCE * limit.limit:
            return timedelta(0)
        free = stats.not_modified if self.config.token else 0
        cost = max(1, stats.requests - free)
        return max(timedelta(0), limit.reset_at - now) * cost / max(limit.remaining, 1)
