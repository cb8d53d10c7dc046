"""Admits a few requests for Datasette's pages at once, which bounds their memory.

A result of 10 MB can need ten times as much while Datasette makes a page of it. A
request waits for its turn here, behind others of the same client address, and at last
gets 503. A request whose visitor has left is cancelled, with its statement.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from datasette.app import Datasette

from ci_observer.web.pages.error_page import send_error
from ci_observer.web.receiving import run_until_disconnect
from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.sql.large_results import BUSY, Request, current_request
from ci_observer.web.sql.slots import Slots

AT_ONCE = 3
# One visitor's statements leave room for others.
PER_CLIENT = 2
# A browser requests the charts of a dashboard together, and each may take seconds.
PAGE_WAIT_SECONDS = 60
# Exports of whole tables, which take minutes and little memory.
EXPORTS_AT_ONCE = 2
EXPORTS_PER_CLIENT = 1
# Rows that an export reads at once. The form of Datasette asks for as many as possible,
# which are more than a result may have where each has a whole object of GitHub.
EXPORT_ROWS = 1000
EXPORT_ROWS_OF = {"runs_full": 200, "run_payloads": 200}
# For a page, until its last byte is sent.
PAGE_SECONDS = 300
# A larger body goes out in parts, so that its memory is held by one request.
PART_BYTES = 65_536

TOO_MANY_EXPORTS = "Other exports are running. Try again when they have ended."


class Gate:
    """The places of one server."""

    def __init__(self, datasette: Datasette) -> None:
        self._datasette = datasette
        self._pages = Slots(AT_ONCE, PER_CLIENT, PAGE_WAIT_SECONDS)
        self._exports = Slots(EXPORTS_AT_ONCE, EXPORTS_PER_CLIENT)
        self._large = asyncio.Lock()

    async def run(self, app: App, scope: Message, receive: Receive, send: Send) -> None:
        """Run a request in its turn, or respond with 503."""
        is_export = _is_export(scope)
        slots = self._exports if is_export else self._pages
        client = (scope.get("client") or ("",))[0]
        if is_export:
            scope = with_short_pages(scope)
        request = Request(self._large, is_export=is_export)
        started = _Started(send)
        try:
            async with slots.take(client):
                token = current_request.set(request)
                try:
                    async with asyncio.timeout(None if is_export else PAGE_SECONDS):
                        await app(scope, receive, started.send)
                finally:
                    current_request.reset(token)
                    request.release()
        except TimeoutError:
            # After its start, a response can only be broken off.
            if not started.has_started:
                message = TOO_MANY_EXPORTS if is_export else BUSY
                await send_error(self._datasette, scope, send, 503, message)


async def run_while_connected(
    run: Callable[[Receive], Coroutine[Any, Any, None]],
    scope: Message,
    receive: Receive,
) -> None:
    """Run a request, and cancel it when its visitor leaves."""
    if scope["method"] not in ("GET", "HEAD"):
        await run(receive)
        return
    # A plugin may read the body, for example a login page that also serves POST.
    messages: asyncio.Queue[Message] = asyncio.Queue()

    async def receive_and_pass_on() -> Message:
        message = await receive()
        messages.put_nowait(message)
        return message

    await run_until_disconnect(run(messages.get), receive_and_pass_on)


class _Started:
    """Sends a response in parts, and knows whether it has started."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_started = False

    async def send(self, message: Message) -> None:
        self.has_started = True
        body = message.get("body", b"")
        while len(body) > PART_BYTES:
            part = {"type": message["type"], "body": body[:PART_BYTES]}
            await self._send(part | {"more_body": True})
            body = body[PART_BYTES:]
        await self._send(message | {"body": body} if body else message)


def with_short_pages(scope: Message) -> Message:
    """The request of an export, reading fewer rows at once; it gets the same rows."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    table = scope["path"].rpartition("/")[2].removesuffix(".csv")
    rows = EXPORT_ROWS_OF.get(table, EXPORT_ROWS)
    others = [(name, value) for name, value in pairs if name != "_size"]
    query = urlencode([*others, ("_size", rows)])
    return scope | {"query_string": query.encode("latin-1")}


def _is_export(scope: Message) -> bool:
    query = parse_qs(scope["query_string"].decode("latin-1"))
    return scope["path"].endswith(".csv") and "_stream" in query
