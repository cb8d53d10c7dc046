"""The commands with a GitHub App: output, exit codes and the end of a backfill."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from app_keys import private_pem, public_pem
from click.testing import CliRunner, Result
from sqlite_utils import Database

from ci_observer.demo.server.apps import App
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.demo.times import utc_now
from ci_observer.ingest.cli import main
from ci_observer.ingest.commands import supervise
from ci_observer.ingest.config import SETTINGS

KEY = "GITHUB_APP_PRIVATE_KEY_FILE"

pytestmark = pytest.mark.usefixtures("only_own_settings")


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    world = World(utc_now())
    for name in ("acme/api", "beta/web"):
        world.add_repo(name, private=True)
        for days in range(4):
            world.add_run(name, "ci.yml", created_at=world.now - timedelta(days=days))
    with GitHubServer(world, clock=utc_now, tokens={}) as server:
        yield server


@pytest.fixture
def app(github: GitHubServer) -> App:
    app = github.settings.apps.register(public_pem())
    app.install("acme")
    app.install("beta", limit=9000)
    return app


@pytest.fixture
def environ(
    github: GitHubServer, app: App, tmp_path: Path, db_path: Path
) -> dict[str, str]:
    key_file = tmp_path / "app.pem"
    key_file.write_text(private_pem())
    key_file.chmod(0o600)
    return {
        "GITHUB_APP_ID": app.client_id,
        KEY: str(key_file),
        "GITHUB_API_URL": github.url,
        "GH_REPOS": "acme/*,beta/web",
        "GH_WORKFLOWS": "ci.yml",
        "CI_OBSERVER_DB": str(db_path),
        "HISTORY_DAYS": "1",
    }


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environ)


def test_check_lists_the_installations_and_their_limits(environ, app):
    app.installations[0].repos = frozenset({"acme/api"})

    result = run("check", **environ)

    assert result.exit_code == 0, result.output
    assert "GitHub App for acme: selected repositories\n" in result.output
    assert "GitHub App for beta: all repositories\n" in result.output
    assert "Rate limit for acme: 4" in result.output
    assert "of 9000 requests left" in result.output
    assert "PRIVATE KEY" not in result.output
    assert "ghs_" not in result.output


@pytest.mark.parametrize(
    ("missing", "exit_code", "text"),
    [
        ("checks", 0, "lacks the permission Checks: read, for why a run was cancelled"),
        ("actions", 1, "lacks the permission Actions: read, for the runs of private"),
    ],
)
def test_check_names_a_missing_permission(environ, app, missing, exit_code, text):
    del app.installations[0].permissions[missing]

    result = run("check", **environ)

    assert result.exit_code == exit_code, result.output
    assert text in result.output


def test_check_names_owners_without_the_app_and_suspended_ones(environ, app, github):
    github.world.add_run("octo/public", "ci.yml")
    app.installations[0].suspended_at = "2026-01-01T00:00:00Z"

    result = run("check", **environ | {"GH_REPOS": "acme/*,beta/web,octo/public"})

    assert result.exit_code == 1
    assert "GitHub App for acme: all repositories, suspended" in result.output
    assert "acme/*: The GitHub App's installation for acme is suspended." in (
        result.output
    )
    assert "GitHub App for octo: not installed, so only public" in result.output
    assert "octo/public: found, default branch main\n  ci.yml: found" in result.output


def test_check_warns_about_a_key_that_other_users_can_read(environ):
    Path(environ[KEY]).chmod(0o644)

    result = run("check", **environ)

    assert result.exit_code == 0, result.output
    assert f"Warning: {KEY}: other users of this machine can read" in result.output


def test_check_says_that_the_app_is_refused(environ, app):
    app.public_keys[:] = [public_pem(1)]

    result = run("check", **environ)

    assert result.exit_code == 1
    assert "GITHUB_APP_ID and the key in GITHUB_APP_PRIVATE_KEY_FILE do not belong" in (
        result.output
    )


@pytest.mark.parametrize("command", ["check", "ingest", "up", "backfill"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"GITHUB_TOKEN": "ghp_0123456789"},
        {"GITHUB_APP_ID": ""},
        {KEY: ""},
        {KEY: "missing.pem"},
    ],
    ids="-".join,
)
def test_wrong_settings_of_an_app_end_a_command_with_2(environ, command, wrong):
    options = ["--since", "2026-01-01"] if command == "backfill" else []

    result = run(command, *options, **environ | wrong)

    assert result.exit_code == 2
    assert result.output.startswith("Error: GITHUB_")


def test_one_pass_polls_every_owner(environ, db_path):
    result = run("ingest", "--once", **environ)

    assert result.exit_code == 0, result.output
    assert "2 feeds polled, 0 failed" in result.output
    assert Database(db_path)["runs"].count == 8


@pytest.mark.long
def test_a_backfill_waits_for_the_limit_of_one_owner(environ, github, db_path):
    """The other owner is polled meanwhile, and not without a pause."""
    github.faults.add("primary_limit", path="acme/api/actions/workflows/", seconds=2)
    environ["REFRESH_SECONDS"] = "5"

    result = run("backfill", "--since", "2026-01-01", **environ)

    assert result.exit_code == 0, result.output
    assert Database(db_path)["runs"].count == 8
    assert [e.status for e in github.log if e.faults] == [403]
    lists = [e for e in github.log if e.path.endswith("beta/web/actions/workflows")]
    assert 1 <= len(lists) <= 3


def test_the_web_process_gets_no_setting_of_the_app():
    names = {name for name in SETTINGS if name.startswith("GITHUB_")}

    assert names - {"GITHUB_API_URL"} <= set(supervise.SECRETS)
