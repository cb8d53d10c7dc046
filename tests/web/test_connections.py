"""The limits of connections: each ends, and a wall always gets one."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from processes import CI_OBSERVER, environ_with, serving_log
from sockets import listening
from sqlite_utils import Database
from waiting import HANG_SECONDS

from ci_observer.web import open_files
from ci_observer.web.connection_limits import NEVER, Limits
from ci_observer.web.loop_errors import (
    ignore_cancelled_requests,
    ignore_late_results,
)

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

# Times that never pass in a test.
PATIENT = Limits(
    connections=4,
    head_seconds=1000,
    body_seconds=1000,
    idle_seconds=1000,
    read_seconds=1000,
    check_seconds=0.01,
)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, then respond with its length."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        more = message["more_body"]
    await respond(send, str(length).encode())


async def respond(send: Any, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def endless(scope: Any, receive: Any, send: Any) -> None:
    """A stream without an end, for as long as the client reads."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    gone = asyncio.ensure_future(disconnected(receive))
    while not gone.done():
        await send(
            {"type": "http.response.body", "body": b"x" * 65_536, "more_body": True}
        )


async def disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def held(
    started: asyncio.Semaphore, release: asyncio.Event
) -> Callable[..., Awaitable[None]]:
    """An application whose requests start, and end when they are released."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.release()
        await release.wait()
        await respond(send, b"ok")

    return app


# Time limits


@pytest.mark.asyncio
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: loc", b"\r\n"])
async def test_a_half_open_connection_is_closed(sent: bytes) -> None:
    async with listening(echo, replace(PATIENT, head_seconds=0.05)) as server:
        connection = await server.connect(sent)
        rest = await connection.rest()

    assert rest.startswith(b"HTTP/1.1 408 ") if sent else rest == b""


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\nX: ", b"GET /", GET + b"GET / HTTP/1.1\r\nX: "],
)
async def test_bytes_that_drip_do_not_prolong_the_time_for_a_head(sent: bytes) -> None:
    async with listening(echo, replace(PATIENT, head_seconds=0.2)) as server:
        connection = await server.connect(sent)
        rest = await connection.drip(b"x")

    assert b"HTTP/1.1 408 " in rest


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("sent", "more"), [(POST, b""), (CHUNKED, b""), (CHUNKED, b"1\r\nx\r\n")]
)
async def test_a_body_must_arrive_in_time(
    sent: bytes, more: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(echo, replace(PATIENT, body_seconds=0.1)) as server:
        rest = await (await server.connect(sent)).drip(more)

    assert rest.startswith(b"HTTP/1.1 408 ")
    assert errors_in(caplog) == []


@pytest.mark.asyncio
async def test_an_idle_connection_is_closed_after_a_while() -> None:
    async with listening(echo, replace(PATIENT, idle_seconds=0.1)) as server:
        connection = await server.connect(GET)
        head = await connection.head()
        rest = await connection.rest()

    assert head.startswith(b"HTTP/1.1 200 ")
    assert rest == b"0"


@pytest.mark.asyncio
async def test_a_connection_serves_many_requests() -> None:
    async with listening(echo, PATIENT) as server:
        connection = await server.connect()
        for _ in range(5):
            connection.send(POST + b"12345")
            head = await connection.head()
            body = await connection.reader.readexactly(1)
            assert (head[:13], body) == (b"HTTP/1.1 200 ", b"5")


@pytest.mark.asyncio
async def test_pipelined_requests_are_answered_in_order() -> None:
    async with listening(echo, PATIENT) as server:
        connection = await server.connect(GET + POST + b"12345" + GET)
        lengths = []
        for _ in range(3):
            await connection.head()
            lengths.append(await connection.reader.readexactly(1))

    assert lengths == [b"0", b"5", b"0"]


@pytest.mark.asyncio
async def test_a_reader_that_takes_nothing_is_cut_off() -> None:
    async with listening(endless, replace(PATIENT, read_seconds=0.1)) as server:
        await server.connect(GET)
        # The client reads nothing; the server has sent what fits into its buffers.
        await until(lambda: len(server.server_state.connections) == 1)
        await until(lambda: not server.server_state.connections)


@pytest.mark.asyncio
async def test_a_reader_that_takes_enough_is_not_cut_off() -> None:
    limits = replace(PATIENT, read_bytes=10, check_seconds=1000)
    async with listening(endless, limits) as server:
        client = await server.connect(GET)
        [protocol] = await server.protocols()
        await until(lambda: protocol.slow_since < NEVER)
        late = protocol.slow_deadline
        unsent = protocol.transport.get_write_buffer_size
        size = unsent()
        while unsent() == size:
            await client.reader.read(65_536)
        protocol.end_if_late(late)
        assert not protocol.transport.is_closing()

        await until(lambda: protocol.slow_since < NEVER)
        protocol.end_if_late(NEVER)
        assert protocol.transport.is_closing()


# Limits of size


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("sent", "more", "status"),
    [
        (b"GET /", b"x" * 1000, 431),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 100, 431),
        (b"GET / HTTP/1.1\r\nx: ", b"x" * 1000, 431),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * 7000 + b"\r\n\r\n", b"", 431),
        (b"", b"\r\n" * 1000, 431),
        (POST.replace(b"5", b"99999999"), b"x" * 1000, 413),
        (CHUNKED, b"3e8\r\n" + b"x" * 1000 + b"\r\n", 413),
        (CHUNKED, b"1;" + b"x" * 1000 + b"\r\ny\r\n", 413),
        (CHUNKED + b"0\r\n", b"a: b\r\n" * 100, 413),
    ],
)
async def test_what_has_no_end_is_refused(
    sent: bytes, more: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    limits = replace(PATIENT, head_bytes=5000, body_bytes=5000)
    async with listening(echo, limits) as server:
        rest = await (await server.connect(sent)).drip(more)

    assert rest.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in rest
    assert errors_in(caplog) == []


@pytest.mark.asyncio
async def test_too_many_pipelined_requests_end_the_connection() -> None:
    started, release = asyncio.Semaphore(0), asyncio.Event()
    async with listening(held(started, release), PATIENT) as server:
        connection = await server.connect(GET * 30)
        rest = await connection.rest()
        release.set()

    assert rest == b""


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"junk\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET ?x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        GET.replace(b"Host", b"Ho st"),
        GET[:-2] + b"Host: elsewhere\r\n\r\n",
        POST.replace(b"5", b"-5"),
        POST[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n12345",
    ],
)
async def test_what_is_not_http_is_400_and_not_logged(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(echo, PATIENT) as server:
        rest = await (await server.connect(sent)).rest()

    assert rest.startswith(b"HTTP/1.1 400 ")
    assert errors_in(caplog) == []


@pytest.mark.asyncio
async def test_an_upgrade_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with listening(echo, PATIENT) as server:
        head = await (await server.connect(GET[:-2] + upgrade)).head()

    assert head.startswith(b"HTTP/1.1 200 ")
    assert errors_in(caplog) == []


@pytest.mark.asyncio
async def test_a_result_for_a_visitor_who_has_left_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    ignore_late_results(loop)
    future = loop.create_future()
    future.cancel()
    loop.call_soon(future.set_result, None)
    loop.call_soon(int, "another error")
    await asyncio.sleep(0)

    [logged] = errors_in(caplog)
    assert "Exception in callback int" in logged


@pytest.mark.asyncio
async def test_an_export_that_the_end_of_the_server_cancels_is_not_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "filters", [])
    ignore_cancelled_requests()
    async with listening(endless, PATIENT) as server:
        # Without a name for it, its socket may be closed at any time.
        reader = await server.connect(GET)
        await reader.head()
        server.should_exit = True
        # Until it has waited for the reader, who takes no more.
        async with asyncio.timeout(HANG_SECONDS):
            while server.server_state.tasks:
                await asyncio.sleep(0.005)

    [logged] = errors_in(caplog)
    assert logged == "Cancel 1 running task(s), timeout graceful shutdown exceeded"


# Room for a new connection


@pytest.mark.asyncio
async def test_the_oldest_half_open_connection_makes_room() -> None:
    async with listening(echo, PATIENT) as server:
        half_open = [await server.connect(b"GET") for _ in range(12)]
        head = await (await server.connect(GET)).head()
        for connection in half_open[:9]:
            assert await connection.rest() == b""
        open_connections = len(server.server_state.connections)

    assert head.startswith(b"HTTP/1.1 200 ")
    assert open_connections == PATIENT.connections


@pytest.mark.asyncio
async def test_an_idle_connection_makes_room_before_one_in_use() -> None:
    started, release = asyncio.Semaphore(0), asyncio.Event()
    async with listening(held(started, release), PATIENT) as server:
        release.set()
        idle = await server.connect(GET)
        await idle.head()
        release.clear()
        await started.acquire()
        used = [await server.connect(GET) for _ in range(3)]
        for _ in used:
            await started.acquire()
        new = await server.connect(GET)
        await started.acquire()
        assert await idle.rest() == b"ok"
        release.set()
        heads = [await connection.head() for connection in [*used, new]]

    assert all(head.startswith(b"HTTP/1.1 200 ") for head in heads)


@pytest.mark.asyncio
async def test_the_address_with_the_most_connections_makes_room() -> None:
    """Others keep theirs, although they are older."""
    async with listening(echo, PATIENT) as server:
        wall = await server.connect(GET, "127.0.0.2")
        await wall.head()
        await wall.reader.readexactly(1)
        for _ in range(20):
            await server.connect(b"GET", "127.0.0.3")
        wall.send(GET)
        head = await wall.head()

    assert head.startswith(b"HTTP/1.1 200 ")


@pytest.mark.asyncio
async def test_no_address_keeps_all_connections_with_requests_that_take_long() -> None:
    started, release = asyncio.Semaphore(0), asyncio.Event()
    async with listening(held(started, release), PATIENT) as server:
        greedy = [await server.connect(GET, "127.0.0.3") for _ in range(4)]
        for _ in greedy:
            await started.acquire()
        another = await server.connect(GET, "127.0.0.3")
        refused = await another.rest()
        wall = await server.connect(GET, "127.0.0.2")
        await started.acquire()
        assert await greedy[0].rest() == b""
        release.set()
        head = await wall.head()

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert head.startswith(b"HTTP/1.1 200 ")


@pytest.mark.asyncio
async def test_slow_readers_share_the_memory_for_responses() -> None:
    size = 32_000_000

    async def large(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, bytes(size))

    # Of each response, the kernel takes some megabytes.
    limits = replace(PATIENT, unsent_bytes=65_000_000)
    last = GET[:-2] + b"Connection: close\r\n\r\n"
    async with listening(large, limits) as server:
        greedy = [await server.connect(last) for _ in range(2)]
        heads = [await connection.head() for connection in greedy]
        other = await server.connect(last, "127.0.0.2")
        heads.append(await other.head())
        bodies = [await connection.rest() for connection in (*greedy, other)]

    assert all(head.startswith(b"HTTP/1.1 200 ") for head in heads)
    assert [len(body) == size for body in bodies] == [False, True, True]


@pytest.mark.asyncio
async def test_a_slow_reader_makes_room() -> None:
    async with listening(endless, PATIENT) as server:
        for _ in range(4):
            await server.connect(GET)
        protocols = await server.protocols()
        await until(lambda: all(each.slow_since < NEVER for each in protocols))
        for protocol in protocols:
            protocol.slow_since -= 10
        head = await (await server.connect(GET)).head()

    assert head.startswith(b"HTTP/1.1 200 ")


# The limit of open files


@pytest.mark.parametrize(
    ("soft", "expected"), [(20, 8), (128, 48), (1024, 944), (20_000, 1000), (-1, 1000)]
)
def test_connections_leave_room_for_files(
    soft: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (soft, -1))

    assert open_files.max_connections() == expected


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((128, 128), (128, 128)),
        ((1024, 1050), (1050, 1050)),
        ((1024, 500_000), (1080, 500_000)),
        ((1024, -1), (1080, -1)),
        ((-1, -1), None),
        ((5000, 5000), None),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed(
    limits: tuple[int, int], raised: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = []
    monkeypatch.setattr("resource.getrlimit", lambda _: limits)
    monkeypatch.setattr("resource.setrlimit", lambda _, new: changes.append(new))

    open_files.raise_limit()

    assert changes == ([raised] if raised else [])


@pytest.mark.long
def test_half_open_connections_lock_nobody_out_at_128_open_files(
    db: Database, db_path: Path, tmp_path: Path
) -> None:
    db.close()
    command = ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh", *CI_OBSERVER]
    environ = environ_with(CI_OBSERVER_DB=db_path)
    with serving_log(environ, tmp_path, command) as (web, log), ExitStack() as opened:
        address = (web.base_url.host, web.base_url.port)
        for number in range(400):
            client = opened.enter_context(socket.create_connection(address))
            client.sendall(b"GET / HTTP/1.1\r\n" if number % 2 else b"")
        statuses = [
            httpx.get(web.base_url.join(path), trust_env=False).status_code
            for path in ("/", "/api/wall", "/ci_observer/runs", "/static/wall/wall.css")
        ]

    assert statuses == [200] * 4
    assert "Traceback" not in log()


async def until(is_true: Callable[[], bool]) -> None:
    """Let the event loop run until something is true."""
    async with asyncio.timeout(HANG_SECONDS):
        while not is_true():
            await asyncio.sleep(0.005)


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.message for each in caplog.records if each.levelno > logging.INFO]
