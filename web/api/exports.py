"""The whole selection of runs as a stream of CSV or NDJSON, in constant memory.

Keyset pages, not one long read: a slow client thus holds back no checkpoint of ingest.
A run that starts anew meanwhile moves to the top, and may be missed.
"""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.api.cursors import encode_cursor
from ci_observer.web.api.run_queries import fetch_run_page
from ci_observer.web.asgi import Message, Receive, Send
from ci_observer.web.columns import run_columns
from ci_observer.web.errors import WebError
from ci_observer.web.filters import EXPORT, Filters
from ci_observer.web.responses import error_response, refuse_method

PAGE_SIZE = 1000
RAW_PAGE_SIZE = 100  # of some 12 kB each

Run = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """How runs are written: the text before the first, and that of some of them."""

    extension: str
    content_type: str
    render_header: Callable[[tuple[str, ...]], str]
    render_runs: Callable[[list[Run]], str]


def _csv_lines(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _csv_runs(runs: list[Run]) -> str:
    return _csv_lines([[_csv_cell(value) for value in run.values()] for run in runs])


def _csv_cell(value: Any) -> Any:
    # In ASCII: GitHub's object may hold a lone surrogate, which UTF-8 has not.
    return json.dumps(value) if isinstance(value, dict) else value


def _ndjson_runs(runs: list[Run]) -> str:
    return "".join(
        json.dumps(run, ensure_ascii="raw_json" in run) + "\n" for run in runs
    )


CSV = Format(
    "csv", "text/csv; charset=utf-8", lambda names: _csv_lines([[*names]]), _csv_runs
)
NDJSON = Format("ndjson", "application/x-ndjson", lambda _: "", _ndjson_runs)


async def stream_runs(
    datasette: Datasette, request: Request, receive: Receive, send: Send, form: Format
) -> Response | None:
    """Send every run that the URL selects, newest first; or return an error."""
    refused = refuse_method(request)
    if refused is not None:
        return refused
    try:
        filters = Filters.from_query(request.query_string, EXPORT)
        pages = fetch_pages(datasette, filters)
        # Before the status line, so that a broken database is still a clean error.
        first = await anext(pages)
    except WebError as error:
        return error_response(request, str(error), error.status, facts=error.facts)
    async with aclosing(pages):
        await send(_start(form))
        if request.method != "HEAD":
            await send(
                _body(form.render_header(run_columns(raw=filters.raw)), more=True)
            )
            await send(_body(form.render_runs(first), more=True))
            await _send_pages(pages, receive, send, form)
    await send(_body(""))
    return None


async def _send_pages(
    pages: AsyncIterator[list[Run]], receive: Receive, send: Send, form: Format
) -> None:
    """Send until the end, or until nobody listens any more."""
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        async for runs in pages:
            if gone.done():
                break
            await send(_body(form.render_runs(runs), more=True))
    finally:
        gone.cancel()


async def fetch_pages(
    datasette: Datasette, filters: Filters
) -> AsyncGenerator[list[Run], None]:
    """Page after page of the selection; the first one may be empty."""
    filters = replace(filters, limit=RAW_PAGE_SIZE if filters.raw else PAGE_SIZE)
    more = True
    while more:
        row = await fetch_run_page(datasette, filters, inline=False)
        yield json.loads(row["runs"])
        more = row["next"] is not None
        filters = replace(filters, cursor=encode_cursor(row["next"] or ""))


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(form: Format) -> Message:
    headers = {
        "Content-Type": form.content_type,
        "Content-Disposition": f'attachment; filename="runs.{form.extension}"',
        "Cache-Control": "no-cache",
    }
    pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": pairs}


def _body(text: str, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": more}
