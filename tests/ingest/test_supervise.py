"""`ci-observer up` as real processes on loopback, with a simulated GitHub."""

import os
import pty
import signal
import socket
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from up import (
    ON_A_TERMINAL,
    PROC,
    TOKEN,
    Up,
    command_line,
    environ,
    environment,
    is_running,
    run_up,
    running_up,
)
from waiting import HANG_SECONDS, eventually

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.ingest.commands.ports import free_port

pytestmark = pytest.mark.skipif(
    not PROC.is_dir(), reason="needs Linux's /proc to look at processes"
)


@pytest.fixture(scope="module")
def github() -> Iterator[GitHubServer]:
    world = World("2026-03-02T09:00:00Z")
    world.add_run("acme/api", "ci.yml", conclusion="success")
    with GitHubServer(world, tokens={TOKEN: Token()}) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def up(folder: Path, github: GitHubServer) -> Iterator[Up]:
    """An `up` that has polled, with its output in a file."""
    reading, writing = os.pipe()
    with running_up(
        folder,
        writing,
        GITHUB_TOKEN=TOKEN,
        GITHUB_API_URL=github.url,
        GH_REPOS="acme/api",
        GH_WORKFLOWS="ci.yml",
        REFRESH_SECONDS="5",
    ) as up:
        os.close(writing)
        eventually(lambda: up.get("/api/config").json()["polling"]["state"] == "ok")
        (folder / "output").write_bytes(os.read(reading, 65536))
        # The reader of the output has ended, as in `up | head`.
        os.close(reading)
        yield up


def test_up_polls_and_serves(up: Up) -> None:
    runs = up.get("/api/runs").json()["runs"]

    assert [run["repo"] for run in runs] == ["acme/api"]
    assert up.pid_of("ingest")
    assert up.pid_of("serve")


def test_only_ingest_has_the_token(up: Up) -> None:
    [ingest, web] = [up.pid_of("ingest"), up.pid_of("serve")]
    assert ingest
    assert web

    assert f"GITHUB_TOKEN={TOKEN}" in environment(ingest)
    assert "PATH" in {line.partition("=")[0] for line in environment(web)}
    assert TOKEN not in "".join(environment(web))


def test_the_token_is_in_no_file_and_no_command_line(up: Up, folder: Path) -> None:
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    commands = [" ".join(command_line(pid)) for pid in up.tree()]

    assert {"ci_observer.db", "output", "supervisord.conf"} <= {p.name for p in files}
    # The supervisor, ingest, and the three processes of serve.
    assert len(commands) >= 5
    assert [p for p, data in files.items() if TOKEN.encode() in data] == []
    assert [text for text in commands if TOKEN in text] == []


def test_a_process_that_does_not_stop_is_killed_within_10_seconds(
    up: Up, folder: Path
) -> None:
    [path] = folder.rglob("supervisord.conf")
    config = ConfigParser(interpolation=None)
    config.read_string(path.read_text())
    programs = [name for name in config.sections() if name.startswith("program:")]

    assert len(programs) == 2
    assert all(config.getint(name, "stopwaitsecs") < 10 for name in programs)
    # Processes of several groups would be stopped one after the other.
    assert config.get("group:all", "programs") == "ingest,web"


def test_a_killed_ingest_comes_back_while_pages_are_served(
    up: Up, github: GitHubServer
) -> None:
    """Also after the reader of the output has ended."""
    killed = up.pid_of("ingest")
    assert killed
    github.log.clear()

    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        assert up.is_serving()
        return up.pid_of("ingest") not in (None, killed) and len(github.log) > 0

    eventually(is_back)


def test_sigterm_ends_every_process_with_exit_code_0(tmp_path: Path) -> None:
    """The output is a socket without a path, like that of systemd's journal."""
    ours, theirs = socket.socketpair()
    with ours, theirs, running_up(tmp_path, theirs.fileno()) as up:
        theirs.close()
        eventually(lambda: up.pid_of("ingest") and up.pid_of("serve"))
        pids = up.tree()

        up.process.terminate()

        assert up.process.wait(HANG_SECONDS) == 0
        assert [pid for pid in pids if is_running(pid)] == []
        assert list((tmp_path / "tmp").iterdir()) == []
        output = b"".join(iter(lambda: ours.recv(65536), b"")).decode()

    assert "GH_REPOS and GH_WORKFLOWS are empty" in output
    assert up.url in output


def test_a_closed_terminal_ends_every_process(tmp_path: Path) -> None:
    """Supervisor by itself restarts on SIGHUP, without an output to write to."""
    ours, theirs = pty.openpty()
    with running_up(tmp_path, theirs, ON_A_TERMINAL) as up:
        os.close(theirs)
        eventually(lambda: up.pid_of("ingest") and up.pid_of("serve"))
        pids = up.tree()

        os.close(ours)

        up.process.wait(HANG_SECONDS)
        assert [pid for pid in pids if is_running(pid)] == []
        assert list((tmp_path / "tmp").iterdir()) == []


def test_with_nohup_a_closed_terminal_ends_nothing(tmp_path: Path) -> None:
    with running_up(tmp_path, subprocess.DEVNULL, ["nohup"]) as up:
        eventually(lambda: up.pid_of("ingest") and up.pid_of("serve"))
        pids = up.tree()

        up.process.send_signal(signal.SIGHUP)
        os.kill(killed := up.pid_of("ingest") or 0, signal.SIGKILL)

        eventually(lambda: up.pid_of("ingest") not in (None, killed))
        assert [pid for pid in pids if not is_running(pid)] == [killed]


def test_a_wrong_setting_stops_the_start_with_exit_code_2(tmp_path: Path) -> None:
    env = environ(tmp_path, free_port(), GITHUB_TOKEN=TOKEN, REFRESH_SECONDS="2")

    result = run_up(env, tmp_path)

    assert (result.returncode, result.stdout, result.stderr) == (
        2,
        "",
        "Error: REFRESH_SECONDS: '2' is not a whole number from 5 to 86400.\n",
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["tmp"]


def test_a_busy_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_up(environ(tmp_path, port), tmp_path)

    assert result.returncode == 2
    assert result.stderr == (
        f"Error: CI_OBSERVER_PORT: cannot serve on 127.0.0.1:{port} (Address already "
        "in use). Stop the process that uses it, or set CI_OBSERVER_PORT to a free "
        "port.\n"
    )
    assert list((tmp_path / "tmp").iterdir()) == []
