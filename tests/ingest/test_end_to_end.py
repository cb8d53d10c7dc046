"""The product as users run it: processes, a GitHub on loopback, HTTP."""

import subprocess
from pathlib import Path

import pytest
from processes import CI_OBSERVER, environ_with, serving

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.demo.times import utc_now

POLL_ONCE = [*CI_OBSERVER, "ingest", "--once"]


@pytest.fixture
def environ(db_path: Path) -> dict[str, str]:
    return environ_with(CI_OBSERVER_DB=db_path)


def test_github_to_browser(environ, tmp_path):
    """`ingest --once`, `serve`, and every way to read the runs."""
    world = World(utc_now())
    for conclusion in ("success", "failure"):
        world.add_run("acme/api", "ci.yml", conclusion=conclusion)
    with GitHubServer(world, clock=utc_now) as github:
        environ |= {
            "GITHUB_TOKEN": github.token,
            "GITHUB_API_URL": github.url,
            "GH_REPOS": "acme/api",
            "GH_WORKFLOWS": "ci.yml",
        }
        subprocess.run(POLL_ONCE, env=environ, cwd=tmp_path, check=True)  # noqa: S603

    with serving(environ, tmp_path) as web:
        runs = web.get("/api/runs").raise_for_status().json()["runs"]
        [tile] = web.get("/api/wall").raise_for_status().json()["tiles"]
        page = web.get("/").raise_for_status().text
        history = web.get("/ci_observer/run_history.csv").raise_for_status().text
        health = web.get("/api/health")
        refused = [web.request(m, "/api/runs").status_code for m in ("POST", "DELETE")]
        bodies = [page, history, web.get("/api/config").text]

    assert sorted(run["conclusion"] for run in runs) == ["failure", "success"]
    assert (tile["repo"], tile["tile_state"]) == ("acme/api", "failing")
    assert "acme/api" in page
    assert len(history.splitlines()) == 3
    assert health.status_code == 200
    assert refused == [405, 405]
    assert not any(environ["GITHUB_TOKEN"] in body for body in bodies)


def test_without_settings_the_wall_serves_and_says_why_nothing_is_polled(
    environ, tmp_path
):
    subprocess.run(POLL_ONCE, env=environ, cwd=tmp_path, check=True)  # noqa: S603

    with serving(environ, tmp_path) as web:
        config = web.get("/api/config").json()
        health = web.get("/api/health")
        page = web.get("/").text

    assert config["polling"]["state"] == "off"
    assert "GH_REPOS and GH_WORKFLOWS are empty" in config["polling"]["reason"]
    assert "GH_REPOS and GH_WORKFLOWS are empty" in page
    assert health.status_code == 200
