"""The view `polling`: whether GitHub is polled, and if not, the reason."""

from datetime import timedelta
from typing import Any

import pytest
from archive import NOW, save_owner_error, set_clock, watch
from sqlite_utils import Database
from tiles import FEED, row_of

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import feeds, instance
from ci_observer.ingest.store.keys import Owner
from ci_observer.ingest.times import utc

SECOND = timedelta(seconds=1)
PAIRS = tuple((f"acme/{name}", "ci.yml") for name in ("api", "web", "app"))


def polled(db: Database, kind: str | None = None, now=NOW) -> None:
    instance.save_poll(
        db,
        {
            "started_at": utc(now),
            "finished_at": utc(now),
            "feeds": 1,
            "feeds_failed": int(kind is not None),
            "requests": 1,
            "not_modified": 0,
            "runs_written": 0,
            "rate_limit": 5000,
            "rate_limit_remaining": 4000,
            "rate_limit_reset_at": utc(now),
            "error": kind and f"It is {kind}.",
            "error_kind": kind,
        },
    )


def start(db: Database, **settings: Any) -> None:
    """Save the settings as a start of ingest does."""
    config = Config(repos=("acme/*",), workflows=("*",), **settings)
    instance.save_settings(db, config, version="0.1.0", now=NOW)


def save_error(db: Database, repo: str, error: str, *, now=NOW) -> None:
    [feed] = feeds.watched(db, repo)
    feeds.save_error(db, feed, error=error, kind="unavailable", now=now, retry_at=None)


def polling(db: Database) -> tuple[Any, ...]:
    return row_of(db, "polling", "state", "reason", "is_healthy")


def test_a_database_that_nothing_polled_into_says_so(db):
    assert polling(db) == (
        "off",
        "Nothing has polled into this database yet. Start ci-observer ingest.",
        0,
    )


def test_polling_that_is_off_on_purpose_is_healthy(db):
    instance.save_settings(db, Config(), version="0.1.0", now=NOW)

    state, reason, is_healthy = polling(db)

    assert (state, is_healthy) == ("off", 1)
    assert reason.startswith("GH_REPOS and GH_WORKFLOWS are empty")


def test_the_first_poll_is_starting(db):
    start(db)
    feeds.save_watched(db, [FEED])

    assert polling(db) == ("starting", "The first poll is under way.", 0)


def test_polling_is_ok_after_a_good_poll(db):
    watch(db, FEED)
    polled(db)

    assert polling(db) == ("ok", None, 1)
    assert row_of(db, "polling", "last_success_at", "rate_limit_remaining") == (
        utc(NOW),
        4000,
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("unauthorized", "unauthorized"),
        ("rate_limited", "rate_limited"),
        ("unreachable", "offline"),
        ("unavailable", "offline"),
        ("surprising", "offline"),
    ],
)
def test_a_failed_poll_has_a_reason_and_is_healthy_while_data_are_fresh(
    db, kind, expected
):
    watch(db, FEED, now=NOW - timedelta(seconds=60))
    polled(db, now=NOW - timedelta(seconds=60))
    polled(db, kind)

    assert polling(db) == (expected, f"It is {kind}.", 1)
    set_clock(db, NOW + timedelta(seconds=120))
    assert polling(db) == (expected, f"It is {kind}.", 0)


def test_polling_is_stale_when_ingest_has_died(db):
    watch(db, FEED)
    polled(db)
    instance.save_next_poll(db, NOW + timedelta(seconds=60))

    set_clock(db, NOW + timedelta(seconds=179))
    assert polling(db) == ("ok", None, 1)
    set_clock(db, NOW + timedelta(seconds=239))
    reason = "No good response from GitHub since 2026-03-01T18:00:00Z."
    assert polling(db) == ("failed", reason, 0)
    set_clock(db, NOW + timedelta(seconds=240))
    assert polling(db) == ("stale", "The ingest process has stopped polling.", 0)


def test_a_long_wait_for_the_rate_limit_is_not_stale(db):
    watch(db, FEED)
    polled(db, "rate_limited")
    instance.save_next_poll(db, NOW + timedelta(hours=1))

    set_clock(db, NOW + timedelta(minutes=59))
    assert polling(db) == ("rate_limited", "It is rate_limited.", 0)


def test_a_pass_in_which_every_feed_failed_is_no_success(db):
    watch(db, *PAIRS, now=NOW - timedelta(seconds=60))
    polled(db)
    for repo, _ in PAIRS:
        save_error(db, repo, "GitHub has a problem (502).")
    reason = "3 of 3 workflows: GitHub has a problem (502)."

    assert polling(db) == ("failed", reason, 1)
    set_clock(db, NOW + timedelta(seconds=120))
    assert polling(db) == ("failed", reason, 0)
    assert row_of(db, "polling", "last_success_at", "feeds", "stale_feeds") == (
        utc(NOW - timedelta(seconds=60)),
        3,
        3,
    )


