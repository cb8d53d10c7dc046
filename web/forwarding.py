"""Forwards requests from the process of the wall to the one of Datasette's pages.

The request arrives there as the visitor sent it. What the connection knew (scheme,
client address) goes along in a header, which a visitor cannot set.
"""

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from datasette.app import Datasette

from ci_observer.web.api.table import ROUTES
from ci_observer.web.loop_errors import ignore_late_results
from ci_observer.web.pages.error_page import send_error
from ci_observer.web.receiving import read_body, run_until_disconnect
from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.sql.slots import Slots
from ci_observer.web.urls import route_of

# Everything else is Datasette's.
OUR_FOLDERS = (
    *("/api", "/runs", "/workflows", "/commits", "/summary", "/login", "/logout"),
    *("/s", "/static"),
    # Files of Datasette and of its plugins.
    *("/-/static", "/-/static-plugins"),
)
BELOW_OUR_FOLDERS = tuple(f"{folder}/" for folder in OUR_FOLDERS)
OUR_PAGES = ("/", "/favicon.ico", "/muted", "/summary.md", *OUR_FOLDERS)

SCOPE_HEADER = b"ci-observer-scope"
SCOPE_KEYS = ("scheme", "client", "server", "root_path")
# https://www.rfc-editor.org/rfc/rfc9110#name-connection
HOP_BY_HOP = {
    *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer"),
    *(b"transfer-encoding", b"upgrade", b"expect"),
}
BODY_HEADERS = {b"content-length", b"transfer-encoding"}
# Of requests at once; each takes two file descriptors.
MAX_FORWARDED = 40
# Of one client address, which leaves room for others.
MAX_OF_CLIENT = 30
# The other process starts at the same time as this one.
START_SECONDS = 10
RETRY_SECONDS = 0.02
# Longer than any statement may wait and run.
TIMEOUT = httpx.Timeout(120, connect=2, pool=10)

RESTARTING = (
    "Tables and SQL are starting again after an error. Try again in a few seconds. The "
    "wall and the API are not affected."
)
BUSY = "Too many requests for tables and SQL at once. Try again in a moment."
STALLED = "Tables and SQL did not respond in time. Try again in a moment."

Headers = list[tuple[bytes, bytes]]


def is_ours(route: str) -> bool:
    """Whether the process of the wall serves a route itself."""
    return (
        route in OUR_PAGES
        or route.startswith(BELOW_OUR_FOLDERS)
        or ROUTES.find(route) is not None
    )


class Forwarder:
    """An ASGI app: our own routes go to `app`, all others to a Unix socket."""

    def __init__(self, datasette: Datasette, app: App, socket: Path) -> None:
        self._datasette = datasette
        self._app = app
        # A transport, since a client would keep the cookies of all visitors.
        self._transport = httpx.AsyncHTTPTransport(
            uds=str(socket),
            limits=httpx.Limits(max_connections=MAX_FORWARDED),
            # SSL_CERT_FILE is for requests to GitHub; a wrong one must not stop this.
            trust_env=False,
        )
        self._slots = Slots(MAX_FORWARDED, MAX_OF_CLIENT)
        self._starts_until: float | None = time.monotonic() + START_SECONDS

    async def close(self) -> None:
        """Close the connections to the other process."""
        await self._transport.aclose()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve or forward one request."""
        if scope["type"] == "lifespan":
            ignore_late_results(asyncio.get_running_loop())
            await self._app(scope, receive, send)
            await self.close()
            return
        if scope["type"] != "http" or is_ours(route_of(self._datasette, scope)):
            await self._app(scope, receive, send)
            return
        # Before it takes a slot, so that a slow sender holds none. The size is limited.
        body = await read_body(receive) if _has_body(scope) else b""
        if body is not None:
            await run_until_disconnect(self._forward(scope, body, send), receive)

    async def _forward(self, scope: Message, body: bytes, send: Send) -> None:
        started = False

        async def remember(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        client = (scope.get("client") or ("",))[0]
        try:
            async with self._slots.take(client):
                await self._respond(scope, body, remember)
        except TimeoutError:
            if not started:
                await send_error(self._datasette, scope, send, 503, BUSY)

    async def _respond(self, scope: Message, body: bytes, send: Send) -> None:
        try:
            response = await self._request(_request(scope, body))
        except httpx.TimeoutException:
            await send_error(self._datasette, scope, send, 503, STALLED)
        except httpx.TransportError:
            await send_error(self._datasette, scope, send, 503, RESTARTING)
        else:
            # When this ends early, the server closes the visitor's connection.
            with suppress(httpx.TransportError):
                await _send_response(response, send)

    async def _request(self, request: httpx.Request) -> httpx.Response:
        while True:
            try:
                response = await self._transport.handle_async_request(request)
            except httpx.ConnectError:
                if self._starts_until is None or time.monotonic() > self._starts_until:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._starts_until = None
                return response


def with_forwarded_scope(app: App) -> App:
    """The app behind a `Forwarder`: sees each request as the forwarder did."""

    async def restored(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [pair for pair in scope["headers"] if pair[0] != SCOPE_HEADER]
            [facts] = [pair[1] for pair in scope["headers"] if pair[0] == SCOPE_HEADER]
            scope = scope | json.loads(facts) | {"headers": headers}
            for name in ("client", "server"):
                # ASGI has tuples, JSON has lists.
                scope[name] = scope[name] and tuple(scope[name])
        await app(scope, receive, send)

    return restored


def _has_body(scope: Message) -> bool:
    return not BODY_HEADERS.isdisjoint(name for name, _ in scope["headers"])


def _request(scope: Message, body: bytes) -> httpx.Request:
    # httpx would normalize the path, so the target of the request is given apart.
    target = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    facts = json.dumps({key: scope.get(key) for key in SCOPE_KEYS}).encode()
    headers = _end_to_end([*scope["headers"]])
    headers = [pair for pair in headers if pair[0] != SCOPE_HEADER]
    return httpx.Request(
        scope["method"],
        "http://localhost/",
        headers=[*headers, (SCOPE_HEADER, facts)],
        content=body,
        extensions={"target": target, "timeout": TIMEOUT.as_dict()},
    )


def _end_to_end(headers: Headers) -> Headers:
    return [pair for pair in headers if pair[0].lower() not in HOP_BY_HOP]


async def _send_response(response: httpx.Response, send: Send) -> None:
    stream: Any = response.stream
    try:
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": _end_to_end(response.headers.raw),
            }
        )
        async for chunk in stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        await stream.aclose()
    await send({"type": "http.response.body", "body": b""})
