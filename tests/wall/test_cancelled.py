"""Cancelled runs: superseded, lost, or a failure that cancelled the rest of its run."""

import json
from typing import Any

import pytest
from archive import save_runs, watch
from polling import revision
from sqlite_utils import Database
from tiles import FEED, RUNNING, rerun, run, state, tile

from ci_observer.ingest.store.jobs import save_jobs
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.tiles import update_tiles


@pytest.fixture
def db(db: Database) -> Database:
    watch(db, FEED)
    return db


def jobs(db: Database, run_id: int, *conclusions: str, attempt: int = 1) -> None:
    """Store the jobs of an attempt, as fetching them would."""
    found = [
        {
            "id": 100 * run_id + 10 * attempt + number,
            "run_attempt": attempt,
            "name": f"job {number}",
            "status": "completed",
            "conclusion": conclusion,
            "completed_at": f"2026-03-01T12:0{number}:00Z",
            "steps": [{"name": "Test", "conclusion": conclusion}],
        }
        for number, conclusion in enumerate(conclusions)
    ]
    item = PendingItem("jobs", run_id, attempt, None, *FEED)
    save_jobs(db, item, found)


def cancel(
    db: Database, run_id: int, cause: str | None, person: str | None = None
) -> None:
    """Store why a run was cancelled, as reading its annotations would."""
    with db.atomic():
        for table in ("runs", "run_attempts"):
            db.execute(
                f"update {table} set cancel_cause = ?, cancelled_by = ?"  # noqa: S608
                " where run_id = ?",
                [cause, person, run_id],
            )
        update_tiles(db, [run_id])


def lost(db: Database) -> Any:
    return tile(db, "lost_run_id")[0]


def strip(db: Database, *keys: str) -> list[tuple[Any, ...]]:
    [text] = tile(db, "strip")
    return [tuple(item[key] for key in keys) for item in json.loads(text)]


# -- superseded and lost


@pytest.mark.parametrize("last_result", ["success", "failure"])
def test_the_newest_run_cancelled_keeps_the_last_result_and_is_lost(db, last_result):
    save_runs(db, run(1, "12:00", last_result), run(2, "13:00", "cancelled", minutes=3))

    assert tile(db, "last_result_run_id", "streak", "alarm", "activity") == (
        1,
        1,
        None,
        None,
    )
    assert tile(db, "lost_run_id", "lost_at", "lost_html_url") == (
        2,
        "2026-03-01T13:03:00Z",
        "https://github.com/acme/api/actions/runs/2",
    )


@pytest.mark.parametrize(
    "newer", [{}, {"conclusion": "failure"}, RUNNING, {"event": "schedule"}], ids=str
)
def test_a_cancelled_run_is_superseded_by_a_newer_one(db, newer):
    save_runs(
        db, run(1, "12:00"), run(2, "13:00", "cancelled"), run(3, "13:05", **newer)
    )
    cancel(db, 2, "superseded")

    assert lost(db) is None
    assert tile(db, "untested_reason") == (None,)
    assert strip(db, "run_id", "is_superseded") == [(1, False), (2, True), (3, False)]


def test_a_run_that_ended_before_the_newer_one_came_is_not_superseded(db):
    save_runs(
        db, run(1, "12:00"), run(2, "13:00", "cancelled"), run(3, "13:06", **RUNNING)
    )
    cancel(db, 2, "superseded")

    assert state(db) == ("untested", "passing", "running", None)
    assert tile(db, "untested_run_id", "lost_run_id") == (2, None)
    assert strip(db, "is_superseded") == [(False,)] * 3


@pytest.mark.parametrize(("cause", "person"), [("person", "ada"), (None, None)])
def test_only_github_s_word_makes_a_run_superseded(db, cause, person):
    save_runs(
        db, run(1, "12:00"), run(2, "13:00", "cancelled"), run(3, "13:01", **RUNNING)
    )
    cancel(db, 2, cause, person)

    assert state(db) == ("untested", "passing", "running", None)
    assert tile(db, "untested_run_id", "untested_runs", "cancelled_by") == (
        2,
        1,
        person,
    )


@pytest.mark.parametrize("conclusion", ["skipped", "neutral"])
def test_a_newer_run_that_tested_nothing_does_not_make_up_for_it(db, conclusion):
    save_runs(
        db,
        run(1, "12:00"),
        run(2, "13:00", "cancelled"),
        run(3, "13:01", conclusion),
    )
    cancel(db, 2, "superseded")

    assert lost(db) == 2
    assert strip(db, "is_superseded") == [(False,)] * 3


@pytest.mark.parametrize(
    "others",
    [
        {"head_branch": "other"},
        {"event": "pull_request"},
        {"head_repository": {"id": 9, "full_name": "someone/api"}},
    ],
    ids=str,
)
def test_a_run_of_something_else_does_not_make_up_for_it(db, others):
    save_runs(
        db, run(1, "12:00"), run(2, "13:00", "cancelled"), run(3, "13:01", **others)
    )
    cancel(db, 2, "superseded")

    assert lost(db) == 2


