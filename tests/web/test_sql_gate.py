"""How many requests for Datasette's pages run at once, and who waits."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from datasette import Request
from datasette.app import Datasette
from sqlite_utils import Database
from waiting import HANG_SECONDS
from web_client import serving

from ci_observer.web.errors import Unavailable
from ci_observer.web.sql import gate as gate_module
from ci_observer.web.sql.gate import Gate, run_while_connected, with_short_pages
from ci_observer.web.sql.large_results import admit_result

Message = dict[str, Any]


class Page:
    """An application whose requests last until they are let go."""

    def __init__(self, work: Callable[[], Awaitable[None]] | None = None) -> None:
        self.running: list[str] = []
        self.let_go = asyncio.Event()
        self._work = work

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.running.append(scope["client"][0])
        if self._work:
            await self._work()
        await self.let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 200_000})


class Visitor:
    """A request from an address, and what it got."""

    def __init__(self, gate: Gate, page: Page, address: str, query: str = "") -> None:
        self.parts: list[Message] = []
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/ci_observer/runs.csv" if query else "/ci_observer/runs.json",
            "query_string": query.encode(),
            "headers": [],
            "client": (address, 1),
        }
        self.left = asyncio.Event()
        self.task = asyncio.create_task(
            run_while_connected(
                lambda receive: gate.run(page, scope, receive, self._send),
                scope,
                self._receive,
            )
        )

    async def _receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.parts.append(message)

    @property
    def status(self) -> int:
        status: int = self.parts[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(part["body"] for part in self.parts[1:])


async def settle() -> None:
    """Let all tasks run as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_one_address_leaves_room_for_others() -> None:
    gate, page = Gate(Datasette()), Page()
    greedy = [Visitor(gate, page, "10.0.0.1") for _ in range(20)]
    await settle()
    other = Visitor(gate, page, "10.0.0.2")
    late = Visitor(gate, page, "10.0.0.3")
    await settle()
    running = [*page.running]
    page.let_go.set()
    await asyncio.gather(*(visitor.task for visitor in [*greedy, other, late]))

    assert running == ["10.0.0.1", "10.0.0.1", "10.0.0.2"]
    # The third address came last, but was the first to be let in.
    assert sorted(page.running[3:5]) == ["10.0.0.1", "10.0.0.1"]
    assert {visitor.status for visitor in [*greedy, other, late]} == {200}


@pytest.mark.asyncio
async def test_who_waits_too_long_is_told_to_try_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate_module, "PAGE_WAIT_SECONDS", 0.01)
    gate, page = Gate(Datasette()), Page()
    running = [Visitor(gate, page, f"10.0.0.{n}") for n in range(3)]
    await settle()
    refused = Visitor(gate, page, "10.0.0.9")
    await refused.task
    page.let_go.set()
    await asyncio.gather(*(visitor.task for visitor in running))
    later = Visitor(gate, page, "10.0.0.9")
    await later.task

    assert refused.status == 503
    assert json.loads(refused.body)["error"].startswith("The server is busy")
    assert {visitor.status for visitor in [*running, later]} == {200}


@pytest.mark.asyncio
async def test_who_leaves_gives_the_place_to_the_next() -> None:
    gate, page = Gate(Datasette()), Page()
    running = [Visitor(gate, page, f"10.0.0.{n}") for n in range(3)]
    waiting = [Visitor(gate, page, f"10.0.0.{n}") for n in (7, 8)]
    await settle()
    waiting[0].left.set()
    running[0].left.set()
    await settle()
    started = [*page.running]
    page.let_go.set()
    await asyncio.gather(*(visitor.task for visitor in [*running, *waiting]))

    assert started == ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.8"]
    assert running[0].parts == waiting[0].parts == []
    assert waiting[1].status == 200


