"""Exports: a whole selection of a list as a stream, in constant memory.

A few run at once, because each has a page of rows in memory.

Each page is a read of its own, so that a slow client does not block the checkpoints of
ingest. A run that is re-run during the export moves to the top, and may be missed.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from datasette.app import Datasette
from datasette.utils.asgi import Response

from ci_observer.web.api.cursors import encode_cursor
from ci_observer.web.api.listings import Listing
from ci_observer.web.api.response_schemas import describe
from ci_observer.web.api.routes import Call
from ci_observer.web.api.writers import Content, Item, OutputFormat
from ci_observer.web.columns import DESCRIBED_IN
from ci_observer.web.database import DATABASE
from ci_observer.web.errors import WebError
from ci_observer.web.filters import Filters
from ci_observer.web.receiving import wait_for_disconnect
from ci_observer.web.responses import (
    Message,
    error_response,
    respond_to_method,
)
from ci_observer.web.settings import settings_of
from ci_observer.web.sql.slots import Slots

PAGE_SIZE = 1000
RAW_PAGE_SIZE = 50  # a run with raw_json has about 12 kB
EXPORTS_AT_ONCE = 6
EXPORTS_PER_CLIENT = 3

NOT_IMPLEMENTED = 501
T = TypeVar("T")

TOO_MANY = "Other exports are running. Try again when they have ended."

_SLOTS: WeakKeyDictionary[Datasette, Slots] = WeakKeyDictionary()


async def stream(
    call: Call, listing: Listing, output_format: OutputFormat
) -> Response | None:
    """Send every item that the URL selects, newest first, and return None.

    If the request cannot be met, send nothing and return an error response.
    """
    request = call.request
    method_response = respond_to_method(request)
    if method_response is not None:
        return method_response
    problem = output_format.problem()
    if problem is not None:
        return error_response(request, problem, NOT_IMPLEMENTED)
    slots = _SLOTS.setdefault(
        call.datasette, Slots(EXPORTS_AT_ONCE, EXPORTS_PER_CLIENT)
    )
    async with AsyncExitStack() as stack:
        try:
            client = (request.scope.get("client") or ("",))[0]
            await stack.enter_async_context(slots.take(client))
        except TimeoutError:
            return error_response(request, TOO_MANY, 503, headers={"Retry-After": "10"})
        return await _stream(call, listing, output_format)


async def _stream(
    call: Call, listing: Listing, output_format: OutputFormat
) -> Response | None:
    request, send = call.request, call.send
    try:
        filters = listing.filters.from_query(
            request.query_string, call.route.parameters
        )
        pages = fetch_pages(call.datasette, listing, filters)
        # Read before the status line goes out, so that a broken database is a 503.
        first = await anext(pages)
    except WebError as error:
        return error_response(request, str(error), error.status, facts=error.facts)
    content = content_of(call.datasette, listing, filters)
    async with aclosing(pages):
        await send(_start(listing, output_format))
        if request.method != "HEAD":
            await _send_rows(first, pages, call, output_format, content)
    await send(_body(b""))
    return None


def content_of(datasette: Datasette, listing: Listing, filters: Filters) -> Content:
    """The content of an export, from the URL and the settings."""
    tables = datasette.metadata("tables", database=DATABASE) or {}
    return Content(
        listing.columns(filters),
        describe(tables, *DESCRIBED_IN[listing.name]),
        filters.formulas or settings_of(datasette).csv_formulas,
    )


async def _send_rows(
    first: list[Item],
    pages: AsyncIterator[list[Item]],
    call: Call,
    output_format: OutputFormat,
    content: Content,
) -> None:
    """Send until the last page, or until the client disconnects."""
    run = asyncio.to_thread if output_format.is_slow else _run_here
    disconnected = asyncio.ensure_future(wait_for_disconnect(call.receive))

    async def send(function: Callable[..., bytes], *arguments: list[Item]) -> None:
        body = await run(function, *arguments)
        if body:
            await call.send(_body(body, more=True))

    try:
        writer = await run(output_format.writer, content)
        await send(writer.header)
        await send(writer.rows, first)
        async for items in pages:
            if disconnected.done():
                return
            await send(writer.rows, items)
        await send(writer.end)
    finally:
        disconnected.cancel()


async def _run_here(function: Callable[..., T], *arguments: Any) -> T:
    return function(*arguments)


async def fetch_pages(
    datasette: Datasette, listing: Listing, filters: Filters
) -> AsyncGenerator[list[Item], None]:
    """The pages of the selection, newest first; only the first may be empty.

    Raises `Unavailable` when SQLite fails.
    """
    filters = replace(filters, limit=RAW_PAGE_SIZE if filters.raw else PAGE_SIZE)
    has_next = True
    while has_next:
        row = await listing.fetch_page(datasette, filters, inline=False)
        yield json.loads(row[listing.name])
        has_next = row["next"] is not None
        filters = replace(filters, cursor=encode_cursor(row["next"] or ""))


def _start(listing: Listing, output_format: OutputFormat) -> Message:
    filename = f"{listing.name}.{output_format.extension}"
    headers = {
        "Content-Type": output_format.content_type,
        "Content-Disposition": f'attachment; filename="{filename}"',
        # nginx would otherwise collect it in a file.
        "X-Accel-Buffering": "no",
    }
    pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": pairs}


def _body(content: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}
