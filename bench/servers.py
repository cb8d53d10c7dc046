"""The servers that are measured, each a process started as its users start it."""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS_TO_START = 60
SECONDS_BETWEEN = 0.005
SECONDS_TO_END = 10
SECONDS_TO_ANSWER = 60
HOST = "127.0.0.1"
BARE = "/bare"
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Answer:
    """One whole answer, and how many seconds it took."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float


@dataclass(frozen=True)
class Server:
    """A running server; `started` is how many seconds its first 200 took."""

    pid: int
    port: int
    started: float
    connection: http.client.HTTPConnection

    def cpu_seconds(self) -> float:
        """The processor time of all its life so far; Linux tells."""
        # After the name in brackets, which may hold spaces.
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _CLOCK_TICKS

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask once, over a connection that stays open as a browser's does."""
        try:
            return ask(self.connection, path, headers)
        except ConnectionError:  # It was idle for too long.
            self.connection.close()
            return ask(self.connection, path, headers)

    def fetch(self, path: str) -> Answer:
        """Ask for what must be there."""
        answer = self.get(path)
        if answer.status != http.client.OK:
            raise SystemExit(f"{path} was answered {answer.status}: {answer.body!r}")
        return answer


def ask(
    connection: http.client.HTTPConnection,
    path: str,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask once; how long it takes begins when the connection is there."""
    if connection.sock is None:
        connection.connect()
    begun = time.perf_counter()
    connection.request("GET", path, headers=dict(headers or {}))
    response = connection.getresponse()
    body = response.read()
    seconds = time.perf_counter() - begun
    return Answer(response.status, response.headers, body, seconds)


def connection_to(port: int) -> http.client.HTTPConnection:
    """A connection that is made with the first question."""
    return http.client.HTTPConnection(HOST, port, timeout=SECONDS_TO_ANSWER)


@contextmanager
def ours(db: Path) -> Iterator[Server]:
    """`ci-observer serve`, answering its wall."""
    port = free_port()
    environment = {"CI_OBSERVER_DB": str(db), "CI_OBSERVER_PORT": str(port)}
    with serving(["-m", "ci_observer", "serve"], port, environment) as server:
        yield server


@contextmanager
def fastapi(db: Path) -> Iterator[Server]:
    """The baseline of the API; see `bench.baseline_api`."""
    port = free_port()
    command = uvicorn("bench.baseline_api:app", port)
    with serving(command, port, {"BENCH_DB": str(db)}, path="/runs?limit=1") as server:
        yield server


@contextmanager
def bare_route() -> Iterator[Server]:
    """Datasette alone, with one route of a fixed small body."""
    port = free_port()
    with serving(uvicorn("bench.bare_datasette:app", port), port, path=BARE) as server:
        yield server


@contextmanager
def stock_datasette(db: Path) -> Iterator[Server]:
    """Datasette as it comes, on the database."""
    port = free_port()
    command = ["-m", "datasette", "serve", str(db), "--port", str(port)]
    with serving(command, port) as server:
        yield server


def uvicorn(app: str, port: int) -> list[str]:
    """uvicorn as `ci-observer serve` has it: one worker, no line per request."""
    fast = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    return ["-m", "uvicorn", app, "--port", str(port), *fast]


@contextmanager
def serving(
    arguments: Sequence[str],
    port: int,
    environment: Mapping[str, str] | None = None,
    *,
    path: str = "/",
) -> Iterator[Server]:
    """A Python process that serves the port, once `path` is answered 200 there.

    What it writes is shown only when it does not start. It is ended with the block.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        begun = time.perf_counter()
        with log.open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 (our own words)
                [sys.executable, *arguments],
                # Not the caller's folder: there may be a .env file.
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(environment or {}),
                stdout=output,
                stderr=output,
            )
        try:
            if not _answers(child, port, path):
                text = log.read_text(errors="replace")
                raise SystemExit(f"{' '.join(arguments)} has not started:\n{text}")
            started = time.perf_counter() - begun
            with closing(connection_to(port)) as connection:
                yield Server(child.pid, port, started, connection)
        finally:
            child.terminate()
            child.wait(SECONDS_TO_END)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
    return port


def _answers(child: "subprocess.Popen[bytes]", port: int, path: str) -> bool:
    """Whether the process comes to answer 200; asked every few milliseconds."""
    last = time.perf_counter() + SECONDS_TO_START
    while child.poll() is None and time.perf_counter() < last:
        with suppress(OSError), closing(connection_to(port)) as connection:
            if ask(connection, path).status == http.client.OK:
                return True
        time.sleep(SECONDS_BETWEEN)
    return False
