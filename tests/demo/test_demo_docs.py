"""docs/demo.md documents every fault, setting and control, and nothing else."""

from __future__ import annotations

import inspect
import re
import select
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import httpx
from waiting import HANG_SECONDS

from ci_observer.demo.scenario.lively_world import REPOS
from ci_observer.demo.server.control_api import CONTROLS, PREFIX
from ci_observer.demo.server.fault_kinds import FAULT_KINDS
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.settings import Settings
from ci_observer.demo.server.world import World

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/demo.md").read_text()


def table(header: str) -> list[list[str]]:
    """The cells of the rows of the table with this header."""
    lines = TEXT.partition(f"| {header} |")[2].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(re.split(r"\s*\|\s*", line)[1:-1])
    return rows


def test_faults_and_their_options_are_documented() -> None:
    written = {
        row[0].strip("`"): set(re.findall(r"`(\w+)", row[1]))
        for row in table("kind | options | what the client meets")
    }
    options = {
        name: set(inspect.signature(kind).parameters) - {"effects"}
        for name, kind in FAULT_KINDS.items()
    }

    assert written == options


def test_settings_are_documented() -> None:
    written = [row[0].strip("`") for row in table("setting | default | means")]

    assert written == [field.name for field in fields(Settings)]


def test_controls_are_documented() -> None:
    written = [row[0].strip("`").replace(PREFIX, "") for row in table("request | does")]

    assert written == list(CONTROLS)


def test_the_documented_methods_of_the_world_exist() -> None:
    written = set(re.findall(r"`world\.(\w+)\(", TEXT))

    assert {name for name in written if not hasattr(World, name)} == set()
    assert written >= {"add_run", "update_run", "rerun", "load_runs", "advance_to"}


def test_the_documented_repositories_exist() -> None:
    named = set(re.findall(r"`(acme/[\w-]+)`", TEXT))

    assert named <= set(REPOS.split(","))


def test_the_example_runs() -> None:
    code = TEXT.partition("```python\n")[2].partition("```")[0]
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 (our own documentation)

    assert isinstance(names["github"], GitHubServer)


def test_the_command_serves_and_prints_the_settings() -> None:
    command = [sys.executable, "-m", "ci_observer.demo", "--port", "0"]
    process = subprocess.Popen(  # noqa: S603 (our own command)
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], HANG_SECONDS)
        assert ready
        printed = dict(process.stdout.readline().strip().split("=") for _ in range(4))
        response = httpx.get(
            f"{printed['GITHUB_API_URL']}/orgs/acme/repos", trust_env=False
        )
        process.send_signal(signal.SIGINT)

    assert {repo["full_name"] for repo in response.json()} == set(
        printed["GH_REPOS"].split(",")
    )
    assert printed["GH_WORKFLOWS"] == "*"
    assert process.returncode == 0
