"""The transport: ASGI scope to call, answer to bytes, and broken connections."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ci_observer.demo.server.caches import ByteCache
from ci_observer.demo.server.control import PREFIX, control
from ci_observer.demo.server.github import GitHub
from ci_observer.demo.server.pages import run_page
from ci_observer.demo.server.responses import Answer, Call, not_found

GZIP_CACHE_BYTES = 8 * 2**20
SMALLEST_GZIP = 1024


class App:
    """The ASGI application of one simulated GitHub."""

    def __init__(self, github: GitHub) -> None:
        self.github = github
        self._compressed = ByteCache(GZIP_CACHE_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        call = call_of(scope, self.github.settings.base_path)
        page = run_page(self.github.world, scope["path"])
        if page is not None:
            await transmit(send, page)
        elif call is None:
            await transmit(send, not_found())
        elif call.path.startswith(PREFIX):
            body = await Request(scope, receive).body()
            await transmit(send, control(self.github, call, body))
        else:
            await self._serve(call, send)

    async def _serve(self, call: Call, send: Send) -> None:
        answer, plan = self.github.handle(call)
        wait = self.github.settings.latency + plan.delay
        if wait:
            await asyncio.sleep(wait)
        if plan.drop:
            abort(send)
        elif plan.truncate:
            await transmit_half(send, answer)
        else:
            await transmit(send, self._encoded(call, answer))

    def _encoded(self, call: Call, answer: Answer) -> Answer:
        """Compressed when the settings want it and the client takes it."""
        accepts = "gzip" in call.headers.get("accept-encoding", "")
        big = len(answer.body) >= SMALLEST_GZIP
        if not (self.github.settings.gzip and accepts and big):
            return answer
        key = answer.body_digest
        body = self._compressed.get(key, lambda: gzip.compress(answer.body, 6, mtime=0))
        headers = {**answer.headers, "content-encoding": "gzip"}
        return Answer(answer.status, body.content, headers)


def call_of(scope: Scope, base_path: str) -> Call | None:
    """The request below the base path; None for a path outside of it.

    The raw path is kept, so that `%2F` in a workflow id is not a separator.
    """
    path = scope["raw_path"].decode("latin-1").partition("?")[0]
    is_control = path.startswith(PREFIX)
    if not (is_control or path.startswith(f"{base_path}/")):
        return None
    headers = decoded_headers(scope)
    host = headers.get("host", "127.0.0.1")
    return Call(
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


async def transmit(send: Send, answer: Answer) -> None:
    await send(start_of(answer, len(answer.body)))
    await send({"type": "http.response.body", "body": answer.body})


async def transmit_half(send: Send, answer: Answer) -> None:
    """Half of what Content-Length says, then the end of the connection."""
    await send(start_of(answer, len(answer.body)))
    half = answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    transport_of(send).close()


def abort(send: Send) -> None:
    """End the connection before a byte is sent."""
    transport_of(send).abort()


def transport_of(send: Send) -> asyncio.Transport:
    """The client's connection, which ASGI itself does not show.

    uvicorn passes `send` as a bound method of its request cycle, and the cycle holds
    the transport: https://github.com/encode/uvicorn, `protocols/http/*_impl.py`.
    """
    cycle: Any = send
    transport: asyncio.Transport = cycle.__self__.transport
    return transport


def start_of(answer: Answer, length: int) -> dict[str, Any]:
    headers = {**answer.headers}
    if answer.status != HTTPStatus.NOT_MODIFIED:
        headers["content-length"] = str(length)
    return {
        "type": "http.response.start",
        "status": answer.status,
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
    }
