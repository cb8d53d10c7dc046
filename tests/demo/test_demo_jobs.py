"""Jobs of the simulated GitHub: queue times, runners, steps and their order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from demo_client import FILE, REPO
from hypothesis import given
from hypothesis import strategies as st

from ci_observer.demo.scenario import lively_world
from ci_observer.demo.server.job_objects import job_objects
from ci_observer.demo.server.job_times import job_times
from ci_observer.demo.server.model import JobSpec, Run
from ci_observer.demo.server.world import World
from ci_observer.demo.times import as_utc

START = "2026-03-02T09:00:00Z"
PIPELINE = (
    JobSpec("lint", needs=(), share=0.3),
    JobSpec("test", ("Install", "Run", "Upload"), needs=(), fails_in=("Run",)),
    JobSpec("build", needs=("lint", "test"), labels=("self-hosted", "big")),
    JobSpec("production", environment=True),
)


@pytest.fixture
def world() -> World:
    world = World(START)
    world.add_workflow(REPO, FILE, jobs=PIPELINE)
    return world


def shown(world: World, run: Run, attempt: int = 1) -> dict[str, dict[str, Any]]:
    """The jobs of an attempt by their names."""
    version = run.attempt_at(attempt, world.now)
    assert version
    jobs = job_objects(run, version, world.now, world.sites)
    return {job["name"]: job for job in jobs}


def seconds(job: dict[str, Any], since: str, until: str) -> float:
    return (as_utc(job[until]) - as_utc(job[since])).total_seconds()


def test_jobs_run_in_parallel_and_after_those_that_they_need(world: World) -> None:
    run = world.add_run(REPO, FILE, duration=330)
    jobs = shown(world, run)

    assert jobs["lint"]["started_at"] == jobs["test"]["started_at"]
    assert jobs["build"]["created_at"] == jobs["test"]["completed_at"]
    assert jobs["production"]["created_at"] == jobs["build"]["completed_at"]
    assert jobs["production"]["completed_at"] == START
    assert seconds(jobs["test"], "started_at", "completed_at") == 110


def test_a_failed_step_ends_the_job_and_leaves_out_those_that_need_it(
    world: World,
) -> None:
    failures = [
        world.add_run(
            REPO,
            FILE,
            conclusion="failure",
            duration=600,
            created_at=as_utc(START) - timedelta(days=day),
        )
        for day in range(1, 30)
    ]
    jobs = next(jobs for run in failures if failed(jobs := shown(world, run), "test"))

    assert jobs["lint"]["conclusion"] == "success"
    assert jobs["build"]["conclusion"] == jobs["production"]["conclusion"] == "skipped"
    assert (jobs["build"]["steps"], jobs["build"]["runner_name"]) == ([], None)
    steps = {s["name"]: s["conclusion"] for s in jobs["test"]["steps"]}
    assert [steps[name] for name in ("Install", "Run", "Upload")] == [
        "success",
        "failure",
        "skipped",
    ]


def failed(jobs: dict[str, dict[str, Any]], name: str) -> bool:
    return bool(jobs[name]["conclusion"] == "failure")


def test_a_job_that_waits_for_an_approval_is_created_before_it(world: World) -> None:
    run = world.add_run(REPO, FILE, status="in_progress")
    for minute, status in ((4, "waiting"), (30, "in_progress"), (34, "completed")):
        world.advance_to(f"2026-03-02T09:{minute:02}:00Z")
        world.update_run(
            run,
            status=status,
            **({"conclusion": "success"} if status == "completed" else {}),
        )
    job = shown(world, run)["production"]

    assert seconds(job, "created_at", "started_at") == 26 * 60


def test_a_run_cancelled_in_the_queue_never_had_a_runner(world: World) -> None:
    run = world.add_run(REPO, FILE, status="queued")
    world.advance_to("2026-03-02T09:05:00Z")
    world.update_run(run, cancelled_by="ada")
    jobs = shown(world, run)

    assert {jobs[name]["conclusion"] for name in ("lint", "test")} == {"cancelled"}
    assert {jobs[name]["conclusion"] for name in ("build", "production")} == {"skipped"}
    assert {job["runner_name"] for job in jobs.values()} == {None}


def test_own_runners_have_their_labels_and_group(world: World) -> None:
    jobs = shown(world, world.add_run(REPO, FILE))

    assert jobs["build"]["labels"] == ["self-hosted", "big"]
    assert jobs["lint"]["runner_group_name"] == "GitHub Actions"


def test_the_lively_world_has_slow_and_own_runners() -> None:
    world = lively_world.build(START)
    queues: dict[str, list[float]] = {}
    for repo, file in (
        ("acme/web-store", "ci.yml"),
        ("acme/mobile-app", "ios.yml"),
        ("acme/data-pipeline", "nightly-etl.yml"),
    ):
        for run in world.workflow(repo, file).runs[:40]:
            for job in shown(world, run).values():
                if job["runner_id"]:
                    found = queues.setdefault(job["labels"][0], [])
                    found.append(seconds(job, "created_at", "started_at"))
    usual = {label: sorted(found)[len(found) // 2] for label, found in queues.items()}

    assert 1 < usual.pop("ubuntu-latest") < min(usual.values())
    assert set(usual) == {"windows-latest", "macos-15", "self-hosted"}
    assert max(map(max, queues.values())) > 120


@given(
    shares=st.lists(st.floats(0.1, 5), min_size=1, max_size=6),
    queues=st.lists(st.floats(0, 500), min_size=6, max_size=6),
    links=st.lists(st.integers(0, 5), min_size=6, max_size=6),
    length=st.floats(1, 5000),
)
def test_the_longest_path_is_as_long_as_the_attempt(
    shares: list[float], queues: list[float], links: list[int], length: float
) -> None:
    specs = [JobSpec(str(n), share=share) for n, share in enumerate(shares)]
    needs = {
        s.name: [str(links[n])] if links[n] < n else [] for n, s in enumerate(specs)
    }
    times = job_times(
        specs, needs, {s.name: queues[n] for n, s in enumerate(specs)}, length
    )

    assert max(t.completed for t in times.values()) == pytest.approx(length)
    for name, each in times.items():
        assert 0 <= each.created <= each.started < each.completed
        assert all(times[n].completed <= each.created for n in needs[name])
