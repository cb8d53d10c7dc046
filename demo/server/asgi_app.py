"""The HTTP transport: ASGI scopes, response bytes and broken connections."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from starlette.requests import Request as StarletteRequest
from starlette.types import Receive, Scope, Send

from ci_observer.demo.server.byte_cache import ByteCache
from ci_observer.demo.server.control_api import PREFIX, handle_control
from ci_observer.demo.server.github import GitHub
from ci_observer.demo.server.messages import Request, Response, not_found
from ci_observer.demo.server.run_page import run_page

GZIP_CACHE_BYTES = 8 * 2**20
MIN_GZIP_BYTES = 1024
WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class App:
    """The ASGI application of one simulated GitHub."""

    def __init__(self, github: GitHub) -> None:
        self.github = github
        self._compressed = ByteCache(GZIP_CACHE_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = parse_request(scope, self.github.settings.base_path)
        page = run_page(self.github.world, scope["path"])
        if page is not None:
            await send_response(send, page)
        elif request is None:
            await send_response(send, not_found())
        elif request.path.startswith(PREFIX):
            body = await StarletteRequest(scope, receive).body()
            await send_response(send, handle_control(self.github, request, body))
        elif request.method == "POST":
            body = await StarletteRequest(scope, receive).body()
            await self._serve(replace(request, body=body), send)
        else:
            await self._serve(request, send)

    async def _serve(self, request: Request, send: Send) -> None:
        response, effects = self.github.handle(request)
        delay = self.github.settings.latency + effects.delay
        if delay:
            await asyncio.sleep(delay)
        if effects.drop:
            abort_connection(send)
        elif effects.slow_headers is not None:
            await send_endless_header(send, effects.slow_headers)
        elif effects.truncate:
            await send_half(send, response)
        elif effects.stream is not None:
            start = start_message(response, has_length=effects.has_length)
            await send_stream(send, start, effects.stream(response))
        else:
            await send_response(send, self._gzipped(request, response))

    def _gzipped(self, request: Request, response: Response) -> Response:
        """The response, compressed if the settings and the client allow it."""
        accepts = "gzip" in request.headers.get("accept-encoding", "")
        is_big = len(response.body) >= MIN_GZIP_BYTES
        is_encoded = "content-encoding" in response.headers
        if is_encoded or not (self.github.settings.gzip and accepts and is_big):
            return response
        body = self._compressed.get_or_build(
            response.body_digest, lambda: gzip.compress(response.body, 6, mtime=0)
        )
        headers = {**response.headers, "content-encoding": "gzip"}
        return Response(response.status, body.content, headers)


def parse_request(scope: Scope, base_path: str) -> Request | None:
    """The request below the base path. None if the path is outside of it.

    The raw path is kept, so that `%2F` in a workflow id is not a separator.
    """
    path = scope["raw_path"].decode("latin-1").partition("?")[0]
    is_control = path.startswith(PREFIX)
    if not (is_control or path.startswith(f"{base_path}/")):
        return None
    headers = decoded_headers(scope)
    host = headers.get("host", "127.0.0.1")
    return Request(
        method=scope["method"],
        path=path if is_control else path.removeprefix(base_path),
        query_string=scope["query_string"].decode("latin-1"),
        headers=headers,
        origin=f"{scope['scheme']}://{host}",
        base_path=base_path,
    )


def decoded_headers(scope: Scope) -> Mapping[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope["headers"]
    }


async def send_response(send: Send, response: Response) -> None:
    await send(start_message(response))
    await send({"type": "http.response.body", "body": response.body})


async def send_half(send: Send, response: Response) -> None:
    """Send half of the promised Content-Length, then close the connection."""
    await send(start_message(response))
    half = response.body[: len(response.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    transport_of(send).close()


async def send_stream(
    send: Send, start: dict[str, Any], chunks: AsyncIterator[bytes]
) -> None:
    """Send the body piece by piece, until its end or until the client leaves."""
    await send(start)
    transport = transport_of(send)
    async for chunk in chunks:
        if transport.is_closing():
            return
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def send_endless_header(send: Send, seconds: float) -> None:
    """Send a status line and then one header, byte by byte, without an end."""
    transport = transport_of(send)
    transport.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    while not transport.is_closing():
        transport.write(b"a")
        await asyncio.sleep(seconds)


def abort_connection(send: Send) -> None:
    """Close the connection before a byte is sent."""
    transport_of(send).abort()


def transport_of(send: Send) -> asyncio.Transport:
    """The client's connection, which ASGI itself does not expose.

    uvicorn passes `send` as a bound method of its request cycle, and the cycle holds
    the transport: https://github.com/encode/uvicorn, `protocols/http/*_impl.py`.
    """
    cycle: Any = send
    transport: asyncio.Transport = cycle.__self__.transport
    return transport


def start_message(response: Response, *, has_length: bool = True) -> dict[str, Any]:
    """The `http.response.start` message of ASGI."""
    headers = {**response.headers}
    if has_length and response.status not in WITHOUT_BODY:
        headers["content-length"] = str(len(response.body))
    return {
        "type": "http.response.start",
        "status": response.status,
        "headers": [(k.encode(), header_bytes(v)) for k, v in headers.items()],
    }


def header_bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()
