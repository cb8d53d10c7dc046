"""A load generator: sends requests over some connections and times each response.

It is a process (`python -m bench.harness.http_load`, a `Load` as JSON on stdin, a
`LoadResult` on stdout), so that its CPU time is not the server's. Both share two cores,
so it is a small protocol on uvloop and the parser of httptools: 4 microseconds of CPU
time for a response of 60 bytes, 8 for 65 kB, and up to 80,000 requests a second.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import cast

import httptools
import uvloop

from bench.harness.servers import ROOT

HOST = "127.0.0.1"
EXPECTED_STATUSES = (200, 304)
EXIT_TIMEOUT = 60


@dataclass(frozen=True, kw_only=True)
class Load:
    """The requests: the paths in turn, one request at a time on each connection."""

    port: int
    paths: Sequence[str]
    connections: int = 16
    seconds: float = 2.0
    warm_up: float = 0.5
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """The figures of all responses, whose status was 200 or 304."""

    responses: int  # including the warm-up, which all other figures exclude
    per_second: float
    p50_ms: float
    p99_ms: float
    bytes_per_response: float
    cpu_seconds: float  # of the load generator


def run(load: Load) -> LoadResult:
    """Generate the load in another process.

    Raises `CalledProcessError` if a response is an error.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.harness.http_load"],
        cwd=ROOT,
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=load.seconds + load.warm_up + EXIT_TIMEOUT,
    )
    return LoadResult(**json.loads(done.stdout))


def request_bytes(path: str, headers: dict[str, str]) -> bytes:
    """A complete GET request."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class Tally:
    """The counts and times of all connections."""

    def __init__(self, load: Load) -> None:
        self.begin = time.perf_counter() + load.warm_up
        self.end = self.begin + load.seconds
        self.seconds: list[float] = []
        self.bytes = 0
        self.responses = 0
        self.cpu_before = time.process_time()
        self.error: str | None = None

    def result(self) -> LoadResult:
        if self.error or not self.seconds:
            raise SystemExit(self.error or "There was no response in time.")
        duration = time.perf_counter() - self.begin
        self.seconds.sort()
        return LoadResult(
            responses=self.responses,
            per_second=len(self.seconds) / duration,
            p50_ms=statistics.median(self.seconds) * 1000,
            p99_ms=self.seconds[len(self.seconds) * 99 // 100] * 1000,
            bytes_per_response=self.bytes / len(self.seconds),
            cpu_seconds=time.process_time() - self.cpu_before,
        )


class LoadConnection(asyncio.Protocol):
    """One connection, which sends the next request after each response."""

    def __init__(self, requests: Iterator[bytes], tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._parser = httptools.HttpResponseParser(self)
        self._sent_at = 0.0
        self._bytes = 0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._bytes += len(data)
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if time.perf_counter() < self._tally.end and not self._tally.error:
            self._tally.error = f"The server closed a connection: {exc}"
        self.closed.set_result(None)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of a response."""
        now, tally = time.perf_counter(), self._tally
        status = self._parser.get_status_code()
        if status not in EXPECTED_STATUSES:
            tally.error = f"{self._request.decode()} returned {status}."
        tally.responses += 1
        if now >= tally.begin:
            tally.seconds.append(now - self._sent_at)
            tally.bytes += self._bytes
        if now < tally.end and not tally.error:
            self._send()
        else:
            self._transport.close()

    def _send(self) -> None:
        self._request = next(self._requests)
        self._bytes = 0
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)


async def generate(load: Load) -> LoadResult:
    """Generate the load in this process."""
    requests = cycle([request_bytes(path, load.headers) for path in load.paths])
    loop = asyncio.get_running_loop()
    tally = Tally(load)
    connections = [
        await loop.create_connection(
            lambda: LoadConnection(requests, tally), HOST, load.port
        )
        for _ in range(load.connections)
    ]
    await asyncio.gather(*(protocol.closed for _, protocol in connections))
    return tally.result()


def main() -> None:
    """Generate the load that is described on stdin."""
    load = Load(**json.load(sys.stdin))
    json.dump(asdict(uvloop.run(generate(load))), sys.stdout)


if __name__ == "__main__":
    main()
