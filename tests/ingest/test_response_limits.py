"""Responses of any size, duration and encoding: each ends, and costs little memory."""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

import pytest
from raw_server import OPEN, head, raw_server
from waiting import HANG_SECONDS

from ci_observer.ingest.errors import (
    GitHubUnavailable,
    InvalidResponse,
    RateLimited,
    TooLarge,
    TooSlow,
)
from ci_observer.ingest.github import transport as transport_module
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection
from ci_observer.ingest.github.pages import RunPage
from ci_observer.ingest.github.transport import open_http

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MB = 2**20
PAGE = json.dumps({"total_count": 0, "workflow_runs": []}).encode()
JSON = "content-type: application/json"


def call(url: str, work: Callable[[GitHub], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with open_http("test") as http:
            connection = Connection(http, api_url=url, token=None, clock=lambda: NOW)
            async with asyncio.timeout(HANG_SECONDS):
                return await work(GitHub(connection))

    return asyncio.run(run())


def fetch(chunks: Iterable[bytes], etag: str | None = None) -> RunPage:
    with raw_server(lambda _: chunks) as server:
        page: RunPage = call(
            server.url,
            lambda github: github.fetch_runs(
                "acme/api", "ci.yml", per_page=30, etag=etag
            ),
        )
    return page


def bomb(megabytes: int) -> bytes:
    """A gzip stream of zeros, in a thousandth of their size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    parts = [packer.compress(bytes(MB)) for _ in range(megabytes)]
    return b"".join([*parts, packer.flush()])


def test_an_endless_body_is_dropped_at_the_limit():
    with pytest.raises(TooLarge, match="larger than 32 MB") as caught:
        fetch([head(JSON), *repeat(bytes(MB), 64)])

    assert caught.value.kind == "too_large"


def test_a_gzip_bomb_costs_little_memory():
    body = [head("content-encoding: gzip"), bomb(1024)]
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="larger than 32 MB"):
            fetch(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 100 * MB


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "deflate", "x-unknown"])
def test_a_compression_that_was_not_requested_is_refused(encoding):
    with pytest.raises(InvalidResponse, match="compression"):
        fetch([head(f"content-encoding: {encoding}"), gzip.compress(PAGE)])


def test_a_compressed_page_is_read():
    assert fetch([head("content-encoding: gzip"), gzip.compress(PAGE)]).total_count == 0


@pytest.mark.parametrize(
    "body", [gzip.compress(PAGE)[:-9], b"no gzip at all"], ids=["cut", "plain"]
)
def test_a_broken_compression_can_be_tried_again(body):
    with pytest.raises(GitHubUnavailable):
        fetch([head("content-encoding: gzip"), body])


def test_a_slow_body_is_dropped_at_the_limit(monkeypatch):
    """The limit is for the whole response; the timeout of one read is longer."""
    monkeypatch.setattr(transport_module, "RESPONSE_SECONDS", 0.2)

    with pytest.raises(TooSlow, match=r"not complete after 0\.2 seconds") as caught:
        fetch([head(JSON), b" ", OPEN])

    assert caught.value.kind == "too_slow"


def test_the_endless_body_of_a_rate_limit_is_no_obstacle():
    headers = head("retry-after: 90", status="429 Too Many Requests")

    with pytest.raises(RateLimited):
        fetch([headers, *repeat(bytes(MB), 64)])


@pytest.mark.parametrize(
    "etag", ['"\xe9t\xe9"'.encode("latin-1"), '"日本"'.encode(), b'"' + b"x" * 5000]
)
def test_an_etag_that_cannot_be_sent_back_is_ignored(etag):
    page = fetch([head(b"etag: " + etag), PAGE])

    assert page.etag is None


@pytest.mark.parametrize("etag", ['"é"', '"a\nb"', '"\x00"', '"' + "x" * 5000])
def test_a_stored_etag_that_cannot_be_sent_is_not_sent(etag):
    """An older version may have stored it."""
    assert fetch([head(), PAGE], etag=etag).total_count == 0


def test_a_304_to_an_unconditional_request_proves_nothing():
    with pytest.raises(InvalidResponse, match="304"):
        fetch([head(status="304 Not Modified")])


@pytest.mark.parametrize("status", ["202 Accepted", "204 No Content", "300 Choices"])
def test_a_status_without_data_is_an_error_of_the_feed(status):
    with pytest.raises(InvalidResponse, match=f"{status[:3]}.*next pass"):
        fetch([head(status=status)])


def test_a_login_page_with_200_is_called_a_web_page():
    with pytest.raises(InvalidResponse, match="login page"):
        fetch([head("content-type: text/html"), b"<!DOCTYPE html><h1>Sign in</h1>"])


def test_a_cookie_is_never_sent_back():
    """A broken one would be in every later request."""
    with raw_server(lambda _: [head("set-cookie: a=b; path=/"), PAGE]) as server:
        call(server.url, fetch_twice)

    assert len(server.requests) == 2
    assert not any("cookie" in request.lower() for request in server.requests)


async def fetch_twice(github: GitHub) -> None:
    for _ in range(2):
        await github.fetch_runs("acme/api", "ci.yml", per_page=30)


@pytest.mark.parametrize(
    ("date", "is_stored"),
    [("", False), ("date: Tue, 03 Mar 2026 12:00:00 GMT", True)],
)
def test_a_run_of_the_future_is_left_out_unless_our_clock_is_late(date, is_stored):
    runs = [{"id": 1, "created_at": "2026-03-01T11:00:00Z"}]
    runs += [{"id": 2, "created_at": "2026-03-03T11:00:00Z"}]
    body = json.dumps({"total_count": 2, "workflow_runs": runs}).encode()

    page = fetch([head(*filter(None, [date])), body])

    assert [run["id"] for run in page.runs] == ([1, 2] if is_stored else [1])
    assert page.refused == (0 if is_stored else 1)


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_the_error_of_a_large_body_does_not_keep_it(is_gzipped: bool) -> None:
    """The error of a feed may be referred to until the next pass."""
    headers = "content-encoding: gzip" if is_gzipped else JSON
    content = bomb(50) if is_gzipped else b" " * (50 * MB)

    with pytest.raises(TooLarge) as raised:
        fetch([head(headers), content])

    frames = []
    trace = raised.value.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    buffers = [
        len(value)
        for frame in frames
        for value in frame.f_locals.values()
        if isinstance(value, bytearray)
    ]
    assert buffers
    assert max(buffers) == 0
