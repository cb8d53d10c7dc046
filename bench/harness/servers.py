"""The measured servers: each is a process, started as a user starts it."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ci_observer.ingest.commands.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 120
RETRY_SECONDS = 0.005
STOP_TIMEOUT = 60
RESPONSE_TIMEOUT = 60
HOST = "127.0.0.1"
MINIMAL_PATH = "/minimal"
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Response:
    """A complete response, and the seconds it took."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float


@dataclass(frozen=True)
class Server:
    """A running server; `start_seconds` is the time until its first 200."""

    pid: int
    port: int
    start_seconds: float
    connection: http.client.HTTPConnection

    def cpu_seconds(self) -> float:
        """The CPU time of its processes since their start; works on Linux only.

        A process that has ended counts with its parent.
        """
        return sum(map(cpu_seconds, self.pids()))

    def running_seconds(self) -> float:
        """The CPU time of its living threads, to the microsecond; on Linux only."""
        return sum(map(_running_seconds, self.pids()))

    def pids(self) -> list[int]:
        """The process and its descendants; works on Linux only."""
        pids = [self.pid]
        for pid in pids:
            # A process or a thread may end meanwhile.
            with suppress(OSError):
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    pids += map(int, (thread / "children").read_text().split())
        return pids

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """Send a request over a connection that stays open, like a browser's."""
        try:
            return send_request(self.connection, path, headers)
        except ConnectionError:  # The server closed the idle connection.
            self.connection.close()
            return send_request(self.connection, path, headers)

    def get_ok(self, path: str) -> Response:
        """Like `get`, but fails unless the status is 200."""
        response = self.get(path)
        if response.status != http.client.OK:
            raise SystemExit(f"{path} returned {response.status}: {response.body!r}")
        return response


def cpu_seconds(pid: int) -> float:
    """The time of a process and of those of its children that have ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # It has ended.
        return 0
    # The fields follow the name in brackets, which may contain spaces.
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _CLOCK_TICKS


def _running_seconds(pid: int) -> float:
    nanoseconds = 0
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            # A thread may end meanwhile.
            with suppress(OSError):
                nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def send_request(
    connection: http.client.HTTPConnection,
    path: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send a GET request; connecting is not part of the measured time."""
    if connection.sock is None:
        connection.connect()
    start = time.perf_counter()
    connection.request("GET", path, headers=dict(headers or {}))
    response = connection.getresponse()
    body = response.read()
    seconds = time.perf_counter() - start
    return Response(response.status, response.headers, body, seconds)


def connection_to(port: int, *, source: str = HOST) -> http.client.HTTPConnection:
    """A connection that opens with its first request, from an address of loopback."""
    return http.client.HTTPConnection(
        HOST, port, timeout=RESPONSE_TIMEOUT, source_address=(source, 0)
    )


@contextmanager
def ci_observer(db: Path) -> Iterator[Server]:
    """`ci-observer serve`, ready to serve its wall."""
    port = free_port()
    environment = {"CI_OBSERVER_DB": str(db), "CI_OBSERVER_PORT": str(port)}
    with start_server(["-m", "ci_observer", "serve"], port, environment) as server:
        yield server


@contextmanager
def up(db: Path) -> Iterator[Server]:
    """`ci-observer up`, the container's command, without settings to poll with."""
    port = free_port()
    environment = {
        "CI_OBSERVER_DB": str(db),
        "CI_OBSERVER_PORT": str(port),
        "GH_REPOS": "",
        "GH_WORKFLOWS": "",
    }
    with start_server(["-m", "ci_observer", "up"], port, environment) as server:
        yield server


@contextmanager
def one_process(db: Path) -> Iterator[Server]:
    """The same pages without processes for SQL, see `bench.baselines.one_process`."""
    port = free_port()
    command = uvicorn_arguments("bench.baselines.one_process:app", port)
    with start_server(command, port, {"BENCH_DB": str(db)}) as server:
        yield server


@contextmanager
def fastapi(db: Path) -> Iterator[Server]:
    """The baseline of `/api/runs`, see `bench.baselines.fastapi_runs`."""
    port = free_port()
    command = uvicorn_arguments("bench.baselines.fastapi_runs:app", port)
    with start_server(
        command, port, {"BENCH_DB": str(db)}, path="/runs?limit=1"
    ) as server:
        yield server


@contextmanager
def minimal_datasette() -> Iterator[Server]:
    """Datasette with one route that returns a small constant body."""
    port = free_port()
    with start_server(
        uvicorn_arguments("bench.baselines.minimal_datasette:app", port),
        port,
        path=MINIMAL_PATH,
    ) as server:
        yield server


@contextmanager
def stock_datasette(db: Path) -> Iterator[Server]:
    """`datasette serve` on the database, without plugins."""
    port = free_port()
    command = ["-m", "datasette", "serve", str(db), "--port", str(port)]
    with start_server(command, port) as server:
        yield server


def uvicorn_arguments(app: str, port: int) -> list[str]:
    """uvicorn with the options of `ci-observer serve`: one worker, no access log."""
    fast = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    return ["-m", "uvicorn", app, "--port", str(port), *fast]


@contextmanager
def start_server(
    arguments: Sequence[str],
    port: int,
    environment: Mapping[str, str] | None = None,
    *,
    path: str = "/",
) -> Iterator[Server]:
    """A Python process that serves the port; ready when `path` returns 200.

    Its output is only shown if it does not start. It is stopped with the block.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        start = time.perf_counter()
        with log.open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 (fixed arguments)
                [sys.executable, *arguments],
                # Not the caller's folder, which may contain a .env file.
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(environment or {}),
                stdout=output,
                stderr=output,
            )
        try:
            if not _wait_until_ready(child, port, path):
                text = log.read_text(errors="replace")
                raise SystemExit(f"{' '.join(arguments)} did not start:\n{text}")
            start_seconds = time.perf_counter() - start
            with closing(connection_to(port)) as connection:
                yield Server(child.pid, port, start_seconds, connection)
        finally:
            child.terminate()
            child.wait(STOP_TIMEOUT)


def _wait_until_ready(child: "subprocess.Popen[bytes]", port: int, path: str) -> bool:
    """Retry until the path returns 200. False if the process ends or times out."""
    last = time.perf_counter() + START_TIMEOUT
    while child.poll() is None and time.perf_counter() < last:
        with suppress(OSError), closing(connection_to(port)) as connection:
            if send_request(connection, path).status == http.client.OK:
                return True
        time.sleep(RETRY_SECONDS)
    return False
