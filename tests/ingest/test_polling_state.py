"""The view `polling`: whether GitHub is polled, and if not, the reason."""

from datetime import timedelta
from typing import Any

import pytest
from archive import NOW, set_clock, watch
from sqlite_utils import Database
from tiles import FEED, row_of

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import instance
from ci_observer.ingest.times import utc


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
    watch(db, FEED)

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
    watch(db, FEED)
    polled(db, now=NOW - timedelta(seconds=60))
    polled(db, kind)

    assert polling(db) == (expected, f"It is {kind}.", 1)
    set_clock(db, NOW + timedelta(seconds=120))
    assert polling(db) == (expected, f"It is {kind}.", 0)


def test_polling_is_stale_when_ingest_has_died(db):
    watch(db, FEED)
    polled(db)
    instance.save_next_poll(db, NOW + timedelta(seconds=60))

    set_clock(db, NOW + timedelta(seconds=239))
    assert polling(db)[0] == "ok"
    set_clock(db, NOW + timedelta(seconds=240))
    assert polling(db) == ("stale", "The ingest process has stopped polling.", 0)


def test_a_long_wait_for_the_rate_limit_is_not_stale(db):
    watch(db, FEED)
    polled(db, "rate_limited")
    instance.save_next_poll(db, NOW + timedelta(hours=1))

    set_clock(db, NOW + timedelta(minutes=59))
    assert polling(db) == ("rate_limited", "It is rate_limited.", 0)
