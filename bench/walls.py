"""A thousand walls that refresh themselves, as the page's script does.

A process of its own: `python -m bench.walls PORT WALLS`, with these as JSON, prints
what they have `Seen`. Each wall asks for `/api/config` every few seconds, evenly
spread, and for `/api/wall` only when that says it has changed.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import cast

import httptools
import uvloop

from bench.load import HOST, request_bytes

OK = 200
# A browser asks again, too, over a connection that was closed in that very moment.
TRIES = 3
HEADERS = {"Accept-Encoding": "gzip"}


@dataclass(frozen=True, kw_only=True)
class Walls:
    """How many, how often, for how long, and what they ask."""

    walls: int
    refresh_seconds: float
    refreshes: int
    config: str = "/api/config"
    wall: str = "/api/wall"


@dataclass(kw_only=True)
class Seen:
    """What the walls asked after their first refresh, and what it took."""

    configs: int = 0
    walls: int = 0
    config_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One that is used for an answer after another, as long as it stays open."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[None] | None = None
        self.is_open = True

    async def ask(self, path: str) -> None:
        """Ask, and wait for the whole answer; raise `ConnectionError` without one."""
        self.etag: str | None = None
        self.body = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request_bytes(path, HEADERS))
        await self._answer
        if self._parser.get_status_code() != OK:
            raise SystemExit(f"{path} was answered {self._parser.get_status_code()}.")

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser's call."""
        if name.lower() == b"etag":
            self.etag = value.decode().removeprefix("W/")

    def on_body(self, body: bytes) -> None:
        """The parser's call."""
        self.body += body

    def on_message_complete(self) -> None:
        """The parser's call."""
        if self._answer and not self._answer.done():
            self._answer.set_result(None)


class Wall:
    """One wall."""

    def __init__(self, port: int, spec: Walls, seen: Seen) -> None:
        self._port = port
        self._spec = spec
        self._seen = seen
        self._etag: str | None = None
        self._connection: Connection | None = None

    async def live(self, delay: float) -> None:
        """Refresh, the first time after `delay` seconds; that is not seen."""
        begun = time.perf_counter() + delay
        for number in range(self._spec.refreshes):
            due = begun + number * self._spec.refresh_seconds
            await asyncio.sleep(due - time.perf_counter())
            await self._refresh(is_seen=number > 0)
        if self._connection:
            self._connection.close()

    async def _refresh(self, *, is_seen: bool) -> None:
        seconds, config = await self._ask(self._spec.config)
        etag = json.loads(config.body).get("wall_etag")
        if is_seen:
            self._seen.configs += 1
            self._seen.config_ms.append(seconds * 1000)
        if etag == self._etag:
            return
        seconds, wall = await self._ask(self._spec.wall)
        self._etag = wall.etag
        if is_seen:
            self._seen.walls += 1
            self._seen.wall_ms.append(seconds * 1000)

    async def _ask(self, path: str) -> tuple[float, Connection]:
        for _ in range(TRIES):
            begun = time.perf_counter()
            try:
                connection = await self._connected()
                await connection.ask(path)
            except ConnectionError:
                continue
            return time.perf_counter() - begun, connection
        raise SystemExit(f"{path} was not answered.")

    async def _connected(self) -> Connection:
        if self._connection is None or not self._connection.is_open:
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(
                Connection, HOST, self._port
            )
        return self._connection


async def live(port: int, spec: Walls) -> Seen:
    """Let all walls live, in this process."""
    seen = Seen()
    every = spec.refresh_seconds
    await asyncio.gather(
        *(
            Wall(port, spec, seen).live(every * number / spec.walls)
            for number in range(spec.walls)
        )
    )
    return seen


def main() -> None:
    """Let walls live as the arguments say."""
    port, words = sys.argv[1:]
    spec = Walls(**json.loads(words))
    json.dump(asdict(uvloop.run(live(int(port), spec))), sys.stdout)


if __name__ == "__main__":
    main()
