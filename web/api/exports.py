"""Exports: a whole selection of runs as a stream of CSV or NDJSON, in constant memory.

A few run at once, because each has a page of runs in memory.

Each page is a read of its own, so that a slow client does not block the checkpoints of
ingest. A run that is re-run during the export moves to the top, and may be missed.
"""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.csv_formulas import KEEP, neutralised_row
from ci_observer.web.api.run_queries import encode_cursor, fetch_run_page
from ci_observer.web.columns import run_columns
from ci_observer.web.errors import WebError
from ci_observer.web.filters import EXPORT, EXPORT_CSV, Filters
from ci_observer.web.receiving import wait_for_disconnect
from ci_observer.web.responses import (
    Message,
    Receive,
    Send,
    error_response,
    respond_to_method,
)
from ci_observer.web.settings import settings_of
from ci_observer.web.sql.slots import Slots

PAGE_SIZE = 1000
RAW_PAGE_SIZE = 50  # a run with raw_json has about 12 kB
EXPORTS_AT_ONCE = 6
EXPORTS_PER_CLIENT = 3

TOO_MANY = "Other exports are running. Try again when they have ended."

Run = dict[str, Any]

_SLOTS: WeakKeyDictionary[Datasette, Slots] = WeakKeyDictionary()


@dataclass(frozen=True)
class OutputFormat:
    """How runs are written: a header for column names, and text for a page of runs."""

    extension: str
    filters: tuple[str, ...]
    content_type: str
    render_header: Callable[[tuple[str, ...]], str]
    render_runs: Callable[[list[Run]], str]


def _csv_lines(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _csv_runs(runs: list[Run]) -> str:
    return _csv_lines([[_csv_cell(value) for value in run.values()] for run in runs])


def _neutralised_csv_runs(runs: list[Run]) -> str:
    return _csv_lines([neutralised_row(map(_csv_cell, run.values())) for run in runs])


def _csv_cell(value: Any) -> Any:
    # ASCII, since GitHub's object may hold a lone surrogate, which UTF-8 cannot encode.
    return json.dumps(value) if isinstance(value, dict) else value


def _ndjson_runs(runs: list[Run]) -> str:
    return "".join(
        json.dumps(run, ensure_ascii="raw_json" in run) + "\n" for run in runs
    )


CSV = OutputFormat(
    "csv",
    EXPORT_CSV,
    "text/csv; charset=utf-8",
    lambda names: _csv_lines([[*names]]),
    _neutralised_csv_runs,
)
CSV_WITH_FORMULAS = replace(CSV, render_runs=_csv_runs)
NDJSON = OutputFormat(
    "ndjson", EXPORT, "application/x-ndjson", lambda _: "", _ndjson_runs
)


async def stream_runs(
    datasette: Datasette,
    request: Request,
    receive: Receive,
    send: Send,
    output_format: OutputFormat,
) -> Response | None:
    """Send every run that the URL selects, newest first, and return None.

    If the request cannot be met, send nothing and return an error response.
    """
    method_response = respond_to_method(request)
    if method_response is not None:
        return method_response
    slots = _SLOTS.setdefault(datasette, Slots(EXPORTS_AT_ONCE, EXPORTS_PER_CLIENT))
    async with AsyncExitStack() as stack:
        try:
            client = (request.scope.get("client") or ("",))[0]
            await stack.enter_async_context(slots.take(client))
        except TimeoutError:
            return error_response(request, TOO_MANY, 503, headers={"Retry-After": "10"})
        return await _stream(datasette, request, receive, send, output_format)


async def _stream(
    datasette: Datasette,
    request: Request,
    receive: Receive,
    send: Send,
    output_format: OutputFormat,
) -> Response | None:
    try:
        filters = Filters.from_query(request.query_string, output_format.filters)
        pages = fetch_pages(datasette, filters)
        # Read before the status line goes out, so that a broken database is a 503.
        first = await anext(pages)
    except WebError as error:
        return error_response(request, str(error), error.status, facts=error.facts)
    formulas = filters.formulas or settings_of(datasette).csv_formulas
    if output_format is CSV and formulas == KEEP:
        output_format = CSV_WITH_FORMULAS
    async with aclosing(pages):
        await send(_start(output_format))
        if request.method != "HEAD":
            header = output_format.render_header(run_columns(raw=filters.raw))
            await send(_body(header, more=True))
            await send(_body(output_format.render_runs(first), more=True))
            await _send_pages(pages, receive, send, output_format)
    await send(_body(""))
    return None


async def _send_pages(
    pages: AsyncIterator[list[Run]],
    receive: Receive,
    send: Send,
    output_format: OutputFormat,
) -> None:
    """Send until the last page, or until the client disconnects."""
    disconnected = asyncio.ensure_future(wait_for_disconnect(receive))
    try:
        async for runs in pages:
            if disconnected.done():
                break
            await send(_body(output_format.render_runs(runs), more=True))
    finally:
        disconnected.cancel()


async def fetch_pages(
    datasette: Datasette, filters: Filters
) -> AsyncGenerator[list[Run], None]:
    """The pages of the selection, newest runs first; only the first may be empty.

    Raises `Unavailable` when SQLite fails.
    """
    filters = replace(filters, limit=RAW_PAGE_SIZE if filters.raw else PAGE_SIZE)
    has_next = True
    while has_next:
        row = await fetch_run_page(datasette, filters, inline=False)
        yield json.loads(row["runs"])
        has_next = row["next"] is not None
        filters = replace(filters, cursor=encode_cursor(row["next"] or ""))


def _start(output_format: OutputFormat) -> Message:
    filename = f"runs.{output_format.extension}"
    headers = {
        "Content-Type": output_format.content_type,
        "Content-Disposition": f'attachment; filename="{filename}"',
        "Cache-Control": "no-cache",
    }
    pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": pairs}


def _body(text: str, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": more}
