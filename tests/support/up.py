"""A running `ci-observer up` and its processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from waiting import HANG_SECONDS, eventually

from ci_observer.ingest.commands.ports import free_port

PROC = Path("/proc")
TOKEN = "ghp_thisMustNotShowAnywhere0123456789"  # noqa: S105 (of the simulated GitHub)
UP = [sys.executable, "-m", "ci_observer", "up"]
DEMO = [sys.executable, "-m", "ci_observer", "demo"]
# A process whose output is its terminal: closing the output sends it SIGHUP.
ON_A_TERMINAL = [
    sys.executable,
    str(Path(__file__).parent / "on_a_terminal.py"),
]


class Up:
    """A running `ci-observer up` and its processes in `/proc`."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def is_serving(self) -> bool:
        try:
            return self.get("/api/config").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=HANG_SECONDS, trust_env=False)

    def tree(self) -> list[int]:
        """The ids of the supervisor and all its descendants."""
        return [self.process.pid, *descendants(self.process.pid)]

    def pid_of(self, command: str) -> int | None:
        """The id of the process that runs a command, None before it starts."""
        for pid in children(self.process.pid):
            # Not the launcher, which becomes that process.
            is_command = command_line(pid)[-3:] == ["-m", "ci_observer", command]
            if is_command and group_of(pid) == pid:
                return pid
        return None


def responds(up: Up) -> bool:
    """Whether the web side responds, with any status."""
    try:
        return bool(up.get("/api/health").status_code)
    except httpx.HTTPError:
        return False


def children(pid: int) -> list[int]:
    parents = {
        int(path.name): stat.rpartition(")")[2].split()[1]
        for path in PROC.iterdir()
        if path.name.isdigit() and (stat := read(path / "stat"))
    }
    return [child for child, parent in parents.items() if parent == str(pid)]


def descendants(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        found += children(each)
    return found[1:]


def kill(pid: int) -> None:
    """Kill a process, and wait for the end of all that it has started.

    They end by themselves. Until then they still respond to requests.
    """
    pids = [pid, *descendants(pid)]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: have_ended(pids))


def group_of(pid: int) -> int | None:
    """The process group, None after the end. Supervisor gives a process its own.

    The orphans of a killed process stay in that of their parent.
    """
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def command_line(pid: int) -> list[str]:
    return read(PROC / str(pid) / "cmdline").rstrip("\0").split("\0")


def environment(pid: int) -> list[str]:
    return read(PROC / str(pid) / "environ").split("\0")


def read(path: Path) -> str:
    """The text of a file in /proc; empty if the process has ended."""
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid: int) -> bool:
    stat = read(PROC / str(pid) / "stat")
    return bool(stat) and stat.rpartition(")")[2].split()[0] != "Z"


def have_ended(pids: list[int]) -> bool:
    return not any(is_running(pid) for pid in pids)


def environ(folder: Path, port: int, **settings: str) -> dict[str, str]:
    """An environment with these settings, and temporary files in the folder."""
    (folder / "tmp").mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder / "tmp"),
        "CI_OBSERVER_PORT": str(port),
        **settings,
    }


def run_up(env: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """The result of an `up` that ends by itself."""
    return subprocess.run(  # noqa: S603 (our own command)
        UP,
        check=False,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )


@contextmanager
def running_up(
    folder: Path,
    output: int,
    before: Sequence[str] = (),
    command: Sequence[str] = UP,
    port: int | None = None,
    is_ready: Callable[[Up], bool] = Up.is_serving,
    **settings: str,
) -> Iterator[Up]:
    """A serving `up` with its output on a file descriptor, started by a command."""
    port = port or free_port()
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [*before, *command],
        cwd=folder,
        env=environ(folder, port, **settings),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    up = Up(process, port)
    try:
        eventually(lambda: is_ready(up))
        yield up
    finally:
        pids = up.tree()
        process.terminate()
        try:
            process.wait(HANG_SECONDS)
        finally:
            for pid in filter(is_running, pids):
                os.kill(pid, signal.SIGKILL)
