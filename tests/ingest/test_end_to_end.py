"""The product as its users run it: processes, a GitHub on loopback, HTTP."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.demo.times import utc_now
from ci_observer.ingest.config import SETTINGS

START_SECONDS = 60


@pytest.fixture
def environ(db_path: Path) -> dict[str, str]:
    """The tests' environment without any setting of ours but the database."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return clean | {"CI_OBSERVER_DB": str(db_path)}


def ci_observer(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ci_observer", *arguments]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(environ: dict[str, str], folder: Path) -> Iterator[httpx.Client]:
    """A `ci-observer serve`, and a client of it from when it answers."""
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 (our own command)
        ci_observer("serve"),
        env=environ | {"CI_OBSERVER_PORT": str(port)},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    transport = httpx.HTTPTransport(retries=0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport) as web:
        try:
            wait_until_it_answers(process, port)
            yield web
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=15)
    assert process.returncode == 0, said


def wait_until_it_answers(process: subprocess.Popen[str], port: int) -> None:
    """The log's first line tells that it is about to listen; then connecting waits."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert str(port) in line, line + process.stderr.read()
    for _ in range(START_SECONDS * 20):
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError("serve did not begin to answer")


def test_github_to_browser(environ, tmp_path):
    """`ingest --once`, `serve`, and every way to read what was found."""
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
        subprocess.run(  # noqa: S603 (our own command)
            ci_observer("ingest", "--once"), env=environ, cwd=tmp_path, check=True
        )

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
    subprocess.run(  # noqa: S603 (our own command)
        ci_observer("ingest", "--once"), env=environ, cwd=tmp_path, check=True
    )

    with serving(environ, tmp_path) as web:
        config = web.get("/api/config").json()
        health = web.get("/api/health")
        page = web.get("/").text

    assert config["polling"]["state"] == "off"
    assert "GH_REPOS and GH_WORKFLOWS are empty" in config["polling"]["reason"]
    assert "GH_REPOS and GH_WORKFLOWS are empty" in page
    assert health.status_code == 200
