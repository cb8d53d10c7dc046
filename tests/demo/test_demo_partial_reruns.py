"""A partial re-run keeps jobs, which carry the number of their own attempt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from demo_client import FILE, REPO, RUNS

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.model import JobSpec, Run
from ci_observer.demo.server.world import World

NAMES = ("build", "test", "deploy")


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    """A workflow of three jobs, whose only run has failed."""
    world = World("2026-03-02T09:00:00Z")
    world.add_workflow(REPO, FILE, jobs=tuple(JobSpec(name) for name in NAMES))
    world.add_run(REPO, FILE, conclusion="failure", duration=90)
    with GitHubServer(world) as server:
        server.advance(600)
        yield server


@pytest.fixture
def run(github: GitHubServer) -> Run:
    return github.world.workflow(REPO, FILE).runs[0]


def jobs_of(client: httpx.Client, run: Run, path: str = "/jobs") -> list[Any]:
    return list(client.get(f"{RUNS}/{run.id}{path}").json()["jobs"])


def states(jobs: list[Any]) -> dict[str, tuple[int, str | None]]:
    return {job["name"]: (job["run_attempt"], job["conclusion"]) for job in jobs}


def failed_name(jobs: list[Any]) -> str:
    [name] = [job["name"] for job in jobs if job["conclusion"] == "failure"]
    return str(name)


def test_a_whole_rerun_keeps_no_job(
    client: httpx.Client, github: GitHubServer, run: Run
) -> None:
    github.world.rerun(run)
    github.world.update_run(run, conclusion="success")

    assert states(jobs_of(client, run)) == dict.fromkeys(NAMES, (2, "success"))


def test_failed_jobs_run_again_and_others_are_kept(
    client: httpx.Client, github: GitHubServer, run: Run
) -> None:
    before = jobs_of(client, run)
    good = [job for job in before if job["conclusion"] == "success"]
    github.world.rerun(run, only_failed=True)
    github.advance(60)
    github.world.update_run(run, conclusion="success")
    after = jobs_of(client, run)

    assert [job for job in after if job["run_attempt"] == 1] == good
    assert {job["conclusion"] for job in after} == {"success"}
    assert [job["name"] for job in after] == list(NAMES)
    ids = {job["id"] for job in after} & {job["id"] for job in before}
    assert ids == {job["id"] for job in good}


def test_a_failed_job_is_kept_when_another_runs_again(
    client: httpx.Client, github: GitHubServer, run: Run
) -> None:
    failed = failed_name(jobs_of(client, run))
    other = next(name for name in NAMES if name != failed)
    github.world.rerun(run, jobs=(other,))
    github.advance(60)
    github.world.update_run(run, conclusion="failure")

    shown = states(jobs_of(client, run))
    assert shown[failed] == (1, "failure")
    assert shown[other] == (2, "success")
    assert states(jobs_of(client, run, "/attempts/1/jobs"))[failed] == (1, "failure")


def test_kept_jobs_stay_while_the_attempt_waits(
    client: httpx.Client, github: GitHubServer, run: Run
) -> None:
    failed = failed_name(jobs_of(client, run))
    github.world.rerun(run, jobs=(failed,))

    shown = states(jobs_of(client, run))
    assert shown.pop(failed) == (2, None)
    assert {attempt for attempt, _ in shown.values()} == {1}


def test_a_job_is_kept_through_many_attempts(
    client: httpx.Client, github: GitHubServer, run: Run
) -> None:
    for _ in range(3):
        github.world.rerun(run, jobs=("deploy",))
        github.world.update_run(run, conclusion="success")

    attempts = [attempt for attempt, _ in states(jobs_of(client, run)).values()]
    assert attempts == [1, 1, 4]


def test_each_execution_is_listed_once(
    client: httpx.Client, github: GitHubServer, run: Run
) -> None:
    github.world.rerun(run, jobs=("test",))
    github.world.update_run(run, conclusion="success")
    executions = [
        (job["name"], job["run_attempt"])
        for job in jobs_of(client, run, "/jobs?filter=all")
    ]

    assert sorted(executions) == [("build", 1), ("deploy", 1), ("test", 1), ("test", 2)]


def test_annotations_belong_to_the_attempt_of_the_job(
    client: httpx.Client, github: GitHubServer
) -> None:
    run = github.world.add_run(REPO, FILE, cancel_cause="timeout", duration=5500)
    [job] = [job for job in jobs_of(client, run) if job["conclusion"] == "cancelled"]
    other = next(name for name in NAMES if name != job["name"])
    github.world.rerun(run, jobs=(other,))
    github.world.update_run(run, conclusion="cancelled")
    path = f"/repos/{REPO}/check-runs/{job['id']}/annotations"

    assert jobs_of(client, run)[NAMES.index(job["name"])] == job
    assert "maximum execution time of 45m0s" in client.get(path).json()[0]["message"]


def test_partial_reruns_start_over_http(client: httpx.Client, run: Run) -> None:
    options = {"run_id": run.id, "rerun": True, "jobs": ["test"]}
    client.post("/_sim/run", json=options)

    assert states(jobs_of(client, run))["build"][0] == 1


def test_a_rerun_of_no_job_is_refused(github: GitHubServer, run: Run) -> None:
    with pytest.raises(ValueError, match="no job"):
        github.world.rerun(run, jobs=("tea",))
