"""Runs that GitHub no longer serves: deleted, or removed by retention."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from demo_client import FILE, REPO, RUNS, WORKFLOW_RUNS, numbers

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World


@pytest.fixture
def world() -> World:
    """Runs that are 100, 10 and 1 days old."""
    world = World("2026-06-02T09:00:00Z")
    for age in (100, 10, 1):
        world.add_run(REPO, FILE, created_at=world.now - timedelta(days=age))
    return world


@pytest.mark.parametrize(
    "status", ["completed", "in_progress", "queued", "waiting", "pending", "requested"]
)
def test_a_deleted_run_is_404_until_it_comes_back(
    client: httpx.Client, world: World, status: str
) -> None:
    run = world.add_run(REPO, FILE, status=status)
    paths = [f"{RUNS}/{run.id}", f"{RUNS}/{run.id}/attempts/1", f"{RUNS}/{run.id}/jobs"]
    before = [client.get(path).json() for path in paths]

    world.remove_run(run)
    assert numbers(client.get(RUNS)) == numbers(client.get(WORKFLOW_RUNS)) == [3, 2, 1]
    assert client.get(RUNS).json()["total_count"] == 3
    assert {client.get(path).status_code for path in paths} == {404}

    world.restore_run(run)
    assert numbers(client.get(RUNS)) == [4, 3, 2, 1]
    assert [client.get(path).json() for path in paths] == before


def test_all_runs_of_one_workflow_can_be_deleted(
    client: httpx.Client, world: World
) -> None:
    other = world.add_run(REPO, "deploy.yml")
    world.remove_runs_of(REPO, FILE)

    assert client.get(WORKFLOW_RUNS).json() == {"total_count": 0, "workflow_runs": []}
    assert [run["id"] for run in client.get(RUNS).json()["workflow_runs"]] == [other.id]


def test_retention_removes_old_runs(
    client: httpx.Client, github: GitHubServer, world: World
) -> None:
    oldest, second, _ = world.workflow(REPO, FILE).runs
    assert numbers(client.get(RUNS)) == [3, 2, 1]

    world.update_repo(REPO, retention_days=90)
    assert numbers(client.get(RUNS)) == numbers(client.get(WORKFLOW_RUNS)) == [3, 2]
    assert client.get(RUNS).json()["total_count"] == 2
    assert client.get(f"{RUNS}/{oldest.id}").status_code == 404
    assert client.get(f"{RUNS}/{oldest.id}/jobs").status_code == 404

    github.advance(81 * 86_400)
    assert numbers(client.get(RUNS)) == [3]
    assert client.get(f"{RUNS}/{second.id}").status_code == 404


def test_runs_are_deleted_and_restored_over_http(
    client: httpx.Client, world: World
) -> None:
    run_id = world.workflow(REPO, FILE).runs[-1].id
    client.post("/_sim/run", json={"run_id": run_id, "remove": True})
    removed = numbers(client.get(RUNS))
    client.post("/_sim/run", json={"run_id": run_id, "restore": True})
    client.post("/_sim/repo", json={"repo": REPO, "retention_days": 30})

    assert removed == [2, 1]
    assert numbers(client.get(RUNS)) == [3, 2]


def test_a_changed_repository_is_also_changed_in_its_runs(
    client: httpx.Client, world: World
) -> None:
    before = client.get(RUNS).json()["workflow_runs"][0]["repository"]
    world.update_repo(REPO, private=True, description="Secret", default_branch="trunk")
    after = client.get(RUNS).json()["workflow_runs"][0]["repository"]

    assert after == before | {"private": True, "description": "Secret"}
    assert client.get(f"/repos/{REPO}").json()["default_branch"] == "trunk"


def test_other_keys_of_a_repository_do_not_change(world: World) -> None:
    with pytest.raises(TypeError, match="'id'"):
        world.update_repo(REPO, id=4)
