"""The handlers of the API's routes."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.api import queries
from ci_observer.web.api.exports import stream
from ci_observer.web.api.links import link_header
from ci_observer.web.api.listings import Listing
from ci_observer.web.api.routes import Call, Handler, respond_to
from ci_observer.web.api.run_details import fetch_run_details
from ci_observer.web.api.writers import OutputFormat
from ci_observer.web.cache import CachedResponse
from ci_observer.web.errors import WebError
from ci_observer.web.filters import Filters
from ci_observer.web.past.wall import fetch_past_wall
from ci_observer.web.peers import merged
from ci_observer.web.responses import (
    JSON,
    error_response,
    respond_to_method,
    respond_with,
    with_etag,
)
from ci_observer.web.summary.responses import fetch_json

Fetch = Callable[[Datasette, Filters], Awaitable[CachedResponse]]


def json_of(fetch: Fetch) -> Handler:
    """A handler that responds with what `fetch` returns for the URL's filters."""

    async def handle(call: Call) -> Response:
        return await respond_to(call, lambda filters: fetch(call.datasette, filters))

    return handle


def page_of(listing: Listing, fetch_page: Fetch | None = None) -> Handler:
    """A handler that responds with one page of a list, and a link to the next one.

    `fetch_page` takes the place of `listing.fetch`.
    """
    fetch_page = fetch_page or listing.fetch

    async def handle(call: Call) -> Response:
        cursors = []

        async def fetch() -> CachedResponse:
            query = call.request.query_string
            filters = listing.filters.from_query(query, call.route.parameters)
            cached = await fetch_page(call.datasette, filters)
            cursors.append(cached.next_cursor)
            return cached

        response = await respond_with(call.request, fetch)
        for cursor in cursors:
            link = link_header(call.datasette, call.request, call.route.path, cursor)
            if link:
                response.headers["Link"] = link
        return response

    return handle


def export_of(listing: Listing, output_format: OutputFormat) -> Handler:
    """A handler that streams every selected item of a list."""

    async def handle(call: Call) -> Response | None:
        return await stream(call, listing, output_format)

    return handle


async def run(call: Call) -> Response:
    """A run with its attempts and jobs."""

    async def fetch(filters: Filters) -> CachedResponse:
        run_id = call.values["run_id"]
        return await fetch_run_details(call.datasette, run_id, filters)

    return await respond_to(call, fetch)


async def wall(datasette: Datasette, selection: Filters) -> CachedResponse:
    """The tiles now, or at the time of the filter `at`."""
    if selection.at is not None:
        return await fetch_past_wall(datasette, replace(selection, peers=None))
    return await merged.fetch_wall(datasette, selection)


async def filter_values(datasette: Datasette, _: Filters) -> CachedResponse:
    """The values of each filter."""
    return await queries.fetch_filters(datasette)


async def summary(call: Call) -> Response:
    """The summary, which reads its URL itself."""
    return await respond_with(
        call.request, lambda: fetch_json(call.datasette, call.request.query_string)
    )


async def config(datasette: Datasette, selection: Filters) -> CachedResponse:
    """The public settings, the state of polling, and the ETag of the wall."""
    settings = await merged.fetch_config(datasette, selection)
    # A wall with this ETag need not request /api/wall.
    wall_etag = await merged.fetch_wall_etag(datasette, selection)
    text = json.dumps(settings | {"wall_etag": wall_etag})
    return CachedResponse(text.encode(), revision=settings["revision"])


async def health(datasette: Datasette, _: Filters) -> CachedResponse:
    """Whether the data are fresh."""
    return await queries.fetch_health(datasette)


async def health_status(datasette: Datasette, request: Request) -> Response:
    """The same without a reason or a number, for those who may not see the data."""
    method_response = respond_to_method(request)
    if method_response is not None:
        return method_response
    try:
        await queries.fetch_health(datasette)
    except WebError:
        message = "CI Observer has no fresh data. Who may see the data sees the reason."
        return error_response(request, message, 503)
    text = json.dumps({"ok": True})
    return await with_etag(request, CachedResponse(text.encode(), revision=0), JSON)
