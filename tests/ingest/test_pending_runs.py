"""Requests for single runs, earlier attempts and jobs: the table `pending`."""

from datetime import timedelta

import pytest
from polling import FILE, REPO, add_runs, revision, run_ids

pytestmark = pytest.mark.usefixtures("no_waiting")


def older(world, hours, **fields):
    """A run created `hours` ago. 30 newer ones push it off the newest page."""
    return world.add_run(
        REPO, FILE, created_at=world.now - timedelta(hours=hours), **fields
    )


def push_off_the_page(world, github):
    for _ in range(31):
        github.advance(1)
        world.add_run(REPO, FILE, duration=0)


def conclusion(db, run):
    [[value]] = db.execute("select conclusion from runs where run_id = ?", [run.id])
    return value


def attempts(db, run):
    return db.execute(
        "select run_attempt, conclusion from run_attempts where run_id = ?"
        " order by run_attempt",
        [run.id],
    ).fetchall()


def statuses(github, run):
    return [entry.status for entry in github.log if entry.path.endswith(str(run.id))]


def test_a_run_that_left_the_newest_page_is_followed_until_it_is_finished(
    world, github, ingest, db
):
    run = world.add_run(REPO, FILE, status="in_progress")
    ingest.poll()
    push_off_the_page(world, github)
    ingest.poll()
    world.update_run(run, conclusion="failure")

    ingest.poll()

    assert conclusion(db, run) == "failure"
    github.log.clear()
    ingest.poll()
    assert statuses(github, run) == []


def test_requests_for_an_unchanged_run_are_free(world, github, ingest, db):
    run = world.add_run(REPO, FILE, status="in_progress")
    push_off_the_page(world, github)
    for _ in range(3):
        ingest.poll()

    assert statuses(github, run) == [200, 304, 304]


def test_open_runs_on_the_newest_page_are_not_requested(world, github, ingest):
    """Not even after a backfill, which lists them again."""
    add_runs(world, 40)
    runs = [world.add_run(REPO, FILE, status="in_progress") for _ in range(12)]
    for _ in range(3):
        ingest.poll()

    assert [status for run in runs for status in statuses(github, run)] == []


@pytest.mark.parametrize("files", [(FILE,), (FILE, "deploy.yml"), ("*",)])
def test_a_second_run_of_once_costs_nothing(world, github, ingest, db, files):
    for file in (FILE, "deploy.yml"):
        for age in range(130):
            older(
                world,
                age,
                conclusion="failure" if age % 3 else "success",
                head_branch="main",
            )
        world.rerun(world.add_run(REPO, file))
        world.add_run(REPO, file, status="in_progress")
    ingest.restart(workflows=files)
    ingest.poll()
    github.log.clear()
    before = revision(db)

    ingest.restart()
    ingest.poll()

    assert {entry.status for entry in github.log} == {304}
    assert not any(entry.charged for entry in github.log)
    assert revision(db) == before


def test_an_unfinished_run_of_a_backfill_is_followed(world, github, ingest, db):
    run = older(world, 50, status="in_progress")
    add_runs(world, 40)
    ingest.poll()
    world.update_run(run, conclusion="success")

    ingest.poll()

    assert conclusion(db, run) == "success"


def test_a_run_that_github_has_deleted_stays_and_is_not_requested_again(
    world, github, ingest, db
):
    run = world.add_run(REPO, FILE, status="in_progress")
    push_off_the_page(world, github)
    ingest.poll()
    world.remove_run(run)
    for _ in range(3):
        ingest.poll()

    assert statuses(github, run) == [200, 404, 404]
    assert run.id in run_ids(db)


def test_a_run_that_is_unfinished_for_longer_than_35_days_is_given_up(
    world, github, ingest, db
):
    run = older(world, 34 * 24, status="in_progress")
    push_off_the_page(world, github)
    ingest.poll()
    github.advance(86_400)
    ingest.poll()
    github.log.clear()
    ingest.poll()

    assert statuses(github, run) == []
    assert [row[0] for row in db.execute("select run_id from pending")] == [run.id]
    assert run.id in run_ids(db)


def test_a_run_on_the_newest_page_is_given_up_too(world, github, ingest, db):
    run = older(world, 34 * 24, status="in_progress")
    ingest.poll()
    before = revision(db)
    github.advance(2 * 86_400)
    ingest.poll()

    given_up = "select run_id from pending where kind = 'run' and gone_at is not null"
    assert db.execute(given_up).fetchall() == [(run.id,)]
    assert int(revision(db)) > int(before)

    # A page that lists the run is no reason to follow it; a re-run is.
    world.add_run(REPO, FILE)
    ingest.poll()
    assert db.execute(given_up).fetchall() == [(run.id,)]
    github.advance(60)
    world.rerun(run)
    ingest.poll()
    assert db.execute(given_up).fetchall() == []


def test_an_error_for_one_run_is_no_error_of_its_feed(world, github, ingest, db):
    run = world.add_run(REPO, FILE, status="in_progress")
    push_off_the_page(world, github)
    github.faults.add("server_error", path=str(run.id), count=None)

    assert ingest.poll().feeds_failed == 0
    github.faults.clear()
    world.update_run(run, conclusion="success")
    ingest.poll()

    assert conclusion(db, run) == "success"


