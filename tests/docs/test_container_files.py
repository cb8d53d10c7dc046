"""The files of the container, tested without a container engine."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ENTRYPOINT = ROOT / "container/entrypoint.sh"
HEALTHCHECK = ROOT / "container/healthcheck.py"
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def compose(**variables: str) -> Any:
    """The Compose file with its variables replaced, as Compose does."""
    text = re.sub(
        r"\$\{(\w+):-([^}]*)\}",
        lambda match: variables.get(match[1], match[2]),
        (ROOT / "docker-compose.yml").read_text(),
    )
    return yaml.safe_load(text)


def default_services(**variables: str) -> list[Any]:
    """The services that `docker compose up` starts, without a profile."""
    services = compose(**variables)["services"].values()
    return [service for service in services if "profiles" not in service]


def test_compose_runs_one_service_with_the_documented_names() -> None:
    [service] = default_services()

    assert service["container_name"] == "ci-observer-dashboard-prod"
    assert service["ports"] == ["8089:8089"]
    assert service["volumes"] == ["./data:/app/data"]
    assert service["restart"] == "unless-stopped"


def test_three_variables_separate_a_second_instance() -> None:
    variables = {
        "CI_OBSERVER_NAME": "test",
        "CI_OBSERVER_PORT": "8090",
        "CI_OBSERVER_DATA": "./data-test",
    }
    [service] = default_services(**variables)

    name = compose(**variables)["name"]
    assert (name, service["container_name"], service["image"]) == (
        "test",
        "test",
        "test",
    )
    assert service["ports"] == ["8090:8089"]
    assert service["volumes"] == ["./data-test:/app/data"]
    assert "CI_OBSERVER_PORT=8089" in service["environment"]


@pytest.mark.parametrize("name", ["ci-observer", "litestream", "replica"])
def test_the_container_has_only_the_capabilities_to_change_its_user(name: str) -> None:
    service = compose()["services"][name]

    assert service["cap_drop"] == ["ALL"]
    assert service["cap_add"] == ["CHOWN", "SETGID", "SETUID"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 (its only writable place)


def test_the_profile_of_replicas_has_an_image_with_litestream() -> None:
    services = compose(REPLICA_URL="s3://bucket/path", REPLICA_PORTS="8090-8099")
    litestream, replica = (services["services"][n] for n in ("litestream", "replica"))

    for service in (litestream, replica):
        assert service["profiles"] == ["replicas"]
        assert service["build"]["args"] == {"EXTRAS": "replica"}
        assert service["image"] == "ci-observer-dashboard-prod-replica"
        assert not any("GITHUB" in line for line in service["environment"])
    assert litestream["volumes"] == ["./data:/app/data"]
    assert replica["command"] == ["replica", "s3://bucket/path"]
    assert replica["ports"] == ["8090-8099:8089"]
    # A disk of its own.
    assert replica["volumes"] == ["/app/data"]


def test_only_the_replicas_have_the_credentials_of_the_s3_server() -> None:
    [service] = default_services()

    assert not any("AWS" in line for line in service["environment"])


def test_the_image_is_built_from_existing_files() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line.removeprefix("!") for line in ignore if line.startswith("!")]
    assert [name for name in kept if not (ROOT / name).exists()] == []
    links = {
        path.name for path in (ROOT / "ci_observer").iterdir() if path.is_symlink()
    }
    assert links | {"ci_observer"} <= set(kept)
    assert not {".env", "data", ".git", "tests"} & set(kept)


def test_the_image_installs_locked_packages_only() -> None:
    installs = re.findall(r"pip install (.+?)(?: \\)?$", DOCKERFILE, re.M)
    extras = [path.name for path in ROOT.glob("requirements-*.lock")]

    assert installs == [
        "--require-hashes -r requirements.lock",
        '--require-hashes -r "requirements-$extra.lock"',
        "--no-deps --no-build-isolation -e .",
    ]
    assert "ARG EXTRAS=\n" in DOCKERFILE
    assert {"requirements-replica.lock", "requirements-lake.lock"} <= set(extras)
    assert "apt-get" not in DOCKERFILE


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Fakes for the programs that only root can use; they print their arguments."""
    for name, text in {
        "id": 'echo "$ID"',
        "stat": 'case $2 in %u) echo "${OWNER%:*}";; %g) echo "${OWNER#*:}";; esac',
        "setpriv": 'echo "setpriv $*"',
    }.items():
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\n{text}\n")
        tool.chmod(0o755)
    return tmp_path


