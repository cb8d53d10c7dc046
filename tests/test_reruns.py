"""Re-runs of runs that are far below their feed's newest page."""

from datetime import timedelta

import pytest
from polling import FILE, REPO, add_runs, revision, the_feed

pytestmark = pytest.mark.usefixtures("no_waiting")

TEN_MINUTES = 600
DAY = 86_400


@pytest.fixture
def old_run(world, ingest, github):
    """A failed run on page 4 of a feed whose history is complete."""
    add_runs(world, 130)
    run = world.add_run(
        REPO, FILE, conclusion="failure", created_at=world.now - timedelta(hours=125)
    )
    ingest.poll()
    ingest.poll()
    github.log.clear()
    return run


def states(db, run):
    return db.execute(
        "select run_attempt, status, conclusion from runs where run_id = ?", [run.id]
    ).fetchall()


def test_a_rerun_that_is_running_is_found_within_ten_minutes(
    world, github, ingest, db, old_run
):
    world.rerun(old_run)
    world.update_run(old_run, status="in_progress")
    github.advance(TEN_MINUTES)
    ingest.poll()
    assert states(db, old_run) == [(2, "in_progress", None)]

    github.advance(60)
    world.update_run(old_run, conclusion="success")
    ingest.poll()

    assert states(db, old_run) == [(2, "completed", "success")]
    kept = db.execute(
        "select run_attempt, conclusion from run_attempts where run_id = ?",
        [old_run.id],
    ).fetchall()
    assert kept == [(1, "failure"), (2, "success")]


def test_a_rerun_that_ended_unseen_is_found_within_a_day(
    world, github, ingest, db, old_run
):
    world.rerun(old_run)
    world.update_run(old_run, conclusion="success")
    for _ in range(25):
        github.advance(3600)
        ingest.poll()

    assert states(db, old_run) == [(2, "completed", "success")]


def test_a_quiet_day_costs_nothing(world, github, ingest, db, old_run):
    """The walk back, the lists of what is in progress, restarts: all are 304."""
    github.advance(DAY)
    ingest.poll()
    github.log.clear()
    number = int(revision(db))
    for _ in range(2):
        github.advance(DAY / 2)
        ingest.restart()
        ingest.poll()

    assert {entry.status for entry in github.log} == {304}
    assert not any(entry.charged for entry in github.log)
    # Stale after the hours without a poll, and fresh again.
    assert int(revision(db)) == number + 2


def test_the_walk_goes_back_as_far_as_runs_can_be_re_run(
    world, github, ingest, db, old_run
):
    github.advance(DAY)
    world.add_run(REPO, FILE)
    github.log.clear()
    ingest.poll(catch_up_until=github.clock())

    assert the_feed(db).backfill_until == (
        (github.clock() - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    ingest.poll()
    assert the_feed(db).backfill_until is None


@pytest.mark.parametrize("fault", ["empty_list", "partial"])
def test_a_lagging_index_takes_nothing_back(world, github, ingest, db, old_run, fault):
    world.rerun(old_run)
    world.update_run(old_run, status="in_progress")
    github.advance(TEN_MINUTES)
    ingest.poll()
    before = states(db, old_run)
    github.faults.add(fault, path="status=", count=None)
    github.advance(TEN_MINUTES)
    ingest.poll()

    assert states(db, old_run) == before


@pytest.mark.parametrize("fault", ["forbidden", "not_found", "wrong_type"])
def test_a_refused_list_is_no_feed_s_error(world, github, ingest, old_run, fault):
    github.faults.add(fault, path="status=", count=None)
    github.advance(TEN_MINUTES)

    assert ingest.poll().feeds_failed == 0
    asked = [entry for entry in github.log if "status" in entry.query]
    ingest.poll()
    assert [entry for entry in github.log if "status" in entry.query] == asked


def test_without_a_token_what_is_in_progress_is_not_listed(world, github, ingest):
    """Each list would be charged, of 60 requests an hour."""
    add_runs(world, 3)
    ingest.restart(token=None)
    for _ in range(3):
        ingest.poll()
        github.advance(TEN_MINUTES)

    assert [entry for entry in github.log if "status" in entry.query] == []