def test_the_reason_is_the_most_frequent_error(db):
    watch(db, *PAIRS, now=NOW - timedelta(hours=1))
    save_owner_error(db, Owner("gone"))
    polled(db)
    for repo, _ in PAIRS[:2]:
        save_error(db, repo, "GitHub has a problem (502).")
    save_error(db, PAIRS[2][0], "Another error.")

    assert polling(db) == (
        "failed",
        "2 of 4 workflows: GitHub has a problem (502).",
        0,
    )


def test_a_feed_that_rests_stays_failed_in_passes_that_request_nothing(db):
    watch(db, FEED, now=NOW - timedelta(hours=1))
    save_error(db, FEED[0], "Not found (404).")
    polled(db)

    assert polling(db) == ("failed", "1 of 1 workflow: Not found (404).", 0)


def test_an_error_of_an_older_page_hides_no_good_response(db):
    watch(db, FEED)
    polled(db)
    save_error(db, FEED[0], "GitHub has a problem (502).")

    assert polling(db) == ("ok", None, 1)


def test_stale_feeds_are_counted_while_others_are_fresh(db):
    watch(db, *PAIRS)
    save_owner_error(db, Owner("gone"))
    [feed, *_] = feeds.watched(db)
    feeds.save_checked(db, feed, NOW - timedelta(hours=1))
    polled(db)

    assert polling(db) == ("ok", None, 1)
    assert row_of(db, "polling", "feeds", "stale_feeds") == (4, 2)


def test_without_a_feed_there_is_no_success(db):
    start(db)
    polled(db)

    assert polling(db) == ("failed", "No workflow to watch was found yet.", 0)


@pytest.mark.parametrize(
    ("refresh", "stale"), [(5, 120), (40, 120), (41, 123), (60, 180)]
)
def test_data_are_not_stale_before_a_slow_request_has_ended(db, refresh, stale):
    watch(db, FEED)
    start(db, refresh_seconds=refresh)
    polled(db)

    set_clock(db, NOW + timedelta(seconds=stale) - SECOND)
    assert polling(db) == ("ok", None, 1)
    set_clock(db, NOW + timedelta(seconds=stale))
    assert polling(db)[::2] == ("stale", 0)


def test_times_in_the_future_prove_nothing(db):
    watch(db, FEED)
    polled(db)
    instance.save_next_poll(db, NOW + timedelta(seconds=60))

    set_clock(db, NOW - timedelta(seconds=10))
    assert polling(db) == ("ok", None, 1)
    set_clock(db, NOW - timedelta(seconds=11))
    state, reason, is_healthy = polling(db)
    assert (state, is_healthy) == ("stale", 0)
    assert reason.startswith("The clock was set back")
    assert row_of(db, "polling", "last_success_at", "stale_feeds") == (None, 1)


def test_after_the_clock_was_set_back_the_next_pass_corrects_the_times(db):
    watch(db, *PAIRS, now=NOW + timedelta(hours=10))
    polled(db, now=NOW + timedelta(hours=10))
    [feed, *_] = feeds.watched(db)
    feeds.save_checked(db, feed, NOW)
    polled(db)
    instance.save_next_poll(db, NOW + timedelta(seconds=60))

    assert polling(db) == ("ok", None, 1)
    assert row_of(db, "polling", "last_success_at", "stale_feeds") == (utc(NOW), 2)


def test_an_ingest_that_died_between_two_passes_is_noticed_after_three_refreshes(db):
    watch(db, FEED)
    start(db, refresh_seconds=5)
    instance.save_poll_start(db, NOW - SECOND)
    polled(db)
    instance.save_next_poll(db, NOW + 5 * SECOND)

    set_clock(db, NOW + 19 * SECOND)
    assert polling(db) == ("ok", None, 1)
    set_clock(db, NOW + 20 * SECOND)
    assert polling(db) == ("stale", "The ingest process has stopped polling.", 1)


def test_a_pass_under_way_may_wait_for_a_slow_request(db):
    watch(db, FEED)
    start(db, refresh_seconds=5)
    polled(db)
    instance.save_next_poll(db, NOW + 5 * SECOND)
    instance.save_poll_start(db, NOW + 5 * SECOND)

    set_clock(db, NOW + 119 * SECOND)
    assert polling(db) == ("ok", None, 1)
