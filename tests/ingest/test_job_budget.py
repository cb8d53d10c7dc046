"""Requests for jobs leave room for polling and for others with the same limit."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_observer.ingest.github.headers import RateLimit
from ci_observer.ingest.github.http_messages import AccountStats, RequestStats
from ci_observer.ingest.polling.job_budget import JobBudget

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = 3600


class Hour:
    """An hour of a rate limit, used by polling, by jobs and by another tool."""

    def __init__(self, limit: int, refresh: int, *, has_token: bool = True) -> None:
        self.limit = limit
        self.refresh = refresh
        self.now = NOW
        self.stats = RequestStats()
        self.used = self.jobs = self.refused = 0
        self.budget = JobBudget(timedelta(seconds=refresh), has_token, lambda: self.now)

    def run(self, polling: int, free: int = 0, others: int = 0) -> None:
        """Each pass polls with some requests, and wants any number of jobs."""
        for _ in range(HOUR // self.refresh):
            self.stats.reset()
            charged = polling - (free if self.budget.has_token else 0)
            self.refused += max(0, self.used + charged + others - self.limit)
            self.used += charged + others
            account = self.stats.of("")
            account.requests, account.not_modified = polling, free
            account.rate_limit = self.rate_limit()
            self.budget.start(self.stats)
            wanted = max(0, self.budget.left("", self.stats))
            account.requests += wanted
            self.used += wanted
            self.jobs += wanted
            self.budget.end(self.stats)
            self.now += timedelta(seconds=self.refresh)

    def rate_limit(self) -> RateLimit:
        remaining = max(0, self.limit - self.used)
        return RateLimit(self.limit, remaining, NOW + timedelta(seconds=HOUR))


def test_a_quiet_hour_leaves_a_share_for_jobs():
    hour = Hour(5000, 60)
    hour.run(polling=100, free=98)

    assert 1800 < hour.jobs <= 2000
    assert hour.refused == 0


def test_jobs_are_spread_over_the_hour():
    hour = Hour(5000, 60)
    hour.run(polling=100, free=98)
    first = hour.jobs
    again = Hour(5000, 60)
    account = again.stats.of("")
    account.requests, account.rate_limit = 2, again.rate_limit()
    again.budget.start(again.stats)
    assert again.budget.left("", again.stats) < first / 20


@given(
    limit=st.integers(60, 15_000),
    refresh=st.sampled_from((5, 30, 60, 300, 900)),
    polling=st.integers(1, 300),
    others=st.integers(0, 100),
)
def test_jobs_never_take_a_request_from_polling(limit, refresh, polling, others):
    """What polling and other tools need without jobs, they get with them."""
    passes = HOUR // refresh
    hour = Hour(limit, refresh)
    hour.run(polling=polling, others=others)
    needed = passes * (polling + others)

    if needed <= limit / 2:
        assert hour.refused == 0
    assert hour.jobs <= 0.4 * limit
    if passes * polling >= limit:
        assert hour.jobs == 0


def test_without_a_token_a_304_counts():
    hour = Hour(60, 60, has_token=False)
    hour.run(polling=1, free=1)
    assert hour.jobs == 0

    hour = Hour(60, 600, has_token=False)
    hour.run(polling=1, free=1)
    assert 5 <= hour.jobs <= 30
    assert hour.refused == 0


def test_a_small_share_adds_up():
    hour = Hour(500, 5)
    hour.run(polling=1, free=1)

    assert 150 < hour.jobs <= 200


def test_runs_with_many_jobs_are_paid_by_the_next_passes():
    hour = Hour(5000, 60)
    account = hour.stats.of("")
    account.requests, account.rate_limit = 1, hour.rate_limit()
    hour.budget.start(hour.stats)
    account.requests += 100
    hour.budget.end(hour.stats)
    hour.stats.reset()
    account.requests = 1
    hour.budget.start(hour.stats)

    assert hour.budget.left("", hour.stats) < 0


def test_an_account_without_a_response_gets_nothing():
    budget = JobBudget(timedelta(seconds=60), has_token=True, clock=lambda: NOW)
    stats = RequestStats({"acme": AccountStats(), "beta": AccountStats(requests=3)})
    budget.start(stats)

    assert budget.left("acme", stats) <= 0
    # A server without limits.
    assert budget.left("beta", stats) == 60


@pytest.mark.parametrize("late", [-5, 0, 10_000])
def test_a_reset_in_the_past_or_far_away_is_no_error(late):
    hour = Hour(5000, 60)
    hour.now = NOW + timedelta(seconds=HOUR + late)
    hour.run(polling=2)

    assert hour.jobs <= 2000
