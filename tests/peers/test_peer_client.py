"""Requests to peers: bounded in size, time and number, and without surprises."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Iterator
from threading import Event

import pytest
import pytest_asyncio
from raw_server import OPEN, head, raw_server

from ci_observer.web.peers import client as client_module
from ci_observer.web.peers.body import MAX_BYTES
from ci_observer.web.peers.client import PeerClient, PeerResponse
from ci_observer.web.peers.peer import Peer, PeerError

WALL = "/api/wall"
TOKEN = "7d0c0123456789abcdef"  # noqa: S105 (an example)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[PeerClient]:
    client = PeerClient()
    yield client
    await client.close()


def body(content: bytes, *headers: str, status: str = "200 OK") -> list[bytes]:
    # An empty chunk would keep the connection open.
    return [head(*headers, status=status), *([content] if content else [])]


async def error_of(client: PeerClient, *chunks: bytes, token: str | None = None) -> str:
    """The message of the error that a response leads to."""
    with raw_server(lambda _: chunks) as server, pytest.raises(PeerError) as raised:
        await client.get(Peer(server.url, token), WALL)
    message = str(raised.value)
    assert TOKEN not in message
    return message


@pytest.mark.asyncio
async def test_a_request_is_for_the_own_tiles_and_has_the_token(
    client: PeerClient,
) -> None:
    with raw_server(lambda _: body(b'{"ok": true}')) as server:
        peer = Peer(f"{server.url}/team", TOKEN)
        response = await client.get(peer, WALL, (("branch", "a b&c"),))

    assert response.json() == {"ok": True}
    [request] = server.requests
    line, *headers = request.splitlines()
    assert line == "GET /team/api/wall?branch=a+b%26c&peers=no HTTP/1.1"
    assert f"Authorization: Bearer {TOKEN}" in headers
    assert TOKEN not in repr(peer)


@pytest.mark.asyncio
async def test_an_unchanged_response_is_not_sent_again(client: PeerClient) -> None:
    chunks = [
        body(b"[1]", 'ETag: W/"a"'),
        body(b"", 'ETag: "a"', status="304 Not Modified"),
        body(b"[2]", 'ETag: "b"'),
    ]
    with raw_server(lambda _: chunks.pop(0)) as server:
        peer = Peer(server.url)
        found = [(await client.get(peer, WALL)).json() for _ in range(3)]

    assert found == [[1], [1], [2]]
    assert ["If-None-Match" in request for request in server.requests] == [
        False,
        True,
        True,
    ]


@pytest.mark.asyncio
async def test_visitors_who_want_the_same_share_a_request(client: PeerClient) -> None:
    may_respond = Event()

    def respond(_: str) -> Iterator[bytes]:
        may_respond.wait()
        yield from body(b"[]")

    with raw_server(respond) as server:
        peer = Peer(server.url)
        visitors = [asyncio.create_task(client.get(peer, WALL)) for _ in range(5)]
        await asyncio.sleep(0)
        # One who leaves takes nothing from the others.
        visitors.pop().cancel()
        may_respond.set()
        await asyncio.gather(*visitors)

    assert len(server.requests) == 1


@pytest.mark.asyncio
async def test_a_route_gets_one_request_at_a_time(client: PeerClient) -> None:
    open_requests, most = 0, 0

    def respond(_: str) -> Iterator[bytes]:
        nonlocal open_requests, most
        open_requests += 1
        most = max(most, open_requests)
        yield head()
        open_requests -= 1
        yield b"[]"

    with raw_server(respond) as server:
        peer = Peer(server.url)
        queries = [(("branch", str(number)),) for number in range(5)]
        await asyncio.gather(*(client.get(peer, WALL, q) for q in queries))

    assert (len(server.requests), most) == (5, 1)


@pytest.mark.asyncio
async def test_only_some_requests_wait(
    client: PeerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TOTAL_SECONDS", 0.5)
    with raw_server(lambda _: [OPEN]) as server:
        peer = Peer(server.url)
        queries = [(("branch", str(number)),) for number in range(25)]
        # The wall of the default branches has a place, whatever visitors want.
        results = await asyncio.gather(
            *(client.get(peer, WALL, q) for q in [*queries, ()]), return_exceptions=True
        )

    texts = [str(result) for result in results]
    assert len([t for t in texts if t.startswith("too many requests")]) == 5
    assert len([t for t in texts if "does not respond within" in t]) == 21
    assert "does not respond within" in texts[-1]


@pytest.mark.asyncio
async def test_a_large_body_is_not_read_to_its_end(client: PeerClient) -> None:
    chunk = b" " * 2**20

    def endless() -> Iterator[bytes]:
        yield head()
        while True:
            yield chunk

    with (
        raw_server(lambda _: endless()) as server,
        pytest.raises(PeerError, match="larger than 20 MB"),
    ):
        await client.get(Peer(server.url), WALL)


@pytest.mark.asyncio
async def test_a_small_body_may_not_become_a_large_one(client: PeerClient) -> None:
    bomb = gzip.compress(b" " * (MAX_BYTES + 1), 9)
    assert len(bomb) < 30_000

    message = await error_of(client, *body(bomb, "Content-Encoding: gzip"))

    assert message == "its response is larger than 20 MB"


@pytest.mark.asyncio
async def test_a_configuration_has_a_smaller_limit(client: PeerClient) -> None:
    with (
        raw_server(lambda _: body(b" " * (2**20 + 1))) as server,
        pytest.raises(PeerError, match="larger than 1 MB"),
    ):
        await client.get(Peer(server.url), "/api/config")


def test_a_small_body_may_not_take_much_memory() -> None:
    response = PeerResponse(b"[" + b"[]," * 1_000_001 + b"[]]", "")

    with pytest.raises(PeerError, match="too many values"):
        response.json()


@pytest.mark.asyncio
async def test_a_name_that_no_host_can_have(client: PeerClient) -> None:
    with pytest.raises(PeerError, match="its name is not valid"):
        await client.get(Peer("https://xn--ls8h.example"), WALL)


@pytest.mark.asyncio
async def test_a_slow_body_ends_at_the_time_limit(
    client: PeerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TOTAL_SECONDS", 0.3)
    never = Event()

    def drip() -> Iterator[bytes]:
        yield head()
        while not never.wait(0.02):
            yield b" "

    with (
        raw_server(lambda _: drip()) as server,
        pytest.raises(PeerError, match="does not respond within"),
    ):
        await client.get(Peer(server.url), WALL)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("chunks", "fault"),
    [
        (
            body(b"", "Location: http://127.0.0.1:1/", status="302 Found"),
            "it redirects (HTTP 302), which is not followed",
        ),
        (body(b"", status="401 Unauthorized"), "it rejects the token"),
        (body(b"", status="403 Forbidden"), "it refuses access (HTTP 403)"),
        (body(b"", status="404 Not Found"), "no CI Observer is at its address"),
        (
            body(b'{"error": "Disk\\u0007 full.\\n"}', status="503 Unavailable"),
            "it responds with HTTP 503: Disk full",
        ),
        (body(b"<html>", status="502 Bad Gateway"), "it responds with HTTP 502"),
        (
            body(
                b'{"error": "Unknown filter \'peers\'. Allowed: repo."}',
                status="400 Bad Request",
            ),
            "its version is too old to be a peer",
        ),
        (body(b"x" * 200_000, status="500 Oops"), "it responds with HTTP 500"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "its response breaks off or is not HTTP"),
        (body(b"[]", "Content-Encoding: br"), "a compression that was not requested"),
        (body(b"[]", "Content-Encoding: gzip"), "cannot be decompressed"),
        (
            body(gzip.compress(b"[]")[:-4], "Content-Encoding: gzip"),
            "its response ends too early",
        ),
    ],
)
async def test_a_response_without_data_says_why(
    client: PeerClient, chunks: list[bytes], fault: str
) -> None:
    assert fault in await error_of(client, *chunks, token=TOKEN)


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [b"<html>", b"[" * 100_000, b"\xff", b""])
async def test_a_body_that_is_no_json(client: PeerClient, content: bytes) -> None:
    with raw_server(lambda _: body(content)) as server:
        response = await client.get(Peer(server.url), WALL)
        with pytest.raises(PeerError, match="not JSON"):
            response.json()


@pytest.mark.asyncio
async def test_a_peer_that_is_not_there(client: PeerClient) -> None:
    with raw_server(lambda _: []) as server:
        pass

    with pytest.raises(PeerError, match="connection refused"):
        await client.get(Peer(server.url), WALL)


@pytest.mark.asyncio
async def test_a_missing_token_says_where_to_write_it(client: PeerClient) -> None:
    message = await error_of(client, *body(b"", status="401 Unauthorized"))

    assert message == "it needs a token. Write its ACCESS_TOKEN into PEER_TOKENS_FILE"


@pytest.mark.asyncio
async def test_cookies_are_not_kept(client: PeerClient) -> None:
    with raw_server(lambda _: body(b"[]", "Set-Cookie: a=b; Path=/")) as server:
        for route in (WALL, "/api/config"):
            await client.get(Peer(server.url), route)

    assert not [r for r in server.requests if "cookie:" in r.lower()]


@pytest.mark.asyncio
async def test_a_proxy_of_the_environment_does_not_count(
    client: PeerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    with raw_server(lambda _: body(b"[]")) as server:
        assert (await client.get(Peer(server.url), WALL)).json() == []


def test_certificates_are_verified() -> None:
    # As httpx makes it, for every https address.
    context = client_module.httpx.create_ssl_context()

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
