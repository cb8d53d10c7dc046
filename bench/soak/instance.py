"""The simulated GitHub and `ci-observer up` that polls it, as processes."""

import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from bench.harness.servers import HOST
from bench.soak.judge import RunState, Sample
from bench.soak.processes import LASTING, memory_bytes, open_files, processes_of
from ci_observer.ingest.commands.ports import free_port

START_SECONDS = 120
STOP_SECONDS = 20
REFRESH_SECONDS = 5
# It is not part of `*`.
DYNAMIC = "dynamic/pages/pages-build-deployment"


class SimulatedGitHub:
    """The lively world, controlled over HTTP."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def control(self, method: str, name: str, body: Any = None) -> Any:
        """Send a request to `/_sim/…`."""
        request = urllib.request.Request(  # noqa: S310 (loopback)
            f"{self._origin}/_sim/{name}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            return json.load(response)

    def runs(self, since: str) -> dict[int, RunState]:
        """The runs of all workflows that were created since a time, as they are now."""
        return {
            run["run_id"]: RunState(run["run_attempt"], run["status"] == "completed")
            for run in self.control("GET", "runs")
            if run["created_at"] >= since
        }


class Instance:
    """A running `ci-observer up`."""

    def __init__(self, pid: int, port: int, database: Path) -> None:
        self.pid = pid
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._database = database

    def lasting(self) -> dict[str, int]:
        """The ids of the processes that live as long as the instance."""
        return {name: pid for name, pid in processes_of(self.pid) if name in LASTING}

    def sample(self, seconds: float) -> Sample:
        """Measure all processes now."""
        memory: dict[str, int] = {}
        files: dict[str, int] = {}
        for name, pid in processes_of(self.pid):
            memory[name] = memory.get(name, 0) + memory_bytes(pid)
            files[name] = files.get(name, 0) + open_files(pid)
        wal = Path(f"{self._database}-wal")
        wal_bytes = wal.stat().st_size if wal.exists() else 0
        return Sample(seconds, memory, files, wal_bytes, self._count_runs())

    def archived(self) -> dict[int, RunState]:
        """The runs in the database."""
        with self._connect() as conn:
            rows = conn.execute("select run_id, run_attempt, status from runs")
            return {
                run_id: RunState(attempt, status == "completed")
                for run_id, attempt, status in rows
            }

    def _count_runs(self) -> int:
        with self._connect() as conn:
            [count] = conn.execute("select count(*) from runs").fetchone()
        return int(count)

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        uri = f"file:{self._database}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=60)) as conn:
            yield conn


@contextmanager
def simulated_github() -> Iterator[tuple[SimulatedGitHub, dict[str, str]]]:
    """The simulated GitHub, and the settings that watch it."""
    port = free_port()
    command = [sys.executable, "-m", "ci_observer.demo", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            settings = _read_settings(process)
            yield SimulatedGitHub(settings["GITHUB_API_URL"]), settings
        finally:
            process.terminate()


def _read_settings(process: "subprocess.Popen[str]") -> dict[str, str]:
    """The four lines that it prints, with GitHub's own workflow in addition."""
    output = cast("IO[str]", process.stdout)
    lines = [output.readline().strip() for _ in range(4)]
    settings = dict(line.split("=", 1) for line in lines)
    settings["GH_WORKFLOWS"] += f",{DYNAMIC}"
    return settings


@contextmanager
def running_instance(
    settings: dict[str, str], folder: Path, *, days: int
) -> Iterator[Instance]:
    """An `up` that has stored the newest runs, with its log in `folder / "log"`."""
    port, database = free_port(), folder / "ci_observer.db"
    environ = os.environ | settings
    environ |= {
        "REFRESH_SECONDS": str(REFRESH_SECONDS),
        "HISTORY_DAYS": str(days),
        "CI_OBSERVER_DB": str(database),
        "CI_OBSERVER_PORT": str(port),
    }
    command = [sys.executable, "-m", "ci_observer", "up"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, env=environ, stdout=log, stderr=log
        )
    try:
        instance = Instance(process.pid, port, database)
        wait_until(lambda: _is_healthy(instance), START_SECONDS)
        yield instance
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _is_healthy(instance: Instance) -> bool:
    with suppress(OSError):
        urllib.request.urlopen(f"{instance.url}/api/health", timeout=10).close()  # noqa: S310
        return True
    return False


def wait_until(is_true: Callable[[], bool], seconds: float) -> bool:
    """Ask every second until it is true; False after some seconds."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True
