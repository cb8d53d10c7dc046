"""The summary as JSON and as Markdown, cached until it changes."""

import json
from urllib.parse import parse_qsl

from datasette.app import Datasette

from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.errors import BadRequest
from ci_observer.web.filters import MAX_ARGUMENTS
from ci_observer.web.summary.markdown import markdown_of
from ci_observer.web.summary.page import fetch_report
from ci_observer.web.summary.report import Report
from ci_observer.web.summary.span import Request
from ci_observer.web.urls import linker


async def fetch_json(datasette: Datasette, query: str) -> CachedResponse:
    """The numbers of a summary as JSON; raises `BadRequest` and `Unavailable`."""
    request = _request(query)

    async def compute() -> CachedResponse:
        report = await fetch_report(datasette, request)
        text = json.dumps(report.data, ensure_ascii=False)
        return _response(report, text)

    return await get_or_compute(datasette, ("summary", request), compute)


async def fetch_markdown(
    datasette: Datasette, query: str, origin: str
) -> CachedResponse:
    """The summary as Markdown. `origin` is the server's, for absolute links."""
    request = _request(query)

    async def compute() -> CachedResponse:
        report = await fetch_report(datasette, request)
        return _response(report, markdown_of(report, linker(datasette, origin)))

    return await get_or_compute(datasette, ("summary.md", request, origin), compute)


def _request(query: str) -> Request:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_ARGUMENTS)
    except ValueError:
        raise BadRequest(
            f"Too many arguments: a URL may have {MAX_ARGUMENTS}."
        ) from None
    return Request.from_pairs(pairs)


def _response(report: Report, text: str) -> CachedResponse:
    return CachedResponse(
        text.encode(), revision=report.revision, expires_at=report.expires_at
    )
