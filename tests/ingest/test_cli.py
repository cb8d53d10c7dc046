"""The commands: output and exit codes."""

import os
import pty
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from sqlite_utils import Database
from uids import without_root

from ci_observer.demo.server import pagination, run_endpoints
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.demo.times import utc_now
from ci_observer.ingest.cli import main
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.config import SETTINGS
from ci_observer.ingest.db import schema

TOKEN = "github_pat_secret123"  # noqa: S105 (made up)
# Imported by the commands that need them.
LATE_IMPORTS = (
    "_strptime",
    "ci_observer.ingest.commands.supervise",
    "ci_observer.web.server",
)

pytestmark = pytest.mark.usefixtures("only_own_settings")


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


def run(*arguments: str, **environ: str) -> Result:
    result = CliRunner().invoke(main, arguments, env=environ)
    assert TOKEN not in result.output
    return result


def test_one_pass_prints_its_result_and_exits_0(environ, db_path):
    result = run("ingest", "--once", **environ)

    assert result.exit_code == 0
    assert "1 feeds polled, 0 failed; 2 runs written; 7 requests" in result.output
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


def test_check_tells_whether_the_database_is_there_and_makes_none(environ, db_path):
    before = run("check", **environ)
    assert "\nDatabase: none yet, the first start creates it.\n" in before.output
    assert list(db_path.parent.iterdir()) == []

    run("migrate", **environ)
    assert "\nDatabase: found, up to date.\n" in run("check", **environ).output


def test_check_leaves_a_database_of_an_older_version_as_it_is(environ, db_path):
    with closing(schema.connect(db_path)) as db:
        schema.migrations.apply(db, stop_before="m010_payload_parts")
    before = db_path.read_bytes()

    result = run("check", **environ)

    assert "Database: found, the next start brings it up to date." in result.output
    assert db_path.read_bytes() == before


def test_check_and_ingest_refuse_a_broken_database_alike(environ, db_path):
    db_path.write_text("my shopping list")

    checked = run("check", **environ)

    error = run("ingest", "--once", **environ).stderr
    assert checked.exit_code == 1
    assert error.startswith("Error: Cannot open the database")
    assert error.removeprefix("Error: ").strip() in checked.stdout
    assert db_path.read_text() == "my shopping list"


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that this process cannot write to, also if the tests run as root."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with closing(schema.connect(folder / "ci_observer.db")) as db:
            schema.migrate(db)
        (folder / "ci_observer.db").chmod(0o444)
        folder.chmod(0o555)
        # Another user may not be able to read their files.
        for module in LATE_IMPORTS:
            import_module(module)
        with without_root():
            yield folder
        folder.chmod(0o755)


@pytest.mark.parametrize("name", ["ci_observer.db", "new.db", "new/new.db"])
def test_check_and_migrate_refuse_a_folder_that_is_not_writable(
    environ, read_only_folder, name
):
    settings = environ | {"CI_OBSERVER_DB": str(read_only_folder / name)}

    for command in ("check", "migrate"):
        result = run(command, **settings)

        assert result.exit_code == 1
        assert "Cannot open the database" in result.output
        assert "its folder exists and is writable" in result.output


def test_export_says_that_the_folder_must_be_writable(environ, read_only_folder):
    path = read_only_folder / "ci_observer.db"

    result = run("export", **environ | {"CI_OBSERVER_DB": str(path)})

    assert result.exit_code == 1
    assert f"make the folder {read_only_folder} writable" in result.stderr
    assert "migrate" not in result.stderr


def test_demo_refuses_a_folder_that_is_not_writable(environ, read_only_folder):
    path = read_only_folder / "ci_observer.db"

    result = run(
        "demo",
        **environ | {"CI_OBSERVER_DB": str(path), "CI_OBSERVER_PORT": str(free_port())},
    )

    assert result.exit_code == 1
    assert result.output.startswith("Error: Cannot open the database")
    assert str(path.with_name("demo.db")) in result.output


