"""Failures in zero seconds for an event that the workflow does not have."""

import json

import pytest
from archive import save_runs, watch
from sqlite_utils import Database
from tiles import FEED, INVALID, rerun, run, state, tile

from ci_observer.ingest.store.jobs import save_jobs
from ci_observer.ingest.store.pending import PendingItem

AT_ONCE = INVALID | {"minutes": 0}


@pytest.fixture
def db(db: Database) -> Database:
    watch(db, FEED)
    return db


def test_a_phantom_failure_is_shown_apart_and_not_as_the_last_result(db):
    save_runs(
        db,
        run(1, "10:00", event="schedule"),
        run(2, "11:00", **AT_ONCE),
        run(3, "12:00", **AT_ONCE),
    )

    assert state(db) == ("untested", "passing", None, None)
    assert tile(db, "untested_reason", "untested_runs", "untested_run_id") == (
        "phantom",
        2,
        3,
    )
    assert tile(db, "run_id", "streak", "success_rate", "is_flaky") == (1, 1, 1, 0)
    assert tile(db, "phantom_failures", "phantom_run_id", "phantom_html_url") == (
        2,
        3,
        "https://github.com/acme/api/actions/runs/3",
    )
    assert [item["run_id"] for item in json.loads(tile(db, "strip")[0])] == [1]


def test_a_phantom_leaves_a_failing_tile_failing(db):
    save_runs(
        db, run(1, "10:00", "failure", event="schedule"), run(2, "11:00", **AT_ONCE)
    )

    assert state(db) == ("failing", "failing", None, None)
    assert tile(db, "phantom_failures", "untested_reason") == (1, None)


def test_a_startup_failure_is_never_a_phantom(db):
    failed = AT_ONCE | {"conclusion": "startup_failure"}
    save_runs(db, run(1, "10:00", event="schedule"), run(2, "11:00", **failed))

    assert state(db) == ("failing", "failing", None, "invalid_file")
    assert tile(db, "phantom_failures") == (0,)


def test_a_run_with_jobs_is_never_a_phantom(db):
    save_runs(db, run(1, "10:00", event="schedule"), run(2, "11:00", **AT_ONCE))
    assert tile(db, "tile_state") == ("untested",)
    job = {"id": 1, "run_attempt": 1, "conclusion": "failure"}
    save_jobs(db, PendingItem("jobs", 2, 1, None, *FEED), [job])

    assert tile(db, "tile_state", "last_result_run_id") == ("failing", 2)
    assert tile(db, "phantom_failures") == (0,)


def test_phantoms_before_the_last_result_are_not_counted(db):
    save_runs(db, run(1, "10:00", **AT_ONCE), run(2, "11:00", event="schedule"))

    assert tile(db, "last_result", "streak", "phantom_failures") == ("passing", 1, 0)


def test_a_failure_of_an_event_that_the_workflow_has_is_no_phantom(db):
    save_runs(
        db,
        run(1, "10:00", event="schedule"),
        run(2, "11:00"),
        run(3, "12:00", **AT_ONCE),
    )

    assert state(db) == ("failing", "failing", None, "invalid_file")
    assert tile(db, "phantom_failures") == (0,)


def test_a_workflow_that_never_started_has_no_phantoms_but_an_invalid_file(db):
    save_runs(db, run(1, "10:00", **AT_ONCE), run(2, "11:00", **AT_ONCE))

    assert state(db) == ("failing", "failing", None, "invalid_file")
    assert tile(db, "streak", "phantom_failures") == (2, 0)


def test_the_first_run_of_the_event_makes_phantoms_failures(db):
    save_runs(db, run(1, "10:00", event="schedule"), run(2, "11:00", **AT_ONCE))
    assert tile(db, "last_result", "phantom_failures") == ("passing", 1)

    save_runs(db, run(3, "12:00", status="in_progress", conclusion=None))

    assert state(db) == ("failing", "failing", "running", "invalid_file")


def test_a_rerun_that_fails_in_no_time_is_no_phantom(db):
    save_runs(db, run(1, "10:00", event="schedule"), run(2, "11:00", "failure"))
    save_runs(db, rerun(2, "11:00", "12:00", "startup_failure", minutes=0))

    assert tile(db, "last_result", "last_result_run_attempt", "phantom_failures") == (
        "failing",
        2,
        0,
    )


def test_an_event_with_a_run_that_took_time_long_ago_has_no_phantoms(db):
    save_runs(db, run(1, "08:00"))
    save_runs(db, *(run(n, f"09:{n:02}", event="schedule") for n in range(2, 60)))
    save_runs(db, run(60, "12:00", **AT_ONCE))

    assert state(db) == ("failing", "failing", None, "invalid_file")


def test_an_attempt_that_took_time_counts_after_a_rerun_in_no_time(db):
    save_runs(db, run(1, "10:00", event="schedule"), run(2, "11:00", "failure"))
    save_runs(db, rerun(2, "11:00", "11:30", "startup_failure", minutes=0))
    save_runs(db, run(3, "12:00", **AT_ONCE))

    assert tile(db, "last_result", "streak", "phantom_failures") == ("failing", 2, 0)
