"""How long the loop waits after a pass: never longer than GitHub can order."""

from datetime import timedelta

import pytest
from archive import NOW

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import GitHubError, RateLimited, Unauthorized
from ci_observer.ingest.github.credentials import EVERY_ACCOUNT
from ci_observer.ingest.github.headers import RateLimit
from ci_observer.ingest.github.http_messages import AccountStats, RequestStats
from ci_observer.ingest.polling.schedule import PassSchedule
from ci_observer.ingest.times import ClockWatch

HOUR = timedelta(hours=1)


def wait_after(
    error: GitHubError | None, *, stats: RequestStats | None = None, seconds: float = 1
) -> timedelta:
    return PassSchedule(Config(token="t")).schedule_next(  # noqa: S106 (made up)
        timedelta(seconds=seconds),
        now=NOW,
        stopped={EVERY_ACCOUNT: error},
        is_temporary=False,
        stats=stats or RequestStats(),
    )


@pytest.mark.parametrize(("seconds", "wait"), [(0, 60), (1, 59), (60, 0), (600, 0)])
def test_the_wait_is_the_rest_of_the_refresh_interval(seconds, wait):
    assert wait_after(None, seconds=seconds) == timedelta(seconds=wait)


@pytest.mark.parametrize(
    ("ordered", "wait"),
    [
        (-10 * HOUR, timedelta(seconds=59)),
        (HOUR, HOUR),
        (24 * HOUR, 24 * HOUR),
        (25 * HOUR, 24 * HOUR),
        (9000 * 24 * HOUR, 24 * HOUR),
    ],
)
def test_a_wait_for_the_rate_limit_is_at_most_a_day(ordered, wait):
    assert wait_after(RateLimited("Wait.", NOW + ordered)) == wait


def test_a_refused_token_is_tried_again_after_an_hour():
    assert wait_after(Unauthorized("Refused.")) == HOUR


@pytest.mark.parametrize(
    ("reset", "wait"), [(HOUR / 2, HOUR / 2), (HOUR, HOUR), (11 * HOUR, HOUR)]
)
def test_a_scarce_limit_is_spread_over_at_most_an_hour(reset, wait):
    """A clock that was set back makes its reset look further away."""
    limit = RateLimit(5000, 1, NOW + reset)
    stats = RequestStats({EVERY_ACCOUNT: AccountStats(requests=1, rate_limit=limit)})

    assert wait_after(None, stats=stats) == wait


def test_only_a_step_back_of_the_clock_is_noticed():
    now, timer = NOW, 0.0
    watch = ClockWatch(lambda: now, lambda: timer)
    seen = []
    # The machine slept, the clock is kept right, set back, and set forward again.
    for elapsed, step in ((60, 8000), (60, 55), (60, -36_000), (60, 60), (1, 36_000)):
        timer += elapsed
        now += timedelta(seconds=step)
        seen.append(watch.take_step_back())

    assert seen == [None, None, timedelta(seconds=36_060), None, None]
