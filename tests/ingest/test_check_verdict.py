"""The first lines of `check`: the verdict, its reasons, and what is warned of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.cli import main

pytestmark = pytest.mark.usefixtures("only_own_settings")


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    world = World("2026-03-02T09:00:00Z")
    world.add_run("acme/api", "ci.yml", conclusion="success")
    world.add_run("acme/api", "deploy.yml", conclusion="success")
    with GitHubServer(world) as server:
        yield server


@pytest.fixture
def environ(github: GitHubServer, db_path: Path) -> dict[str, str]:
    return {
        "GITHUB_TOKEN": github.token,
        "GITHUB_API_URL": github.url,
        "GH_REPOS": "acme/api",
        "GH_WORKFLOWS": "ci.yml",
        "CI_OBSERVER_DB": str(db_path),
    }


def check(**environ: str) -> Result:
    return CliRunner().invoke(main, ["check"], env=environ)


def head(result: Result) -> list[str]:
    """The lines before the settings."""
    return result.output.partition("\n\n")[0].splitlines()


@pytest.mark.parametrize(
    ("workflows", "verdict"),
    [
        ("ci.yml", "OK: 1 workflow can be polled."),
        ("*", "OK: 2 workflows can be polled."),
    ],
)
def test_a_good_check_says_so_first(environ, workflows, verdict):
    result = check(**environ | {"GH_WORKFLOWS": workflows})

    assert result.exit_code == 0
    assert head(result) == [verdict]


def test_each_problem_is_named_with_its_repository(environ):
    result = check(
        **environ | {"GH_REPOS": "acme/api,acme/gone", "GH_WORKFLOWS": "no.yml"}
    )

    assert result.exit_code == 1
    verdict, *problems = head(result)
    assert verdict == "2 problems. Correct them, and run ci-observer check again."
    assert problems[0] == (
        "  Problem: acme/api: no.yml: not found in .github/workflows"
    )
    assert problems[1].startswith("  Problem: acme/gone: Not found (404)")


@pytest.mark.parametrize("empty", ["GH_REPOS", "GH_WORKFLOWS"])
def test_an_empty_list_is_a_problem(environ, github, empty):
    result = check(**environ | {empty: " , "})

    assert result.exit_code == 1
    verdict, problem = head(result)
    assert verdict == "1 problem. Correct it, and run ci-observer check again."
    assert problem.startswith(f"  Problem: {empty} is empty, so nothing is polled.")
    assert github.log == []


def test_an_owner_without_such_a_workflow_is_a_problem(environ):
    result = check(**environ | {"GH_REPOS": "acme/*", "GH_WORKFLOWS": "no.yml"})

    assert result.exit_code == 1
    assert head(result)[1].startswith(
        "  Problem: Nothing would be polled: no repository"
    )


def test_workflows_that_are_not_tried_are_counted(environ, github):
    for number in range(60):
        github.world.add_workflow("acme/api", f"w{number}.yml")

    result = check(**environ | {"GITHUB_TOKEN": "", "GH_WORKFLOWS": "*"})

    assert result.exit_code == 0
    [verdict] = head(result)
    assert verdict.startswith("OK: ")
    assert " can be polled, " in verdict
    assert verdict.endswith(" not tried.")


def test_warnings_come_after_the_verdict_and_are_no_failure(environ, tmp_path):
    (tmp_path / ".env").write_text("DASHBOARD_TITEL=Wall\n")

    result = check(**environ, NO_PROXY="<local>")

    assert result.exit_code == 0
    assert head(result) == [
        "OK: 1 workflow can be polled. There are 2 warnings.",
        "  Warning: NO_PROXY: '<local>' is ignored. Write a host name, an address or a "
        "network, such as .example.com, 10.0.0.0/8 or fe80::/10",
        "  Warning: .env: DASHBOARD_TITEL is not a setting. Did you mean "
        "DASHBOARD_TITLE?",
    ]


def test_the_proxy_and_the_certificates_are_shown_without_a_password(environ):
    direct = check(**environ)
    proxied = check(**environ, HTTP_PROXY="http://ada:hunter2@127.0.0.1:9")

    assert "\nProxy for GitHub: none.\n" in direct.output
    assert "\nTrusted certificates: those of Mozilla (certifi).\n" in direct.output
    assert "\nProxy for GitHub: http://127.0.0.1:9 (HTTP_PROXY).\n" in proxied.output
    assert "hunter2" not in proxied.output


@pytest.mark.parametrize("command", [("ingest", "--once"), ("serve",), ("up",)])
def test_warnings_are_in_the_log_of_the_commands_that_run(
    environ, tmp_path, caplog, command
):
    """The port is wrong, so that the servers do not start."""
    (tmp_path / ".env").write_text("DASHBOARD_TITEL=Wall\n")
    settings = environ | {"CI_OBSERVER_HOST": "192.0.2.1"}

    CliRunner().invoke(main, command, env=settings)

    said = [record.getMessage() for record in caplog.records]
    assert said.count(
        ".env: DASHBOARD_TITEL is not a setting. Did you mean DASHBOARD_TITLE?"
    ) == (1)


def test_a_process_of_up_does_not_repeat_the_warnings(environ, tmp_path, caplog):
    (tmp_path / ".env").write_text("DASHBOARD_TITEL=Wall\n")
    CliRunner().invoke(main, ["migrate"], env=environ)

    result = CliRunner().invoke(
        main, ["ingest", "--once"], env=environ | {"CI_OBSERVER_DB_REQUIRED": "1"}
    )

    assert result.exit_code == 0
    assert "DASHBOARD_TITEL" not in caplog.text


def test_a_damaged_database_is_a_problem_next_to_the_feeds(environ):
    path = Path(environ["CI_OBSERVER_DB"])
    path.write_bytes(b"not a database, but as long as a page" * 300)

    result = check(**environ)

    verdict, problem, *details = result.output.splitlines()
    assert result.exit_code == 1
    assert verdict == "1 problem. Correct it, and run ci-observer check again."
    assert str(path) in problem
    assert any("ci.yml: found" in line for line in details)
