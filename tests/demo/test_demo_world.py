"""The scripted world: GitHub's view of the changes that a test makes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from demo_client import FILE, REPO, payload

from ci_observer.demo.scenario import synthetic_world
from ci_observer.demo.server.job_objects import job_objects
from ci_observer.demo.server.model import MISSING, NULL, Run, Sites
from ci_observer.demo.server.run_objects import run_object
from ci_observer.demo.server.world import World
from ci_observer.demo.times import SettableClock, as_utc, iso


def shown(world: World, run: Run) -> dict[str, Any]:
    """The run as the API would send it now."""
    version = run.version_at(world.now)
    assert version is not None
    return run_object(run, version, world.sites)


def test_a_run_is_a_success_of_a_minute_by_default() -> None:
    world = World("2026-03-02T09:00:00Z")
    body = shown(world, world.add_run(REPO, FILE))

    assert (body["status"], body["conclusion"]) == ("completed", "success")
    assert body["created_at"] == body["run_started_at"] == "2026-03-02T08:59:00Z"
    assert body["updated_at"] == "2026-03-02T09:00:00Z"
    assert (body["head_branch"], body["run_number"]) == ("main", 1)
    assert body["path"] == ".github/workflows/ci.yml"


def test_any_key_can_be_set_or_left_out() -> None:
    world = World()
    run = world.add_run(
        REPO, FILE, name=None, actor=None, head_commit=None, logs_url=MISSING
    )
    body = shown(world, run)

    assert (body["name"], body["actor"], body["head_commit"]) == (None, None, None)
    assert body["triggering_actor"] is None
    assert "logs_url" not in body


def test_a_bot_has_the_addresses_of_its_app() -> None:
    world = World()
    run = world.add_run(REPO, FILE, actor="dependabot[bot]", triggering_actor="ada")
    body = shown(world, run)
    bot, person = body["actor"], body["triggering_actor"]

    assert (bot["login"], bot["type"]) == ("dependabot[bot]", "Bot")
    assert bot["url"] == "https://api.github.com/users/dependabot%5Bbot%5D"
    assert bot["repos_url"] == f"{bot['url']}/repos"
    assert bot["html_url"] == "https://github.com/apps/dependabot"
    assert bot["node_id"].startswith("BOT_")
    assert (person["type"], person["html_url"]) == ("User", "https://github.com/ada")
    assert person["url"] == "https://api.github.com/users/ada"


def test_an_update_moves_updated_at_and_keeps_the_rest() -> None:
    world = World("2026-03-02T09:00:00Z")
    run = world.add_run(REPO, FILE, status="queued")
    before = shown(world, run)
    world.advance_to("2026-03-02T09:00:05Z")
    world.update_run(run.id, status="in_progress")

    changes = {"status": "in_progress", "updated_at": "2026-03-02T09:00:05Z"}
    assert shown(world, run) == {**before, **changes}


def test_a_conclusion_completes_and_a_status_reopens() -> None:
    world = World()
    run = world.add_run(REPO, FILE, status="in_progress")
    world.update_run(run, conclusion="timed_out")
    assert shown(world, run)["status"] == "completed"

    world.update_run(run, status="queued")
    assert shown(world, run)["conclusion"] is None


@pytest.mark.parametrize(
    ("given", "sent"),
    [(NULL, None), (None, "success"), ("stale", "stale"), ("exploded", "exploded")],
)
def test_a_completed_run_can_have_any_conclusion(given: Any, sent: str | None) -> None:
    world = World()
    run = world.add_run(REPO, FILE, conclusion=given)

    body = shown(world, run)
    assert (body["status"], body["conclusion"]) == ("completed", sent)
    world.update_run(run, status="completed", conclusion=None)
    assert shown(world, run)["conclusion"] is None


def test_a_phantom_is_a_failure_of_0_seconds_without_jobs() -> None:
    world = World("2026-03-02T09:00:00Z")
    phantom = world.add_phantom_run(REPO, FILE, event="push")
    failure = world.add_run(REPO, FILE, conclusion="failure", duration=0)
    bodies = [shown(world, run) for run in (phantom, failure)]
    named = world.add_run(
        REPO, FILE, conclusion="failure", name=f".github/workflows/{FILE}"
    )

    for body in bodies:
        assert body["conclusion"] == "failure"
        assert body["run_started_at"] == body["updated_at"] == "2026-03-02T09:00:00Z"
    assert [body["name"] for body in bodies] == [bodies[0]["path"], "ci"]
    jobs = [
        job_objects(run, run.versions[-1], world.now, world.sites)
        for run in (phantom, failure, named)
    ]
    assert [len(items) for items in jobs] == [0, 1, 0]


@pytest.mark.parametrize(
    ("statuses", "jobs"),
    [
        (("pending",), 0),
        (("pending", "completed"), 0),
        (("requested", "pending", "completed"), 0),
        (("pending", "in_progress", "completed"), 1),
        (("queued", "completed"), 1),
        (("completed",), 1),
    ],
)
def test_a_run_that_never_left_its_group_has_no_jobs(
    statuses: tuple[str, ...], jobs: int
) -> None:
    world = World("2026-03-02T09:00:00Z")
    cancelled = {"conclusion": "cancelled"}
    first, *rest = statuses
    run = world.add_run(
        REPO, FILE, status=first, **(cancelled if first == "completed" else {})
    )
    for minute, status in enumerate(rest, start=1):
        world.advance_to(f"2026-03-02T09:0{minute}:00Z")
        done = cancelled if status == "completed" else {}
        world.update_run(run, status=status, **done)

    shown_jobs = job_objects(run, run.versions[-1], world.now, world.sites)
    assert len(shown_jobs) == jobs


def test_a_cause_does_not_show_in_a_recorded_run() -> None:
    world = World()
    [run] = world.load_runs([payload(1)])
    before = shown(world, run)
    world.update_run(run, cancelled_by="ada", updated_at=before["updated_at"])

    assert shown(world, run) == before | {"conclusion": "cancelled"}


def test_a_removed_run_stays_visible_in_the_past() -> None:
    world = World("2026-03-02T09:00:00Z")
    run = world.add_run(REPO, FILE)
    world.advance_to("2026-03-02T09:10:00Z")
    world.remove_run(run)

    assert run.version_at(world.now) is None
    assert run.version_at(world.now - timedelta(seconds=1)) is not None


def test_recorded_runs_are_served_unchanged() -> None:
    given = [
        payload(1, created_at="2021-03-17T09:48:17Z"),
        payload(2, path=".github/workflows/slow.yml@main", workflow_id=8, name=None),
    ]
    world = World()
    runs = world.load_runs(given)

    assert [shown(world, run) for run in runs] == given
    assert [run.workflow.file for run in runs] == ["fast-workflow.yml", "slow.yml"]
    assert (
        run_object(
            runs[0],
            runs[0].versions[-1],
            Sites(),
            exclude_pull_requests=True,
            old_enterprise=True,
        )
        == given[0]
    )


def test_a_recorded_run_without_a_path_gets_its_file_by_its_workflow() -> None:
    nameless = {key: value for key, value in payload(1).items() if key != "path"}
    given = [
        nameless,
        payload(2),
        {**nameless, "id": 3, "workflow_id": 8},
        {**nameless, "id": 4, "workflow_id": 9},
    ]
    world = World()
    runs = world.load_runs(given, workflow_files={8: "deploy.yml"})

    assert [run.workflow.file for run in runs] == [
        "fast-workflow.yml",
        "fast-workflow.yml",
        "deploy.yml",
        "workflow-9.yml",
    ]
    assert "path" not in shown(world, runs[0])


def test_a_recorded_id_in_two_states_shows_the_newer_one() -> None:
    newer = payload(1, updated_at="2024-01-29T23:29:45Z", only_here=True)
    older = payload(1, updated_at="2022-12-24T07:31:39Z", conclusion="failure")
    world = World()
    (run,) = world.load_runs([newer, older])

    assert shown(world, run) == newer
    before = run.version_at(as_utc("2023-01-01T00:00:00Z"))
    assert before is not None
    assert run_object(run, before, world.sites) == older


def test_recorded_runs_can_be_changed_and_rerun() -> None:
    world = World("2026-03-02T09:00:00Z")
    (run,) = world.load_runs([payload(1)])
    world.rerun(run)

    assert shown(world, run) == payload(1) | {
        "status": "queued",
        "conclusion": None,
        "run_attempt": 2,
        "run_started_at": "2026-03-02T09:00:00Z",
        "updated_at": "2026-03-02T09:00:00Z",
        "previous_attempt_url": "https://api.github.com/repos/hub4j-test-org/Flow"
        "/actions/runs/1/attempts/1",
    }


def test_callbacks_run_in_order_and_once() -> None:
    world, seen = World("2026-03-02T09:00:00Z"), []
    for minute in (5, 1, 3):
        at = f"2026-03-02T09:0{minute}:00Z"
        world.schedule(at, lambda world, at: seen.append((iso(at), iso(world.now))))
    world.advance_to("2026-03-02T09:04:00Z")
    world.advance_to("2026-03-02T09:02:00Z")

    assert seen == [
        ("2026-03-02T09:01:00Z", "2026-03-02T09:01:00Z"),
        ("2026-03-02T09:03:00Z", "2026-03-02T09:03:00Z"),
    ]
    assert iso(world.now) == "2026-03-02T09:04:00Z"


def test_a_clock_moves_only_when_told_to() -> None:
    clock = SettableClock("2026-03-02T09:00:00Z")

    assert clock() == clock()
    assert iso(clock.advance(1.5)) == "2026-03-02T09:00:01Z"
    assert iso(clock.set("2027-01-01T00:00:00+01:00")) == "2026-12-31T23:00:00Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        World("2026-03-02T09:00:00")


def test_the_synthetic_world_has_the_requested_size() -> None:
    world = synthetic_world.build(2, 3, 40)

    assert len(world.runs) == 240
    assert [len(repo.workflows) for repo in world.repos.values()] == [3, 3]
    newest = world.repo("synthetic/service-001").workflows["workflow-2.yml"].runs[-1]
    assert newest.version_at(world.now) is not None