@pytest.mark.asyncio
async def test_a_plugin_can_read_the_body_of_a_get() -> None:
    """As the login page of datasette-auth-passwords does, which also serves POST."""
    sent = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": False},
    ]
    received = []

    async def receive() -> Message:
        return sent.pop(0) if sent else await asyncio.Future()

    async def read(receive: Any) -> None:
        received.append(await Request(scope, receive).post_body())

    scope = {"type": "http", "method": "GET"}
    await asyncio.wait_for(run_while_connected(read, scope, receive), HANG_SECONDS)

    assert received == [b"ab"]


@pytest.mark.asyncio
async def test_exports_take_no_place_of_a_page() -> None:
    gate, page = Gate(Datasette()), Page()
    exports = [Visitor(gate, page, f"10.0.0.{n}", "_stream=1") for n in range(5)]
    pages = [Visitor(gate, page, f"10.0.1.{n}") for n in range(3)]
    await settle()
    running = [*page.running]
    page.let_go.set()
    await asyncio.gather(*(visitor.task for visitor in [*exports, *pages]))

    assert sorted(running) == [
        *("10.0.0.0", "10.0.0.1", "10.0.1.0", "10.0.1.1", "10.0.1.2")
    ]


@pytest.mark.asyncio
async def test_one_large_result_at_a_time() -> None:
    admitted: list[int] = []

    async def large() -> None:
        await admit_result(5_000_000, 10)
        admitted.append(1)
        # The next result of the same request does not wait for itself.
        await admit_result(10, 100_000)

    gate, page, small = Gate(Datasette()), Page(large), Page()
    visitors = [Visitor(gate, page, f"10.0.0.{n}") for n in range(2)]
    visitors.append(Visitor(gate, small, "10.0.0.3"))
    await settle()
    first = len(admitted)
    small.let_go.set()
    await visitors[2].task
    page.let_go.set()
    await asyncio.gather(*(visitor.task for visitor in visitors))

    assert (first, len(admitted)) == (1, 2)
    assert {visitor.status for visitor in visitors} == {200}


@pytest.mark.asyncio
async def test_a_large_result_that_waits_too_long_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ci_observer.web.sql.large_results.WAIT_SECONDS", 0.01)
    errors: list[Unavailable] = []

    async def large() -> None:
        try:
            await admit_result(5_000_000, 10)
        except Unavailable as error:
            errors.append(error)

    gate, page = Gate(Datasette()), Page(large)
    visitors = [Visitor(gate, page, f"10.0.0.{n}") for n in range(2)]
    while not errors:
        await asyncio.sleep(0)
    page.let_go.set()
    await asyncio.gather(*(visitor.task for visitor in visitors))

    assert [str(error)[:18] for error in errors] == ["The server is busy"]


@pytest.mark.asyncio
async def test_a_large_body_is_sent_in_parts() -> None:
    gate, page = Gate(Datasette()), Page()
    page.let_go.set()
    visitor = Visitor(gate, page, "10.0.0.1")
    await visitor.task

    assert visitor.body == b"x" * 200_000
    assert max(len(part["body"]) for part in visitor.parts[1:]) == 65_536
    assert [part.get("more_body", False) for part in visitor.parts[1:]] == [
        *(True, True, True, False)
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("size", ["", "&_size=max", "&_size=7"])
async def test_an_export_has_all_rows_for_any_size(
    db: Database, db_path: Path, size: str
) -> None:
    db["notes"].insert_all(({"id": n, "text": "a b"} for n in range(2500)), pk="id")
    async with serving(db_path) as datasette:
        response = await datasette.client.get(
            f"/ci_observer/notes.csv?_stream=on{size}&text__contains=a+b"
        )

    lines = response.text.splitlines()
    assert lines[0] == "id,text"
    assert lines[1:] == [f"{n},a b" for n in range(2500)]


def test_an_export_of_whole_objects_reads_fewer_rows_at_once() -> None:
    scope = {
        "path": "/ci_observer/runs_full.csv",
        "query_string": b"_size=max&_stream=1",
    }

    assert with_short_pages(scope)["query_string"] == b"_stream=1&_size=200"
