"""Approvals and concurrency groups are told apart from waiting for a runner."""

from datetime import timedelta

import pytest
from polling import FILE, REPO, poll
from sqlite_utils import Database

from ci_observer.demo.server.model import JobSpec
from ci_observer.ingest.store import waits
from ci_observer.ingest.store.waits import Wait

pytestmark = pytest.mark.usefixtures("no_waiting", "wall_clock")

PIPELINE = (
    JobSpec("test", needs=()),
    JobSpec("docs", needs=()),
    JobSpec("production", needs=("test",), environment=True),
)


@pytest.fixture
def ingest(ingest):
    ingest.restart(fetch_jobs="default-branch")
    return ingest


def go_through(world, github, ingest, run, *statuses, polls=2):
    """Change the run's status every few polls, and complete it at last."""
    for status in statuses:
        poll(ingest, github, times=polls)
        github.advance(20)
        world.update_run(run, status=status)
    poll(ingest, github, times=polls)
    github.advance(20)
    world.update_run(run, conclusion="success")
    poll(ingest, github, times=2)


def waited_for(db: Database) -> dict[str, str | None]:
    return dict(db.execute("select name, waited_for from jobs").fetchall())


def test_an_approval_is_told_from_the_queue_of_a_runner(world, github, ingest, db):
    world.add_workflow(REPO, FILE, jobs=PIPELINE)
    run = world.add_run(REPO, FILE, status="queued")
    go_through(
        world, github, ingest, run, "in_progress", "waiting", "queued", "in_progress"
    )

    assert waited_for(db) == {"test": None, "docs": None, "production": "approval"}
    [[seconds, reason]] = db.execute("select queue_seconds, waited_for from runs")
    assert (seconds > 60, reason) == (True, None)
    [wait] = db["waits"].rows
    assert wait["from_at"] < wait["until_at"]


def test_a_full_concurrency_group_is_a_wait_of_the_run(world, github, ingest, db):
    world.add_workflow(REPO, FILE, jobs=(JobSpec("test"),))
    run = world.add_run(REPO, FILE, status="pending")
    go_through(world, github, ingest, run, "queued", "in_progress")

    assert waited_for(db) == {"test": None}
    assert db.execute("select waited_for from runs").fetchone() == ("concurrency",)
    assert db.execute("select waited_for from run_attempts").fetchone() == (
        "concurrency",
    )


def test_a_job_that_waits_for_its_group_is_marked(world, github, ingest, db):
    world.add_workflow(REPO, FILE, jobs=PIPELINE)
    run = world.add_run(REPO, FILE, status="pending")
    poll(ingest, github, times=2)
    job = {
        "id": 1,
        "name": "deploy",
        "status": "completed",
        "conclusion": "success",
        "runner_name": "box",
        "created_at": "2026-03-02T09:00:00Z",
        "started_at": "2026-03-02T09:04:00Z",
        "completed_at": "2026-03-02T09:05:00Z",
    }
    world.set_jobs(run, [job, job | {"id": 2, "started_at": "2026-03-02T09:00:09Z"}])
    github.advance(120)
    world.update_run(run, conclusion="success")
    poll(ingest, github, times=2)

    assert db.execute("select job_id, waited_for from jobs").fetchall() == [
        (1, "concurrency"),
        (2, None),
    ]


def test_a_wait_that_no_poll_has_seen_is_one_for_a_runner(world, github, ingest, db):
    world.add_workflow(REPO, FILE, jobs=PIPELINE)
    run = world.add_run(REPO, FILE, status="in_progress")
    poll(ingest, github)
    for status in ("waiting", "in_progress"):
        github.advance(300)
        world.update_run(run, status=status)
    github.advance(60)
    world.update_run(run, conclusion="success")
    poll(ingest, github, times=2)

    assert set(waited_for(db).values()) == {None}
    assert db["waits"].count == 0


def test_a_clock_ahead_of_github_s_hides_no_approval(world, github, ingest, db):
    world.add_workflow(REPO, FILE, jobs=PIPELINE)

    ingest.clock = lambda: github.clock() + timedelta(minutes=10)
    ingest.restart()
    run = world.add_run(REPO, FILE, status="in_progress")
    go_through(world, github, ingest, run, "waiting", "in_progress")

    assert waited_for(db)["production"] == "approval"


def test_a_later_attempt_has_waits_of_its_own(world, github, ingest, db):
    world.add_workflow(REPO, FILE, jobs=(JobSpec("test"),))
    run = world.add_run(REPO, FILE, status="pending")
    go_through(world, github, ingest, run, "queued", "in_progress")
    world.rerun(run)
    go_through(world, github, ingest, run, "in_progress")

    found = db.execute("select run_attempt, waited_for from run_attempts order by 1")
    assert found.fetchall() == [(1, "concurrency"), (2, None)]
    assert db.execute("select waited_for from runs").fetchone() == (None,)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param("08:59:58", "09:30:04", "approval", id="the job that waited"),
        pytest.param("09:10:00", "09:30:04", "approval", id="one that waited later"),
        pytest.param("08:59:58", "09:00:07", None, id="one that ran at once"),
        pytest.param("09:10:00", "09:10:06", None, id="one that ran meanwhile"),
        pytest.param("09:29:00", "09:45:00", None, id="one that began at its end"),
        pytest.param("09:31:00", "09:32:00", None, id="one after it"),
        pytest.param("09:00:04", "09:29:57", "approval", id="clocks differ"),
    ],
)
def test_a_job_waited_if_its_queue_covers_the_wait(start, end, expected):
    day = "2026-03-02T"
    wait = Wait(1, f"{day}09:00:00Z", "approval", f"{day}09:30:00Z")
    job = {
        "run_attempt": 1,
        "created_at": f"{day}{start}Z",
        "started_at": f"{day}{end}Z",
        "queue_seconds": 1,
    }

    assert waits.reason([wait], job) == expected
    assert waits.reason([wait], job | {"run_attempt": 2}) is None
    assert waits.reason([wait], job | {"queue_seconds": None}) is None
