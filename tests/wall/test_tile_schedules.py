"""Overdue scheduled runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from archive import NOW, save_runs, set_clock, watch
from factories import run_payload
from sqlite_utils import Database
from tiles import FEED, scheduled, state, tile

from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import utc


def test_a_scheduled_run_is_overdue_after_twice_its_longest_gap_and_half_a_day(db):
    watch(db, FEED)
    save_runs(db, scheduled(25), scheduled(26), scheduled(27, hour=4))

    # Twice 25 hours, and 12 hours, after the 27th at 4.
    assert tile(db, "overdue_at", "alarm") == ("2026-03-01T18:00:00Z", "overdue")
    set_clock(db, NOW - timedelta(seconds=1))
    assert state(db) == ("passing", "passing", None, None)


def at(db: Database, now: datetime) -> tuple[Any, ...]:
    """The tile at a time when its feed has just been fetched."""
    db["feeds"].update(FEED, {"checked_at": utc(now)})
    set_clock(db, now)
    return tile(db, "tile_state", "alarm")


def nightly(db: Database) -> None:
    """Three nightly runs, overdue at `NOW`: 63 hours after the last."""
    watch(db, FEED)
    save_runs(db, scheduled(25), scheduled(26), scheduled(27, hour=4))


def pushed(number: int, day: int) -> dict[str, Any]:
    at = f"2026-03-{day:02}T12:00:00Z"
    return run_payload(number, created_at=at, run_started_at=at, updated_at=at)


def test_a_run_of_another_event_does_not_hide_that_the_schedule_is_overdue(db):
    nightly(db)
    save_runs(db, pushed(100, day=3), pushed(101, day=20))

    assert at(db, NOW + timedelta(days=2)) == ("overdue", "overdue")
    assert at(db, NOW + timedelta(days=20)) == ("overdue", "overdue")


def test_the_next_scheduled_run_ends_the_alarm(db):
    nightly(db)
    save_runs(db, run_payload(100, event="schedule"))

    assert tile(db, "tile_state", "alarm") == ("passing", None)
    assert tile(db, "no_scheduled_run_since") == (None,)


def test_a_schedule_is_overdue_for_30_days_and_then_only_named(db):
    nightly(db)
    end = NOW + timedelta(days=30)

    assert at(db, end - timedelta(seconds=1)) == ("overdue", "overdue")
    assert tile(db, "expires_at", "no_scheduled_run_since") == (utc(end), None)
    assert at(db, end) == ("passing", None)
    assert tile(db, "no_scheduled_run_since") == ("2026-02-27T04:00:00Z",)


def test_a_schedule_without_its_alarm_is_not_named_while_disabled(db):
    nightly(db)
    feeds.save_metadata(
        db,
        "acme/api",
        default_branch="main",
        workflows={"ci.yml": ("CI", "disabled_manually")},
        now=NOW,
    )

    assert at(db, NOW + timedelta(days=40)) == ("disabled", "disabled")
    assert tile(db, "no_scheduled_run_since") == (None,)


def test_a_rare_schedule_is_waited_for_longer(db):
    watch(db, FEED)
    starts = ["2025-01-01T00:00:00Z", "2025-07-01T00:00:00Z", "2026-01-01T00:00:00Z"]
    save_runs(
        db,
        *[
            run_payload(
                n, event="schedule", created_at=at, run_started_at=at, updated_at=at
            )
            for n, at in enumerate(starts, start=1)
        ],
    )

    # Half a year apart: late after a year, and then for 30 days.
    assert tile(db, "overdue_at") == ("2027-01-04T12:00:00Z",)
    assert at(db, datetime(2027, 2, 1, tzinfo=UTC)) == ("overdue", "overdue")
    assert at(db, datetime(2027, 2, 4, tzinfo=UTC)) == ("passing", None)


def test_two_scheduled_runs_are_no_history_to_be_overdue_by(db):
    watch(db, FEED)
    save_runs(db, scheduled(1), scheduled(2))

    assert tile(db, "overdue_at", "alarm") == (None, None)


def test_a_disabled_workflow_is_not_overdue_as_well(db):
    watch(db, FEED)
    save_runs(db, scheduled(1), scheduled(2), scheduled(3))
    feeds.save_metadata(
        db,
        "acme/api",
        default_branch="main",
        workflows={"ci.yml": ("CI", "disabled_inactivity")},
        now=NOW,
    )

    assert tile(db, "overdue_at", "alarm") == (None, "disabled")
