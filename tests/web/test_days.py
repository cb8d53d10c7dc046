"""The day of a run in the instance's time zone, and statistics by day."""

import pytest
from archive import NOW, save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from tiles import FEED, RUNNING, rerun, row_of, rows_of, run

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import instance


def in_timezone(db: Database, timezone: str) -> None:
    watch(db, FEED)
    config = Config(repos=("acme/api",), workflows=("ci.yml",), timezone=timezone)
    instance.save_settings(db, config, version="0.1.0", now=NOW)


@pytest.mark.parametrize(
    ("timezone", "started_at", "day"),
    [
        ("UTC", "2026-03-01T00:00:00Z", "2026-03-01"),
        ("UTC", "2026-02-28T23:59:59Z", "2026-02-28"),
        # In New York clocks go forward on 8 March and back on 1 November.
        ("America/New_York", "2026-03-08T04:59:59Z", "2026-03-07"),
        ("America/New_York", "2026-03-08T05:00:00Z", "2026-03-08"),
        ("America/New_York", "2026-03-09T03:59:59Z", "2026-03-08"),
        ("America/New_York", "2026-03-09T04:00:00Z", "2026-03-09"),
        ("America/New_York", "2026-11-01T03:59:59Z", "2026-10-31"),
        ("America/New_York", "2026-11-01T04:00:00Z", "2026-11-01"),
        ("America/New_York", "2026-11-02T04:59:59Z", "2026-11-01"),
        ("America/New_York", "2026-11-02T05:00:00Z", "2026-11-02"),
        # Midnight itself is skipped here, on 26 April 2024.
        ("Africa/Cairo", "2024-04-25T21:59:59Z", "2024-04-25"),
        ("Africa/Cairo", "2024-04-25T22:00:00Z", "2024-04-26"),
        ("Asia/Kathmandu", "2026-03-01T18:14:59Z", "2026-03-01"),
        ("Asia/Kathmandu", "2026-03-01T18:15:00Z", "2026-03-02"),
        ("Pacific/Kiritimati", "2026-03-01T10:00:00Z", "2026-03-02"),
        ("Pacific/Pago_Pago", "2026-03-01T10:59:59Z", "2026-02-28"),
    ],
)
def test_a_run_is_on_its_day_in_the_instances_timezone(db, timezone, started_at, day):
    in_timezone(db, timezone)
    save_runs(
        db,
        run_payload(
            created_at=started_at, run_started_at=started_at, updated_at=started_at
        ),
    )

    assert row_of(db, "run_days", "day") == (day,)


@pytest.mark.parametrize(
    ("timezone", "day"),
    [
        ("UTC", "2026-03-01"),
        ("Pacific/Kiritimati", "2026-03-02"),
        ("Asia/Tokyo", "2026-03-02"),
        ("America/New_York", "2026-03-01"),
    ],
)
def test_today_is_the_day_in_the_instances_timezone(db, timezone, day):
    in_timezone(db, timezone)

    assert row_of(db, "today", "day", "timezone") == (day, timezone)


def test_a_rerun_counts_on_the_day_of_its_latest_attempt(db):
    watch(db, FEED)
    first = {**times("12:00"), "created_at": "2026-02-20T12:00:00Z"}
    save_runs(db, run_payload(**first, run_attempt=2))

    assert row_of(db, "run_days", "day") == ("2026-03-01",)


def test_the_daily_failure_rate_ignores_runs_that_are_not_decisive(db):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "09:00", minutes=4),
        run(2, "10:00", minutes=8),
        run(3, "11:00", "failure"),
        run(4, "11:10", "timed_out", event="pull_request"),
        run(5, "11:20", "startup_failure", minutes=0),
        run(6, "11:30", "cancelled"),
        run(7, "11:40", "skipped", minutes=0),
        run(8, "11:50", "neutral"),
        run(9, "12:00", "action_required", minutes=0),
        run(10, "12:10", minutes=0),
        run(11, "12:20", **RUNNING),
        rerun(12, "08:00", "13:00", "success"),
        run(13, "12:30", run_attempt=2, **RUNNING),
    )

    assert rows_of(db, "select * from run_stats_daily") == [
        {
            "day": "2026-03-01",
            "repo": "acme/api",
            "workflow": "ci.yml",
            "runs": 11,
            "successes": 4,
            "failures": 3,
            "cancelled": 1,
            "failure_rate": 0.4286,
            "rerun": 1,
            "average_duration_seconds": 360.0,
        }
    ]


def test_a_day_without_a_decisive_run_has_no_failure_rate(db):
    watch(db, FEED)
    save_runs(db, run(1, "09:00", "cancelled"), run(2, "10:00", "skipped"))

    assert row_of(
        db, "run_stats_daily", "runs", "failure_rate", "average_duration_seconds"
    ) == (2, None, None)


def test_a_day_with_only_a_null_conclusion_counts_zeros(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", None))

    assert row_of(
        db, "run_stats_daily", "runs", "successes", "failures", "cancelled"
    ) == (1, 0, 0, 0)