@pytest.mark.parametrize("command", ["serve", "up", "demo"])
def test_a_port_in_use_is_refused_before_anything_else(environ, db_path, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run(command, **environ | {"CI_OBSERVER_PORT": port})

    assert result.exit_code == 2
    assert result.output.startswith(
        f"Error: CI_OBSERVER_PORT: cannot serve on 127.0.0.1:{port} (Address already"
    )
    assert not db_path.exists()


def test_check_prints_the_settings_and_finds_the_feeds(environ):
    result = run("check", **environ)

    assert result.exit_code == 0
    for name in SETTINGS:
        assert name in result.output
    assert "GITHUB_TOKEN                ********" in result.output
    assert "acme/api: found, default branch main\n  ci.yml: found" in result.output
    assert "Rate limit: 4994 of 5000 requests left" in result.output
    assert "The token expires in 20 days" in result.output


def test_check_fails_without_a_peer(environ):
    peer = f"http://127.0.0.1:{free_port()}"

    result = run("check", **environ | {"PEERS": peer})

    problem = f"Peer {peer} (without a token): it does not respond (connection refused)"
    assert result.exit_code == 1
    assert f"Problem: {problem}" in result.output


@pytest.mark.parametrize(
    ("fetch_jobs", "a_day"), [("default-branch", 48), ("all", 96), ("failed", None)]
)
def test_check_says_what_jobs_will_cost(environ, github, fetch_jobs, a_day):
    """Of 4 runs an hour, one is of a pull request, and one of another branch."""
    for quarter in range(96):
        fields = [
            {},
            {"event": "pull_request", "head_branch": "change"},
            {"conclusion": "failure"},
            {"head_branch": "change"},
        ]
        github.world.add_run(
            "acme/jobs",
            "ci.yml",
            created_at=github.world.now - timedelta(minutes=15 * quarter),
            **fields[quarter % 4],
        )
    environ |= {"FETCH_JOBS": fetch_jobs, "GH_REPOS": "acme/jobs"}
    output = run("check", **environ).output

    if a_day is None:
        assert "Jobs" not in output
    else:
        assert f"of about {a_day} runs a day: about {a_day // 24} requests" in output
        assert "at most 2,000 an hour, in about" in output


def test_check_warns_of_more_jobs_than_the_rate_limit_has_room_for(environ, github):
    for minute in range(120):
        created_at = github.world.now - timedelta(minutes=minute / 2)
        github.world.add_run("acme/jobs", "ci.yml", created_at=created_at)
    github.limits.per_user = 100
    output = run("check", **environ | {"GH_REPOS": "acme/jobs"}).output

    assert "polling leaves about 40 requests an hour for them" in output


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
    assert "acme/locked: GitHub says: Resource not accessible" in result.output


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (Token(), "  annotations: found, so a run that hits"),
        (Token(kind="fine-grained"), "  annotations: cannot be read, so a run that"),
        (Token(kind="app", checks=False), "  annotations: cannot be read, so a run"),
    ],
)
def test_check_tries_the_annotations_of_a_private_repository(
    environ, github, token, text
):
    github.settings.tokens[github.token] = token
    github.world.add_run("acme/api", "ci.yml", conclusion="cancelled")
    public = run("check", **environ)
    github.world.update_repo("acme/api", private=True)

    result = run("check", **environ)

    assert result.exit_code == 0
    assert text in result.output
    assert ("A classic token with the scope repo" in result.output) == (
        "cannot" in text
    )
    assert "annotations" not in public.output


