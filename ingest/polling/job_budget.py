"""How many requests of a pass may be spent on jobs that no tile needs.

Polling comes first: more than half of the limit is set aside for bursts and for other
users of the same limit, then the requests of the next passes. Jobs get the rest, spread
over the time until the limit is reset. Each pass computes it again from the headers, so
that other tools with the same token are seen by the rest of the limit.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ci_observer.ingest.github.http_messages import AccountStats, RequestStats
from ci_observer.ingest.times import Clock

# The share of the limit that is never spent on jobs. The errors of failed jobs, which a
# tile shows, are requested until half of the limit is left.
RESERVED = 0.6
WINDOW = timedelta(hours=1)
# GitHub allows 900 requests a minute of one kind:
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
MOST_A_SECOND = 5
# For a server without limits, such as GitHub Enterprise Server has by default.
UNLIMITED_A_SECOND = 1
# The weight of the newest pass in the average of what polling costs.
NEWEST_WEIGHT = 0.2


@dataclass
class JobBudget:
    """The requests for jobs that each account may send in a pass.

    `refresh` is the time between passes. `is_catching_up`: a command waits for the
    jobs, so all that is not set aside may be spent at once.
    """

    refresh: timedelta
    has_token: bool
    clock: Clock
    is_catching_up: bool = False
    _polling: dict[str, float] = field(default_factory=dict)
    _allowed: dict[str, float] = field(default_factory=dict)
    _spent_before: dict[str, int] = field(default_factory=dict)

    def start(self, stats: RequestStats) -> None:
        """Compute the budget of a pass, after its requests for polling."""
        for account, of in stats.by_account.items():
            self._spent_before[account] = of.requests
            if not of.requests:
                # What is left of its limit is not known.
                self._allowed[account] = 0
                continue
            cost = float(self._cost(of))
            usual = self._polling.get(account, cost)
            self._polling[account] = usual + NEWEST_WEIGHT * (cost - usual)
            # A share below 1 adds up over passes; unspent requests do not. A run with
            # many jobs takes several requests, which the next passes save again.
            rest = min(1.0, self._allowed.get(account, 0.0))
            share = self.share_of_pass(account, of)
            self._allowed[account] = rest + share if share else 0

    def left(self, account: str, stats: RequestStats) -> int:
        """The requests that an account may still send for jobs in this pass."""
        before = self._spent_before.get(account, 0)
        spent = stats.of(account).requests - before
        return int(self._allowed.get(account, 0.0)) - spent

    def end(self, stats: RequestStats) -> None:
        """Count what the pass has spent."""
        for account, allowed in self._allowed.items():
            spent = stats.of(account).requests - self._spent_before.get(account, 0)
            self._allowed[account] = allowed - spent

    def share_of_pass(self, account: str, of: AccountStats) -> float:
        """The requests for jobs in one pass, by the rate limit of an account."""
        seconds = self.refresh.total_seconds()
        if of.rate_limit is None:
            return UNLIMITED_A_SECOND * seconds
        passes = self._time_left(of.rate_limit.reset_at) / self.refresh
        set_aside = RESERVED * of.rate_limit.limit + self._polling[account] * passes
        spare = max(0.0, of.rate_limit.remaining - set_aside)
        share = spare if self.is_catching_up else spare / passes
        return min(share, MOST_A_SECOND * seconds)

    def _time_left(self, reset_at: datetime) -> timedelta:
        """The time until the reset; at least a pass."""
        return min(max(reset_at - self.clock(), self.refresh), WINDOW)

    def _cost(self, of: AccountStats) -> int:
        """The requests that count against the limit: a 304 is free with a token."""
        return of.requests - (of.not_modified if self.has_token else 0)
