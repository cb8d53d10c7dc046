"""Asks a server as fast as it answers, over some connections, and times each answer.

A process of its own (`python -m bench.load`, a `Load` as JSON on stdin, a `Result` on
stdout), so that its work is not the server's. It shares two cores with the server all
the same, so it is a bare protocol on uvloop and httptools' parser: 4 microseconds of
processor time for an answer of 60 bytes, 8 for one of 65 kB, and a server that does
nothing is asked 80,000 times a second.
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

from bench.servers import ROOT

HOST = "127.0.0.1"
GOOD = (200, 304)
SECONDS_TO_END = 60


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to ask for, and how: the paths in turn, each connection one at a time."""

    port: int
    paths: Sequence[str]
    connections: int = 16
    seconds: float = 2.0
    warm_up: float = 0.5
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the answers took; all of them were 200 or 304."""

    answered: int  # with the warm-up, to which nothing else belongs
    per_second: float
    p50_ms: float
    p99_ms: float
    bytes_per_answer: float
    cpu_seconds: float  # of the process that asks


def run(load: Load) -> Result:
    """Make the load in a process of its own.

    Raises `CalledProcessError` when an answer is an error.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        cwd=ROOT,
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=load.seconds + load.warm_up + SECONDS_TO_END,
    )
    return Result(**json.loads(done.stdout))


def request_bytes(path: str, headers: dict[str, str]) -> bytes:
    """A GET request, complete."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class Tally:
    """What all connections have seen since the warm-up."""

    def __init__(self, load: Load) -> None:
        self.begin = time.perf_counter() + load.warm_up
        self.end = self.begin + load.seconds
        self.seconds: list[float] = []
        self.bytes = 0
        self.answered = 0
        self.cpu_before = time.process_time()
        self.error: str | None = None

    def result(self) -> Result:
        if self.error or not self.seconds:
            raise SystemExit(self.error or "Nothing was answered in time.")
        took = time.perf_counter() - self.begin
        self.seconds.sort()
        return Result(
            answered=self.answered,
            per_second=len(self.seconds) / took,
            p50_ms=statistics.median(self.seconds) * 1000,
            p99_ms=self.seconds[len(self.seconds) * 99 // 100] * 1000,
            bytes_per_answer=self.bytes / len(self.seconds),
            cpu_seconds=time.process_time() - self.cpu_before,
        )


class Asking(asyncio.Protocol):
    """One connection: a request, its answer, and the next, until the time is over."""

    def __init__(self, requests: Iterator[bytes], tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._parser = httptools.HttpResponseParser(self)
        self._begun = 0.0
        self._bytes = 0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._bytes += len(data)
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if time.perf_counter() < self._tally.end and not self._tally.error:
            self._tally.error = f"The server closed a connection: {exc}"
        self.closed.set_result(None)

    def on_message_complete(self) -> None:
        """The parser's call: an answer is whole."""
        now, tally = time.perf_counter(), self._tally
        status = self._parser.get_status_code()
        if status not in GOOD:
            tally.error = f"{self._request.decode()} was answered {status}."
        tally.answered += 1
        if now >= tally.begin:
            tally.seconds.append(now - self._begun)
            tally.bytes += self._bytes
        if now < tally.end and not tally.error:
            self._ask()
        else:
            self._transport.close()

    def _ask(self) -> None:
        self._request = next(self._requests)
        self._bytes = 0
        self._begun = time.perf_counter()
        self._transport.write(self._request)


async def ask(load: Load) -> Result:
    """Make the load in this process."""
    requests = cycle([request_bytes(path, load.headers) for path in load.paths])
    loop = asyncio.get_running_loop()
    tally = Tally(load)
    made = [
        await loop.create_connection(lambda: Asking(requests, tally), HOST, load.port)
        for _ in range(load.connections)
    ]
    await asyncio.gather(*(asking.closed for _, asking in made))
    return tally.result()


def main() -> None:
    """Make the load that stdin says."""
    load = Load(**json.load(sys.stdin))
    json.dump(asdict(uvloop.run(ask(load))), sys.stdout)


if __name__ == "__main__":
    main()