def test_of_two_cancelled_runs_the_newer_is_lost(db):
    save_runs(db, run(1, "12:00", "cancelled"), run(2, "12:01", "cancelled"))
    cancel(db, 1, "superseded")

    assert state(db) == ("unknown", "unknown", None, None)
    assert lost(db) == 2
    assert strip(db, "run_id", "is_superseded") == [(1, True), (2, False)]


def test_a_commit_that_the_last_result_tested_is_not_lost(db):
    same = {"head_sha": "a" * 40}
    save_runs(db, run(1, "12:00", **same), run(2, "13:00", "cancelled", **same))

    assert lost(db) is None


@pytest.mark.parametrize(
    ("first", "last_result"), [("success", "passing"), ("failure", "failing")]
)
def test_a_cancelled_rerun_loses_nothing(db, first, last_result):
    save_runs(db, run(1, "12:00", first))
    save_runs(db, rerun(1, "12:00", "13:00", "cancelled"))

    assert state(db) == (last_result, last_result, None, None)
    assert lost(db) is None
    assert strip(db, "conclusion", "result", "is_superseded") == [
        ("cancelled", last_result, False)
    ]


def test_a_rerun_of_an_older_run_does_not_make_up_for_it(db):
    save_runs(db, run(1, "12:00"), run(2, "13:00", "cancelled"))
    save_runs(db, rerun(1, "12:00", "14:00", "success"))

    assert lost(db) == 2


def test_each_run_of_the_strip_says_what_it_decided(db):
    save_runs(
        db,
        run(1, "12:00"),
        run(2, "13:00", "timed_out"),
        run(3, "14:00", "skipped"),
        run(4, "15:00", **RUNNING),
    )

    assert strip(db, "run_id", "result") == [
        (1, "passing"),
        (2, "failing"),
        (3, None),
        (4, None),
    ]


def test_runs_of_the_strip_have_a_cancel_cause_only_if_there_is_one(db):
    save_runs(
        db,
        run(1, "12:00"),
        run(2, "13:00", "cancelled"),
        run(3, "14:00", "cancelled"),
        run(4, "15:00", "cancelled"),
        run(5, "16:00", **RUNNING),
    )
    cancel(db, 2, "timeout")
    cancel(db, 3, "person", "ada")

    items = json.loads(tile(db, "strip")[0])

    assert [item.pop("cancel_cause", "absent") for item in items] == [
        "absent",
        "timeout",
        "person",
        "absent",
        "absent",
    ]
    # A null of another key is not left out.
    assert {tuple(item) for item in items} == {tuple(items[0])}
    assert items[4]["conclusion"] is None


# -- jobs


@pytest.mark.parametrize("failed", ["failure", "timed_out"])
def test_a_run_that_a_failed_job_cancelled_has_failed(db, failed):
    save_runs(db, run(1, "12:00"), run(2, "13:00", "cancelled"))
    before = revision(db)

    jobs(db, 2, "success", failed, "cancelled")

    assert state(db) == ("failing", "failing", None, None)
    assert tile(
        db, "last_result_run_id", "last_result_conclusion", "failed_job", "failed_jobs"
    ) == (
        2,
        "cancelled",
        "job 1",
        1,
    )
    assert lost(db) is None
    assert revision(db) != before


def test_a_run_that_a_person_cancelled_has_not_failed(db):
    save_runs(db, run(1, "12:00"), run(2, "13:00", "cancelled"))

    jobs(db, 2, "success", "cancelled", "skipped")

    assert state(db) == ("untested", "passing", None, None)
    assert lost(db) == 2


def test_a_run_that_timed_out_has_failed(db):
    save_runs(db, run(1, "12:00"), run(2, "13:00", "cancelled"))
    jobs(db, 2, "success", "cancelled", "cancelled")
    db.execute("update jobs set duration_seconds = 60 * (job_id % 10)")
    cancel(db, 2, "timeout")

    assert state(db) == ("failing", "failing", None, None)
    assert tile(
        db, "last_result_run_id", "last_result_conclusion", "last_result_cancel_cause"
    ) == (2, "cancelled", "timeout")
    assert tile(db, "failed_job", "timed_out_seconds") == ("job 2", 120)
    assert tile(db, "untested_reason", "lost_run_id") == (None, None)
    assert strip(db, "run_id", "result") == [(1, "passing"), (2, "failing")]


def test_a_failed_job_counts_for_its_own_attempt(db):
    save_runs(db, run(1, "12:00", "cancelled"))
    jobs(db, 1, "failure")
    save_runs(db, rerun(1, "12:00", "13:00", "success"))

    assert tile(db, "last_result", "last_result_run_attempt", "failed_jobs") == (
        "passing",
        2,
        None,
    )


def test_a_failure_whose_jobs_were_only_cancelled_names_no_step(db):
    save_runs(db, run(1, "12:00", "failure"))

    jobs(db, 1, "success", "cancelled")

    assert state(db) == ("failing", "failing", None, None)
    assert tile(db, "failed_job", "failed_step", "failed_jobs") == (None, None, 0)


def test_a_success_with_failed_jobs_says_how_many(db):
    save_runs(db, run(1, "12:00"))
    assert tile(db, "failed_jobs") == (None,)

    jobs(db, 1, "success", "failure", "failure")

    assert state(db) == ("passing", "passing", None, None)
    assert tile(db, "failed_jobs", "failed_job") == (2, None)
