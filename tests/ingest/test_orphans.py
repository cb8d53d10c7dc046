"""kill -9 of the processes of `up` and `demo`: what ends with which, and what stays."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from up import (
    DEMO,
    PROC,
    UP,
    Up,
    children,
    command_line,
    descendants,
    have_ended,
    is_running,
    kill,
    running_up,
)
from waiting import HANG_SECONDS, eventually

from ci_observer.ingest.commands import launch
from ci_observer.ingest.commands.ports import free_port

pytestmark = pytest.mark.skipif(
    not PROC.is_dir(), reason="needs Linux's /proc to look at processes"
)


@pytest.mark.parametrize(
    ("command", "programs"),
    [(UP, {"ingest", "serve"}), (DEMO, {"ci_observer.demo", "ingest", "serve"})],
)
def test_no_process_outlives_a_killed_supervisor(
    tmp_path: Path, command: list[str], programs: set[str]
) -> None:
    with running_up(tmp_path, subprocess.DEVNULL, command=command) as up:

        def are_all_there() -> bool:
            words = {word for pid in up.tree()[1:] for word in command_line(pid)}
            return programs <= words

        eventually(are_all_there)
        pids = up.tree()

        up.process.kill()
        up.process.wait(HANG_SECONDS)

        eventually(lambda: have_ended(pids))


def test_after_a_killed_supervisor_the_same_command_starts_at_once(
    tmp_path: Path,
) -> None:
    port = free_port()
    with running_up(tmp_path, subprocess.DEVNULL, port=port) as up:
        pids = up.tree()
        up.process.kill()
        up.process.wait(HANG_SECONDS)
        eventually(lambda: have_ended(pids))

    with running_up(tmp_path, subprocess.DEVNULL, port=port) as up:
        assert up.process.poll() is None
        eventually(lambda: up.pid_of("ingest"))


def test_a_killed_web_process_comes_back_and_ingest_stays(tmp_path: Path) -> None:
    with running_up(tmp_path, subprocess.DEVNULL) as up:
        ingest = eventually(lambda: up.pid_of("ingest"))
        killed = up.pid_of("serve") or 0

        kill(killed)

        eventually(lambda: up.pid_of("serve") not in (None, killed) and is_up(up))
        assert up.pid_of("ingest") == ingest


def test_orphans_of_a_killed_web_process_do_not_keep_the_wal_file(
    tmp_path: Path,
) -> None:
    """They end by themselves, but maybe after the supervisor."""
    path = tmp_path / "ci_observer.db"
    with running_up(tmp_path, subprocess.DEVNULL, CI_OBSERVER_DB=str(path)) as up:
        killed = eventually(lambda: up.pid_of("serve"))
        assert up.get("/ci_observer/runs.json").status_code == 200
        offspring = descendants(killed)
        assert [pid for pid in offspring if has_open(pid, path)]
        for pid in offspring:
            os.kill(pid, signal.SIGSTOP)
        os.kill(killed, signal.SIGKILL)

        up.process.terminate()

        assert up.process.wait(HANG_SECONDS) == 0
        assert have_ended(offspring)
        names = {file.name for file in tmp_path.glob("ci_observer.db*")}
        assert names == {"ci_observer.db", "ci_observer.db.lock"}


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has opened a file; a worker opens it for a statement."""
    folder = PROC / str(pid) / "fd"
    return str(path) in [os.readlink(folder / name) for name in os.listdir(folder)]


def is_up(up: Up) -> bool:
    return up.is_serving()


def test_a_process_whose_parent_has_ended_already_does_not_start() -> None:
    spec = {"parent": 1, "outputs": [1, 2], "unset": [], "user": None}
    result = subprocess.run(  # noqa: S603 (our own script)
        [sys.executable, launch.__file__, json.dumps(spec), "this"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "The supervising process has ended.\n"


def test_without_the_kernel_s_help_a_process_watches_its_parent(tmp_path: Path) -> None:
    """As on macOS: a module runs in the process that watches."""
    (tmp_path / "waits.py").write_text(
        "import signal, sys\nprint(*sys.argv, flush=True)\nsignal.pause()\n"
    )
    start = (
        "import os, subprocess, sys, signal\n"
        "subprocess.Popen([sys.executable, sys.argv[1], '--watch', str(os.getpid()),"
        " 'waits', 'an argument'])\n"
        "signal.pause()\n"
    )
    parent = subprocess.Popen(  # noqa: S603 (our own script)
        [sys.executable, "-c", start, launch.__file__],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        said = parent.stdout.readline()
        [child] = children(parent.pid)
        assert said.endswith("waits.py an argument\n")
        assert "--watch" in command_line(child)

        parent.kill()

        eventually(lambda: not is_running(child))