def test_attempts_that_a_rerun_replaced_before_a_poll_are_fetched(
    world, github, ingest, db
):
    run = world.add_run(REPO, FILE, conclusion="failure")
    for result in ("failure", "success"):
        github.advance(60)
        world.rerun(run)
        github.advance(60)
        world.update_run(run, conclusion=result)

    ingest.poll()

    assert attempts(db, run) == [(1, "failure"), (2, "failure"), (3, "success")]
    number = revision(db)
    github.log.clear()
    ingest.poll()
    assert [entry.status for entry in github.log] == [304]
    assert revision(db) == number


def test_an_attempt_seen_running_that_a_rerun_replaced_has_its_end_fetched(
    world, github, ingest, db
):
    run = world.add_run(REPO, FILE, status="in_progress")
    ingest.poll()
    github.advance(30)
    world.update_run(run, conclusion="failure")
    github.advance(10)
    world.rerun(run)

    ingest.poll()

    assert attempts(db, run) == [(1, "failure"), (2, None)]
    github.log.clear()
    ingest.poll()
    assert [e.path for e in github.log if "/attempts/" in e.path] == []


def test_an_attempt_that_looks_unfinished_is_requested_twice(world, github, ingest, db):
    run = world.add_run(REPO, FILE, status="in_progress")
    world.rerun(run)
    world.update_run(run, conclusion="success")
    for _ in range(4):
        ingest.poll()

    assert [e.status for e in github.log if "/attempts/1" in e.path] == [200, 200]
    assert attempts(db, run) == [(1, None), (2, "success")]


def test_an_attempt_that_github_has_deleted_is_requested_once(
    world, github, ingest, db
):
    run = world.add_run(REPO, FILE, conclusion="failure")
    world.rerun(run)
    world.update_run(run, conclusion="success")
    github.faults.add("not_found", path="/attempts/1", count=None)
    for _ in range(3):
        ingest.poll()

    assert [e.status for e in github.log if "/attempts/" in e.path] == [404]
    assert attempts(db, run) == [(2, "success")]


def jobs(db):
    return db.execute(
        "select run_id, run_attempt, conclusion, failed_step is not null from jobs"
        " where conclusion = 'failure'"
    ).fetchall()


def test_a_failure_on_the_default_branch_shows_its_job_and_step(
    world, github, ingest, db
):
    run = world.add_run(REPO, FILE, conclusion="failure")

    ingest.poll()

    assert jobs(db) == [(run.id, 1, "failure", 1)]
    [[job, step]] = db.execute("select failed_job, failed_step from wall")
    assert (job, step) == tuple(
        db.execute(
            "select name, failed_step from jobs where conclusion = 'failure'"
        ).fetchone()
    )


@pytest.mark.parametrize(
    ("fetch_jobs", "requests"), [("failed", 1), ("all", 4), ("none", 0)]
)
def test_jobs_are_fetched_for_the_runs_that_the_setting_selects(
    world, github, ingest, db, fetch_jobs, requests
):
    world.add_run(REPO, FILE, conclusion="failure")
    world.add_run(REPO, FILE, conclusion="success")
    world.add_run(REPO, FILE, conclusion="failure", head_branch="feature")
    world.add_run(REPO, FILE, conclusion="failure", event="pull_request")
    ingest.restart(fetch_jobs=fetch_jobs)
    for _ in range(2):
        ingest.poll()

    listed = [entry for entry in github.log if entry.path.endswith("/jobs")]
    assert len(listed) == requests


def test_the_jobs_of_a_failed_rerun_are_stored_too(world, github, ingest, db):
    run = world.add_run(REPO, FILE, conclusion="failure")
    ingest.poll()
    world.rerun(run)
    ingest.poll()
    github.advance(60)
    world.update_run(run, conclusion="failure")
    ingest.poll()

    assert {row[1] for row in jobs(db)} == {1, 2}


def test_a_failure_in_zero_seconds_has_its_jobs_fetched(world, github, ingest, db):
    """A run with jobs is no phantom."""
    world.add_run(REPO, FILE)
    run = world.add_run(REPO, FILE, conclusion="failure", event="release", duration=0)
    ingest.poll()

    assert [e.path for e in github.log if e.path.endswith(f"{run.id}/jobs")]


def test_jobs_follow_once_the_default_branch_is_known(world, github, ingest, db):
    run = world.add_run(REPO, FILE, conclusion="failure")
    github.faults.add("server_error", path=f"/repos/{REPO}$", count=None)
    ingest.poll()
    assert jobs(db) == []

    github.faults.clear()
    ingest.poll()

    assert jobs(db) == [(run.id, 1, "failure", 1)]


def test_the_jobs_on_a_new_default_branch_are_fetched(world, github, ingest, db):
    run = world.add_run(REPO, FILE, conclusion="failure", head_branch="trunk")
    ingest.poll()
    assert jobs(db) == []

    world.repos[REPO].default_branch = "trunk"
    world.revision += 1
    github.advance(86_400)
    ingest.poll()

    assert jobs(db) == [(run.id, 1, "failure", 1)]
