"""A blocked account or repository: every push makes a run of the path `BuildFailed`."""

from __future__ import annotations

import httpx
import pytest
from demo_client import FILE, REPO, RUNS, WORKFLOW_RUNS

from ci_observer.demo.server.world import World

WORKFLOWS = f"/repos/{REPO}/actions/workflows"


@pytest.fixture
def world() -> World:
    world = World("2026-03-02T09:00:00Z")
    world.add_run(REPO, FILE)
    world.advance_to("2026-03-02T09:10:00Z")
    return world


def test_a_blocked_run_has_githubs_shape(client: httpx.Client, world: World) -> None:
    run = world.add_blocked_run(REPO, head_branch="dependabot/npm", event="push")

    body = client.get(f"{RUNS}/{run.id}").json()
    shown = {key: body[key] for key in ("path", "name", "conclusion", "display_title")}
    assert shown == {
        "path": "BuildFailed",
        "name": "",
        "conclusion": "startup_failure",
        "display_title": "(Unknown event)",
    }
    assert body["head_branch"] == "dependabot/npm"
    assert body["run_started_at"] == body["updated_at"] == "2026-03-02T09:10:00Z"
    assert client.get(f"{RUNS}/{run.id}/jobs").json() == {"total_count": 0, "jobs": []}


def test_blocked_runs_are_listed_for_their_repository(
    client: httpx.Client, world: World
) -> None:
    first, second = (world.add_blocked_run(REPO) for _ in range(2))
    number = first.workflow.id

    listed = {run["id"] for run in client.get(RUNS).json()["workflow_runs"]}
    assert {first.id, second.id} < listed
    assert client.get(WORKFLOW_RUNS).json()["total_count"] == 1
    assert client.get(f"{WORKFLOWS}/{number}/runs").json()["total_count"] == 2
    assert client.get(f"{WORKFLOWS}/{number}").json()["state"] == "deleted"


def test_their_workflow_is_not_listed(client: httpx.Client, world: World) -> None:
    world.add_blocked_run(REPO)

    body = client.get(WORKFLOWS).json()
    assert [workflow["path"] for workflow in body["workflows"]] == [
        ".github/workflows/ci.yml"
    ]
    assert body["total_count"] == 1
    assert client.get(f"{WORKFLOWS}/BuildFailed/runs").status_code == 404


def test_a_new_repository_can_be_blocked(client: httpx.Client, world: World) -> None:
    run = world.add_blocked_run("acme/unpaid")

    runs = client.get("/repos/acme/unpaid/actions/runs").json()["workflow_runs"]
    assert [item["id"] for item in runs] == [run.id]
    assert client.get("/repos/acme/unpaid/actions/workflows").json() == {
        "total_count": 0,
        "workflows": [],
    }


def test_a_repository_is_blocked_over_http(client: httpx.Client) -> None:
    added = client.post("/_sim/run", json={"repo": REPO, "blocked": True}).json()

    assert client.get(f"{RUNS}/{added['run_id']}").json()["path"] == "BuildFailed"
