"""Unfinished runs newer than a tile's last result."""

import pytest
from archive import save_runs, watch
from tiles import FEED, RUNNING, run, state, tile


@pytest.mark.parametrize(
    ("status", "activity"),
    [
        ("in_progress", "running"),
        ("queued", "queued"),
        ("requested", "queued"),
        ("waiting", "waiting"),
        ("pending", "waiting"),
        ("dreaming", "unfinished"),
    ],
)
def test_a_newer_unfinished_run_shows_over_the_last_result(db, status, activity):
    watch(db, FEED)
    save_runs(
        db,
        run(1, "12:00"),
        run(2, "17:00", None, status=status),
        run(3, "17:01", "skipped"),
    )

    assert state(db) == ("passing", "passing", activity, None)
    assert tile(db, "run_id", "status", "last_result_run_id") == (2, status, 1)


def test_a_run_that_awaits_approval_is_held(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"), run(2, "17:00", "action_required", minutes=0))

    assert state(db) == ("passing", "passing", "held", None)


def test_a_first_run_in_progress_is_unknown_and_running(db):
    watch(db, FEED)
    save_runs(db, run(1, "17:00", **RUNNING))

    assert state(db) == ("unknown", "unknown", "running", None)


def test_an_unfinished_run_that_is_older_than_the_last_result_is_no_activity(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00", **RUNNING), run(2, "17:00"))

    assert state(db) == ("passing", "passing", None, None)