def enter(
    tools: Path, uid: int, owner: str, *command: str
) -> "subprocess.CompletedProcess[str]":
    """Run the entrypoint as a user, with a data folder of another owner."""
    env = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "ID": str(uid),
        "OWNER": owner,
    }
    return subprocess.run(  # noqa: S603 (our own script)
        [ENTRYPOINT, *(command or ("echo", "it", "runs"))],
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("owner", "user"),
    [
        ("1000:1000", "--ruid 10002 --euid 1000"),
        ("1234:50", "--ruid 10002 --euid 1234"),
        ("0:0", "--ruid 10002 --euid 10001"),
        ("10002:10002", "--ruid 10003 --euid 10002"),
    ],
)
def test_root_becomes_the_owner_of_the_data_and_web_another_user(
    tools: Path, owner: str, user: str
) -> None:
    result = enter(tools, 0, owner)

    assert result.returncode == 0
    assert result.stdout.splitlines()[-1] == (
        f"setpriv {user} --regid 10001 --clear-groups --no-new-privs -- echo it runs"
    )


def test_litestream_is_one_user(tools: Path) -> None:
    result = enter(tools, 0, "1000:1000", "litestream", "replicate")

    assert result.stdout.splitlines()[-1].startswith("setpriv --ruid 1000 --euid 1000 ")


def test_files_in_a_folder_that_only_its_owner_may_open_get_its_owner(
    tools: Path,
) -> None:
    """Root without CAP_DAC_OVERRIDE cannot look into it; here it does not exist."""
    result = enter(tools, 0, "1000:1000")

    assert result.stdout.splitlines()[0] == (
        "setpriv --reuid 1000 --regid 10001 --clear-groups "
        "--inh-caps -all,+chown --ambient-caps -all,+chown "
        "find /app/data -depth -maxdepth 1 ! -user 1000 -exec chown -h 1000:10001 {} +"
    )


def test_another_user_stays_unchanged(tools: Path) -> None:
    result = enter(tools, 1000, "1000:1000")

    assert (result.returncode, result.stdout) == (0, "it runs\n")


def test_with_another_user_up_says_that_it_is_one(tools: Path) -> None:
    result = enter(tools, 1000, "1000:1000", "echo", "up")

    assert "Ingest and web run as one user, uid 1000" in result.stderr
    assert "one user" not in enter(tools, 1000, "1000:1000").stderr


def test_the_users_of_the_image_are_the_entrypoints() -> None:
    uids = re.findall(r"useradd --uid (\d+)", DOCKERFILE)

    assert uids == re.findall(r"^(?:app|web)=(\d+)$", ENTRYPOINT.read_text(), re.M)


class Web(BaseHTTPRequestHandler):
    """A web server whose response to the health check has the given status."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/api/health" else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing instead of a line per request."""


@pytest.fixture
def web() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check_health(port: int) -> int:
    env = {"CI_OBSERVER_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, str(HEALTHCHECK)]
    return subprocess.run(  # noqa: S603 (our own script)
        command, env=env, check=False, stderr=subprocess.DEVNULL
    ).returncode


@pytest.mark.parametrize(
    ("status", "code"), [(200, 0), (302, 0), (401, 0), (503, 0), (500, 1)]
)
def test_the_health_check_passes_if_the_web_side_responds(
    web: ThreadingHTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: int,
) -> None:
    monkeypatch.setattr(Web, "status", status)

    assert check_health(web.server_port) == code


def test_the_health_check_fails_without_a_server(
    web: ThreadingHTTPServer,
) -> None:
    port = web.server_port
    web.server_close()

    assert check_health(port) == 1
