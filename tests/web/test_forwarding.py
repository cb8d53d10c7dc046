"""Forwarding requests to the process for tables and SQL: who takes its places."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from sqlite_utils import Database
from waiting import HANG_SECONDS
from web_client import ROOT

from ci_observer.web.forwarding import (
    MAX_FORWARDED,
    MAX_OF_CLIENT,
    Forwarder,
    with_forwarded_scope,
)
from ci_observer.web.server import build_datasette

Message = dict[str, Any]


class Back:
    """The other process: its requests last until they are let go."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.changed = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        self.running[scope["client"][0]] += 1
        self.changed.set()
        await self.let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body or b"ok"})

    async def runs(self, expected: dict[str, int]) -> None:
        """Wait until these numbers of requests run for the addresses."""
        async with asyncio.timeout(HANG_SECONDS):
            while self.running != expected:
                await self.changed.wait()
                self.changed.clear()


@asynccontextmanager
async def forwarding_to(
    app: Any, forwarder: Forwarder, socket: Path
) -> AsyncIterator[None]:
    config = uvicorn.Config(
        with_forwarded_scope(app), uds=str(socket), log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    # Without `serve`, which would handle the signals of the test run.
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0)
    try:
        yield
    finally:
        await forwarder.close()
        server.should_exit = True
        await task


@pytest.fixture
def forwarder(db: Database, db_path: Path, tmp_path: Path) -> Forwarder:
    datasette = build_datasette(db_path, root=ROOT)
    return Forwarder(datasette, datasette.app(), tmp_path / "s")


def client_of(app: Any, address: str) -> httpx.AsyncClient:
    """A client whose requests seem to come from an address."""
    transport = httpx.ASGITransport(app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://ci.example")


@pytest.mark.asyncio
async def test_one_address_leaves_places_for_others(
    forwarder: Forwarder, tmp_path: Path
) -> None:
    back = Back()
    greedy, other = client_of(forwarder, "10.0.0.1"), client_of(forwarder, "10.0.0.2")
    async with forwarding_to(back, forwarder, tmp_path / "s"), greedy, other:
        many = [asyncio.create_task(greedy.get("/-/x")) for _ in range(MAX_FORWARDED)]
        await back.runs({"10.0.0.1": MAX_OF_CLIENT})
        one = asyncio.create_task(other.get("/-/x"))
        await back.runs({"10.0.0.1": MAX_OF_CLIENT, "10.0.0.2": 1})
        back.let_go.set()
        responses = await asyncio.gather(one, *many)

    assert {response.status_code for response in responses} == {200}
    assert back.running["10.0.0.1"] == MAX_FORWARDED


@pytest.mark.asyncio
async def test_a_slow_sender_takes_no_place(
    forwarder: Forwarder, tmp_path: Path
) -> None:
    back, sent = Back(), asyncio.Event()
    back.let_go.set()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"be"
        await sent.wait()
        yield b"gun"

    async with forwarding_to(back, forwarder, tmp_path / "s"):
        slow = [Request(forwarder, slowly) for _ in range(MAX_FORWARDED)]
        async with client_of(forwarder, "10.0.0.1") as client:
            other = await client.get("/-/x")
        running = back.running.total()
        sent.set()
        bodies = [await request.task for request in slow]

    assert (other.text, running) == ("ok", 1)
    assert {*bodies} == {b"begun"}


class Request:
    """A request whose body comes in parts, and the body of its response."""

    def __init__(self, app: Any, chunks: Callable[[], AsyncIterator[bytes]]) -> None:
        self._chunks = chunks()
        self._body = b""
        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "path": "/-/x",
            "raw_path": b"/-/x",
            "query_string": b"",
            "headers": [(b"host", b"ci.example"), (b"transfer-encoding", b"chunked")],
            "client": ("10.0.0.1", 1),
            "server": ("ci.example", 80),
        }
        self.task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: Callable[..., Awaitable[None]], scope: Message) -> bytes:
        await app(scope, self._receive, self._send)
        return self._body

    async def _receive(self) -> Message:
        async for chunk in self._chunks:
            return {"type": "http.request", "body": chunk, "more_body": True}
        self._chunks = _never()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        self._body += message.get("body", b"")


async def _never() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""
