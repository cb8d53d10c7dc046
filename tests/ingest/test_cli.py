"""The commands: output and exit codes."""

import logging
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import stamina
from click.testing import CliRunner, Result
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.demo.times import utc_now
from ci_observer.ingest.cli import main
from ci_observer.ingest.config import SETTINGS

TOKEN = "github_pat_secret123"  # noqa: S105 (made up)


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    """A GitHub that accepts the token and has two runs of `acme/api` `ci.yml`."""
    world = World(utc_now())
    for _ in range(2):
        world.add_run("acme/api", "ci.yml")
    expires_at = world.now + timedelta(days=20, hours=1)
    tokens = {TOKEN: Token("ada", expires_at=f"{expires_at:%Y-%m-%d %H:%M:%S} UTC")}
    with GitHubServer(world, clock=utc_now, tokens=tokens) as server:
        yield server


@pytest.fixture
def environ(github: GitHubServer, db_path: Path) -> dict[str, str]:
    return {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": github.url,
        "GH_REPOS": "acme/api",
        "GH_WORKFLOWS": "ci.yml",
        "CI_OBSERVER_DB": str(db_path),
    }


@pytest.fixture(autouse=True)
def _clean_process(monkeypatch, tmp_path) -> Iterator[None]:
    """Only the test's own settings; restores the logging afterwards."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    handlers = list(logging.root.handlers)
    with stamina.set_testing(True, attempts=1):
        yield
    logging.root.handlers[:] = handlers


def run(*arguments: str, **environ: str) -> Result:
    result = CliRunner().invoke(main, arguments, env=environ)
    assert TOKEN not in result.output
    return result


def test_one_pass_prints_its_result_and_exits_0(environ, db_path):
    result = run("ingest", "--once", **environ)

    assert result.exit_code == 0
    assert "1 feeds polled, 0 failed; 2 runs written; 3 requests" in result.output
    assert Database(db_path)["runs"].count == 2


def test_one_pass_with_a_feed_that_fails_exits_1(environ):
    result = run("ingest", "--once", **environ | {"GH_WORKFLOWS": "ci.yml,nope.yml"})

    assert result.exit_code == 1
    assert "2 feeds polled, 1 failed; 2 runs written" in result.output


def test_one_pass_with_a_refused_token_exits_1(environ, github):
    github.faults.add("unauthorized", count=None)

    assert run("ingest", "--once", **environ).exit_code == 1


@pytest.mark.parametrize("empty", ["GH_REPOS", "GH_WORKFLOWS"])
def test_with_an_empty_list_nothing_is_polled_and_that_is_no_failure(
    environ, github, db_path, caplog, empty
):
    result = run("ingest", "--once", **environ | {empty: " , "})

    assert result.exit_code == 0
    assert f"{empty} is empty, so nothing is polled" in caplog.text
    assert github.log == []
    db = Database(db_path)
    [[state, reason]] = db.execute("select state, reason from polling")
    assert state == "off"
    assert empty in reason


@pytest.mark.parametrize(
    "command", [("ingest", "--once"), ("check",), ("serve",), ("up",), ("migrate",)]
)
def test_a_bad_setting_stops_every_command_by_name_with_exit_code_2(environ, command):
    result = run(*command, **environ | {"REFRESH_SECONDS": "soon"})

    assert result.exit_code == 2
    assert result.output.startswith("Error: REFRESH_SECONDS: 'soon'")


def test_a_file_that_is_no_database_is_an_error_in_one_line(environ, db_path):
    db_path.write_text("my shopping list")

    result = run("ingest", "--once", **environ)

    assert result.exit_code == 1
    assert result.output.startswith("Error: Cannot open the database")


def test_check_prints_the_settings_and_finds_the_feeds(environ):
    result = run("check", **environ)

    assert result.exit_code == 0
    for name in SETTINGS:
        assert name in result.output
    assert "GITHUB_TOKEN        ********" in result.output
    assert "acme/api: found, default branch main\n  ci.yml: found" in result.output
    assert "Rate limit: 4998 of 5000 requests left" in result.output
    assert "The token expires in 20 days" in result.output


def test_check_tells_not_found_and_no_access_apart_from_found(environ, github):
    github.world.add_workflow("acme/api", "old.yml", state="disabled_inactivity")
    github.world.add_repo("acme/locked")
    github.faults.add("forbidden", path="acme/locked", count=None)

    result = run(
        "check",
        **environ
        | {
            "GH_REPOS": "acme/api,acme/gone,acme/locked",
            "GH_WORKFLOWS": "ci.yml,nope.yml,old.yml",
        },
    )

    assert result.exit_code == 1
    assert "  ci.yml: found" in result.output
    assert "  nope.yml: not found in .github/workflows" in result.output
    assert "  old.yml: disabled_inactivity" in result.output
    assert "acme/gone: Not found (404)" in result.output
    assert "acme/locked: GitHub forbids this (403)" in result.output


def test_check_lists_the_repositories_of_an_owner(environ, github):
    world = github.world
    world.add_repo("acme/web")
    for name in ("archived", "disabled", "fork"):
        world.add_repo(f"acme/{name}", **{name: True})
    world.add_workflow("acme/api", "old.yml", state="disabled_manually")
    world.add_workflow("acme/api", "pages", path="dynamic/pages/pages-build")

    result = run("check", **environ | {"GH_REPOS": "acme/*", "GH_WORKFLOWS": "*"})

    assert result.exit_code == 0
    assert (
        "acme/*: 2 repositories found, 3 left out (archived, disabled or forks)\n"
        "acme/api: found, default branch main\n"
        "  ci.yml: found\n"
        "  old.yml: disabled_manually, left out\n"
        "acme/web: found, default branch main\n"
    ) in result.output


def test_check_lists_only_existing_workflows_of_an_owner_s_repositories(
    environ, github
):
    github.world.add_repo("acme/web")

    result = run(
        "check", **environ | {"GH_REPOS": "acme/*", "GH_WORKFLOWS": "ci.yml,nope.yml"}
    )

    assert result.exit_code == 0
    assert "nope.yml:" not in result.output


def test_check_reports_an_unknown_owner(environ):
    result = run("check", **environ | {"GH_REPOS": "acme/*,nobody/*"})

    assert result.exit_code == 1
    assert "nobody/*: No such owner: check GH_REPOS" in result.output


def test_check_names_the_new_name_of_a_renamed_repository(environ, github):
    github.world.rename_repo("acme/api", "acme/core")

    result = run("check", **environ | {"GH_REPOS": "acme/api,acme/core"})

    assert result.exit_code == 0
    assert (
        "acme/api: renamed to acme/core: write acme/core in GH_REPOS" in result.output
    )
    assert "acme/core: the same repository as acme/api, polled once" in result.output


def test_check_without_a_token_prints_its_limit(environ):
    result = run("check", **environ | {"GITHUB_TOKEN": ""})

    assert result.exit_code == 0
    assert "none (public repositories, 60 requests an hour)" in result.output


def test_migrate_creates_the_database_and_prints_that(environ, db_path):
    first, second = run("migrate", **environ), run("migrate", **environ)

    assert first.exit_code == second.exit_code == 0
    assert "applied m001_runs" in first.output
    assert second.output == f"{db_path} is up to date.\n"


def test_migrate_shows_a_bar_on_a_terminal(environ, db_path):
    run("migrate", **environ)
    with closing(sqlite3.connect(db_path)) as db:
        db.execute("drop index runs_actor")
    terminal, its_end = pty.openpty()

    subprocess.run(
        [sys.executable, "-m", "ci_observer", "migrate"],
        env=os.environ | environ,
        stdout=subprocess.DEVNULL,
        stderr=its_end,
        check=True,
    )
    shown = os.read(terminal, 10_000).decode()
    os.close(its_end)
    os.close(terminal)

    assert "creating indexes" in shown
    assert "100%  runs_actor" in shown


@pytest.mark.parametrize(
    "command", [(), *((name,) for name in main.commands)], ids=" ".join
)
def test_every_command_has_a_help_that_teaches(command):
    result = run(*command, "--help")

    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5