def test_check_lists_the_repositories_of_an_owner(environ, github):
    world = github.world
    world.add_repo("acme/web")
    for name in ("archived", "disabled", "fork"):
        world.add_repo(f"acme/{name}", **{name: True})
    world.add_workflow("acme/api", "fork.yml", state="disabled_fork")
    world.add_workflow("acme/api", "old.yml", state="disabled_manually")
    world.add_workflow("acme/api", "pages", path="dynamic/pages/pages-build")

    result = run("check", **environ | {"GH_REPOS": "acme/*", "GH_WORKFLOWS": "*"})

    assert result.exit_code == 0
    assert (
        "acme/*: 2 repositories found, 3 left out (archived, disabled or forks)\n"
        "acme/api: found, default branch main\n"
        "  ci.yml: found\n"
        "  fork.yml: disabled_fork, left out\n"
        "  old.yml: disabled_manually\n"
        "acme/web: found, default branch main\n"
    ) in result.output


def test_check_says_that_a_repository_is_blocked(environ, github):
    github.world.add_blocked_run("acme/api")

    result = run("check", **environ)

    assert result.exit_code == 1
    assert "acme/api: blocked: the newest run belongs to no workflow (BuildFailed)" in (
        result.output
    )


@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (lambda query: {**query, "page": "1"}, "is the first one again"),
        (lambda query: {**query, "page": "9"}, "runs, but the second page has none"),
    ],
)
def test_check_tries_the_second_page_of_runs(environ, github, respond, said):
    for _ in range(3):
        github.world.add_run("acme/api", "ci.yml")
    good = run("check", **environ)
    parse_page = pagination.parse_page
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            run_endpoints,
            "parse_page",
            lambda query: parse_page(respond(query) if "page" in query else query),
        )
        bad = run("check", **environ)

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "second page" not in good.output
    assert said in bad.output


def test_check_reports_a_second_page_at_another_address(environ, github):
    for _ in range(2):
        github.world.add_run("acme/api", "ci.yml")
    github.settings.link_origin = "https://elsewhere.example"

    result = run("check", **environ)

    assert result.exit_code == 1
    assert "acme/api: the newest runs: GitHub points to another address" in (
        result.output
    )


OWN_LIST = r"/actions/workflows/ci\.yml/runs"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("forbidden", "  ci.yml: GitHub says: Resource not accessible"),
        ("access_blocked", "  ci.yml: GitHub says: Repository access blocked"),
        ("not_found", "  ci.yml: Not found (404)"),
        ("server_error", "  ci.yml: GitHub"),
        ("login_page", "  ci.yml: "),
    ],
)
def test_check_tries_the_own_list_of_each_workflow(environ, github, fault, said):
    github.world.add_run("acme/api", "deploy.yml")
    github.faults.add(fault, path=OWN_LIST, count=None)

    result = run("check", **environ | {"GH_WORKFLOWS": "ci.yml,deploy.yml"})

    assert result.exit_code == 1
    assert said in result.output
    assert "ci.yml: found" not in result.output
    assert "  deploy.yml: found\n" in result.output


def test_check_tries_the_second_page_of_each_workflow(environ, github):
    for _ in range(3):
        github.world.add_run("acme/api", "ci.yml")
    github.faults.add("forbidden", path=f"{OWN_LIST}.*[?&]page=2", count=None)

    result = run("check", **environ)

    assert result.exit_code == 1
    assert "  ci.yml: GitHub says: Resource not accessible" in result.output


def test_check_tries_the_list_of_every_workflow_with_a_tile(environ, github):
    for name in ("a.yml", "b.yml", "c.yml"):
        github.world.add_workflow("acme/api", name)
    github.world.add_workflow("acme/api", "off.yml", state="disabled_manually")
    github.world.add_workflow("acme/api", "fork.yml", state="disabled_fork")
    github.world.add_workflow("acme/api", "pages", path="dynamic/pages/pages-build")

    result = run("check", **environ | {"GH_WORKFLOWS": "*"})

    assert result.exit_code == 0
    assert lists_requested(github) == {"a.yml", "b.yml", "c.yml", "ci.yml", "off.yml"}


