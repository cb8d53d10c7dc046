"""Simulated wall pages that refresh themselves, as the page's script does.

A process: `python -m bench.harness.wall_clients PORT CLIENTS`, with a `WallClients` as
JSON, prints a line once every client has refreshed, and `WallFigures` at the end. Each
client requests `/api/config` every few seconds, evenly spread, and `/api/wall` only if
its ETag there has changed.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import cast

import httptools
import uvloop

from bench.harness.http_load import HOST, request_bytes

OK = 200
READY = "every client has refreshed"
# Like a browser, retry if the server closes the connection before it responds.
MAX_TRIES = 3
# Of browsers, old and new, in turn.
ENCODINGS = cycle(("gzip, deflate, br, zstd", "gzip, deflate, br", "gzip, deflate"))


@dataclass(frozen=True, kw_only=True)
class WallClients:
    """The number of clients, their refreshes and their paths."""

    walls: int
    refresh_seconds: float
    refreshes: int
    config: str = "/api/config"
    wall: str = "/api/wall"


@dataclass(kw_only=True)
class WallFigures:
    """Number and times of the requests after the first refresh of each client."""

    configs: int = 0
    walls: int = 0
    config_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """A connection that is reused as long as it stays open."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._response: asyncio.Future[None] | None = None
        self.is_open = True
        self._headers = {"Accept-Encoding": next(ENCODINGS)}

    async def get(self, path: str) -> None:
        """Wait for the complete response. Raises `ConnectionError` without one."""
        self.etag: str | None = None
        self.body = b""
        self._response = asyncio.get_running_loop().create_future()
        self._transport.write(request_bytes(path, self._headers))
        await self._response
        if self._parser.get_status_code() != OK:
            raise SystemExit(f"{path} returned {self._parser.get_status_code()}.")

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._response and not self._response.done():
            self._response.set_exception(ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if name.lower() == b"etag":
            self.etag = value.decode().removeprefix("W/")

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self.body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._response and not self._response.done():
            self._response.set_result(None)


class WallClient:
    """One wall page."""

    def __init__(self, port: int, spec: WallClients, figures: WallFigures) -> None:
        self._port = port
        self._spec = spec
        self._figures = figures
        self._etag: str | None = None
        self._connection: Connection | None = None

    async def refresh_first(self, delay: float) -> None:
        """Refresh after `delay` seconds, without a measurement."""
        await asyncio.sleep(delay)
        self._start = time.perf_counter()
        await self._refresh(is_measured=False)

    async def refresh_repeatedly(self) -> None:
        """Make all other refreshes, with equal intervals."""
        for number in range(1, self._spec.refreshes):
            due = self._start + number * self._spec.refresh_seconds
            await asyncio.sleep(due - time.perf_counter())
            await self._refresh(is_measured=True)
        if self._connection:
            self._connection.close()

    async def _refresh(self, *, is_measured: bool) -> None:
        seconds, config = await self._get(self._spec.config)
        etag = json.loads(config.body).get("wall_etag")
        if is_measured:
            self._figures.configs += 1
            self._figures.config_ms.append(seconds * 1000)
        if etag == self._etag:
            return
        seconds, wall = await self._get(self._spec.wall)
        self._etag = wall.etag
        if is_measured:
            self._figures.walls += 1
            self._figures.wall_ms.append(seconds * 1000)

    async def _get(self, path: str) -> tuple[float, Connection]:
        for _ in range(MAX_TRIES):
            start = time.perf_counter()
            try:
                connection = await self._open_connection()
                await connection.get(path)
            except ConnectionError:
                continue
            return time.perf_counter() - start, connection
        raise SystemExit(f"{path} has no response.")

    async def _open_connection(self) -> Connection:
        if self._connection is None or not self._connection.is_open:
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(
                Connection, HOST, self._port
            )
        return self._connection


async def run_clients(port: int, spec: WallClients) -> WallFigures:
    """Run all clients in this process."""
    figures = WallFigures()
    clients = [WallClient(port, spec, figures) for _ in range(spec.walls)]
    interval = spec.refresh_seconds / spec.walls
    await asyncio.gather(
        *(client.refresh_first(n * interval) for n, client in enumerate(clients))
    )
    print(READY, flush=True)  # noqa: T201 (the line that the parent waits for)
    await asyncio.gather(*(client.refresh_repeatedly() for client in clients))
    return figures


def main() -> None:
    """Run the clients that the arguments describe."""
    port, clients = sys.argv[1:]
    spec = WallClients(**json.loads(clients))
    json.dump(asdict(uvloop.run(run_clients(int(port), spec))), sys.stdout)


if __name__ == "__main__":
    main()
