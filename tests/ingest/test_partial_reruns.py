"""The jobs that a partial re-run kept belong to its attempt, too."""

import asyncio

import pytest
from page_reader import get_page
from polling import FILE, REPO
from sqlite_utils import Database
from web_client import serving

from ci_observer.demo.server.model import JobSpec
from ci_observer.ingest.db.migrations import migrations

pytestmark = pytest.mark.usefixtures("no_waiting", "wall_clock")


@pytest.fixture
def failed_run(world, github, ingest):
    """A polled run of three jobs; `build` failed."""
    jobs = tuple(JobSpec(name) for name in ("build", "test", "deploy"))
    world.add_workflow(REPO, FILE, jobs=jobs)
    run = world.add_run(REPO, FILE)
    world.set_jobs(run, [job(1, 1, "build", "failure"), job(2, 1, "test", "success")])
    world.update_run(run, conclusion="failure")
    ingest.poll()
    return run


def job(job_id, attempt, name, conclusion):
    return {
        "id": job_id,
        "run_attempt": attempt,
        "name": name,
        "status": "completed",
        "conclusion": conclusion,
        "started_at": "2026-03-02T08:00:00Z",
        "completed_at": f"2026-03-02T08:0{job_id}:00Z",
        "steps": [{"name": f"Step of {name}", "conclusion": conclusion}],
    }


def rerun(world, github, run, conclusion, *jobs):
    github.advance(60)
    world.rerun(run)
    github.advance(60)
    world.set_jobs(run, list(jobs))
    world.update_run(run, conclusion=conclusion)


def failed(db: Database):
    return db.execute(
        "select last_result_run_attempt, failed_job, failed_step, failed_jobs from wall"
    ).fetchone()


@pytest.mark.parametrize("repeated", [[], [(3, 2, "test", "success")]])
def test_a_failed_job_that_was_kept_is_named(
    world, github, ingest, db, failed_run, repeated
):
    kept = job(1, 1, "build", "failure")
    rerun(world, github, failed_run, "failure", kept, *(job(*j) for j in repeated))

    ingest.poll()

    assert failed(db) == (2, "build", "Step of build", 1)


def test_a_kept_failed_job_is_named_on_the_workflow_s_page(
    world, github, ingest, db_path, failed_run
):
    kept = job(1, 1, "build", "failure")
    rerun(world, github, failed_run, "failure", kept, job(3, 2, "test", "success"))
    ingest.poll()

    async def text() -> str:
        async with serving(db_path) as datasette:
            page = await get_page(datasette, f"/workflows/{REPO}/{FILE}")
        return str(page.text)

    assert "Step of build" in asyncio.run(text())


def test_a_job_that_was_repeated_does_not_count_for_the_later_attempt(
    world, github, ingest, db, failed_run
):
    rerun(
        world,
        github,
        failed_run,
        "failure",
        job(2, 1, "test", "success"),
        job(3, 2, "build", "success"),
        job(4, 2, "deploy", "failure"),
    )

    ingest.poll()

    assert failed(db) == (2, "deploy", "Step of deploy", 1)
    assert db.execute(
        "select job_id, run_attempt, last_attempt from jobs order by 1"
    ).fetchall() == [(1, 1, 1), (2, 1, 2), (3, 2, 2), (4, 2, 2)]


def test_a_kept_job_is_not_fetched_again_in_each_pass(
    world, github, ingest, db, failed_run
):
    rerun(world, github, failed_run, "failure", job(1, 1, "build", "failure"))
    ingest.poll()
    github.log.clear()
    world.update_run(failed_run, display_title="Another title")

    ingest.poll()

    assert not [entry for entry in github.log if entry.path.endswith("/jobs")]


def test_an_upgrade_tells_kept_jobs_by_their_names():
    """A job was kept until a later attempt has another job of its name."""
    db = Database(memory=True)
    migrations.apply(db, stop_before="m140_last_attempts_of_jobs")
    db["jobs"].insert_all(
        {"job_id": n, "run_id": 7, "run_attempt": attempt, "name": name}
        for n, (attempt, name) in enumerate(
            [(1, "build"), (1, "test"), (1, "deploy"), (2, "test"), (3, "deploy")]
        )
    )

    migrations.apply(db)

    found = db.execute("select name, run_attempt, last_attempt from jobs order by 1, 2")
    assert found.fetchall() == [
        ("build", 1, 3),
        ("deploy", 1, 2),
        ("deploy", 3, 3),
        ("test", 1, 1),
        ("test", 2, 3),
    ]