def test_check_without_a_token_leaves_requests_for_polling(environ, github):
    for number in range(60):
        github.world.add_workflow("acme/api", f"w{number}.yml")
    settings = environ | {"GITHUB_TOKEN": "", "GH_WORKFLOWS": "*"}

    first = run("check", **settings)
    tried = len(lists_requested(github))
    second = run("check", **settings | {"GH_REPOS": "acme/api,acme/web"})

    assert (first.exit_code, second.exit_code) == (0, 1)
    assert 30 < tried < 60
    assert f"\nNot tried: {61 - tried} workflows, to leave requests for" in first.output
    assert "Set GITHUB_TOKEN" in first.output
    assert first.output.count(": found, its runs not tried\n") == 61 - tried
    assert "Not tried: 61 workflows" in second.output
    assert "Rate limit: 1" in second.output


def test_check_without_a_token_leaves_out_repositories(environ, github):
    for number in range(30):
        github.world.add_run(f"acme/r{number}", "ci.yml")

    result = run("check", **environ | {"GITHUB_TOKEN": "", "GH_REPOS": "acme/*"})

    left_out = result.output.count(": not tried\n")
    assert result.exit_code == 0
    assert len(github.log) < 50
    assert left_out > 15
    assert f"\nNot tried: {left_out} repositories" in result.output


@pytest.mark.parametrize("fault", ["secondary_limit", "unauthorized"])
def test_check_stops_at_an_error_that_concerns_every_request(environ, github, fault):
    for number in range(40):
        github.world.add_workflow("acme/api", f"w{number}.yml")
    github.faults.add(fault, path="/actions/workflows/w5.yml/runs")

    result = run("check", **environ | {"GH_WORKFLOWS": "*"})

    assert result.exit_code == 1
    assert len(lists_requested(github)) < 40
    assert "workflows, because the error above concerns every request." in result.output


def test_check_shows_its_progress_on_a_terminal(environ, github):
    for number in range(3):
        github.world.add_workflow("acme/api", f"w{number}.yml")
    terminal, its_end = pty.openpty()

    checked = subprocess.run(
        [sys.executable, "-m", "ci_observer", "check"],
        env=os.environ | environ | {"GH_WORKFLOWS": "*"},
        stdout=subprocess.PIPE,
        stderr=its_end,
        check=True,
        text=True,
    )
    shown = os.read(terminal, 10_000).decode()
    os.close(its_end)
    os.close(terminal)

    assert "3 of 4 workflows tried" in shown
    assert shown.endswith("\r")
    assert "tried" not in checked.stdout


def lists_requested(github: GitHubServer) -> set[str]:
    """The workflows whose own list of runs was requested."""
    paths = [entry.path for entry in github.log]
    found = [re.search(r"/actions/workflows/([^/]+)/runs", path) for path in paths]
    return {match[1] for match in found if match}


def test_check_says_what_is_decided_about_workflows_of_one_name(environ, github):
    world = github.world
    world.add_workflow("acme/api", "new.yml", name="ci")
    world.add_workflow("acme/api", "old.yml", name="ci")
    world.add_workflow("acme/api", "other.yml", name="Other")
    world.add_run("acme/api", "old.yml", created_at="2026-01-02T03:04:05Z")
    newest = world.workflow("acme/api", "ci.yml").runs[-1].created_at.date()

    result = run("check", **environ | {"GH_WORKFLOWS": "*"})

    assert result.exit_code == 0
    assert (
        f"  ci.yml (last run {newest}), new.yml (no run), old.yml (last run"
        " 2026-01-02):"
        " all called 'ci', with a tile each. A name proves no rename; to leave"
        " one out, list the others in GH_WORKFLOWS or the settings file\n"
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


HEAVY = ("httpx", "sqlite_utils", "datasette", "asyncio", "stamina", "cryptography")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["up", "--help"]])
def test_a_help_text_imports_no_command(arguments: list[str]) -> None:
    """Importing all of them takes five times as long as the rest."""
    script = (
        "import sys; from ci_observer.ingest.cli import main;"
        "main(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 (our own statements)
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )

    imported = done.stdout.splitlines()[-1].split()
    assert "click" in imported
    assert not {*imported} & {*HEAVY, "ci_observer.ingest.commands.runtime"}
