"""The API under /api: its routes, and the filters that each accepts.

It runs before Datasette's routing: cookies, actors and permissions have no effect on
it, and would take most of the time of a small response.
"""

import json
from collections.abc import Awaitable, Callable

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web import filters
from ci_observer.web.api import queries
from ci_observer.web.api.exports import CSV, NDJSON, stream_runs
from ci_observer.web.cache import CachedResponse
from ci_observer.web.filters import Filters
from ci_observer.web.responses import (
    App,
    Message,
    Receive,
    Send,
    error_response,
    respond,
    respond_to_method,
)
from ci_observer.web.urls import route_of


async def index(datasette: Datasette, request: Request) -> Response:
    """These routes."""

    async def fetch(_: Filters) -> CachedResponse:
        routes = [
            {"path": datasette.urls.path(path), "description": handler.__doc__}
            for path, handler in ROUTES.items()
        ]
        text = json.dumps({"ok": True, "routes": routes})
        return CachedResponse(text.encode(), revision=0)

    return await respond(request, fetch)


async def runs(datasette: Datasette, request: Request) -> Response:
    """Runs, newest first, page by page."""
    return await respond(
        request,
        lambda selection: queries.fetch_runs(datasette, selection),
        allowed=filters.RUNS,
    )


async def runs_csv(
    datasette: Datasette, request: Request, receive: Receive, send: Send
) -> Response | None:
    """Every selected run, as CSV."""
    return await stream_runs(datasette, request, receive, send, CSV)


async def runs_ndjson(
    datasette: Datasette, request: Request, receive: Receive, send: Send
) -> Response | None:
    """Every selected run, one JSON object per line."""
    return await stream_runs(datasette, request, receive, send, NDJSON)


async def wall(datasette: Datasette, request: Request) -> Response:
    """The tiles of the status wall."""
    return await respond(
        request,
        lambda selection: queries.fetch_wall(datasette, selection),
        allowed=filters.WALL,
    )


async def values(datasette: Datasette, request: Request) -> Response:
    """The values of each filter, with their numbers of runs."""
    return await respond(request, lambda _: queries.fetch_filters(datasette))


async def config(datasette: Datasette, request: Request) -> Response:
    """The public settings, the state of polling, and the ETag of the wall."""

    async def fetch(selection: Filters) -> CachedResponse:
        settings = await queries.fetch_config(datasette)
        # A wall with this ETag need not request /api/wall.
        wall_etag = (await queries.fetch_wall(datasette, selection)).etag
        text = json.dumps(settings | {"wall_etag": wall_etag})
        return CachedResponse(text.encode(), revision=settings["revision"])

    return await respond(request, fetch, allowed=filters.WALL)


async def health(datasette: Datasette, request: Request) -> Response:
    """200 while the data are fresh or polling is off on purpose, else 503."""
    return await respond(request, lambda _: queries.fetch_health(datasette))


async def not_found(datasette: Datasette, request: Request) -> Response:
    home = datasette.urls.path("/api")
    message = f"There is no {request.path} here. {home} lists the routes."
    return respond_to_method(request) or error_response(request, message, 404)


STREAMS = (runs_csv, runs_ndjson)
ROUTES: dict[str, Callable[..., Awaitable[Response | None]]] = {
    "/api": index,
    "/api/runs": runs,
    "/api/runs.csv": runs_csv,
    "/api/runs.ndjson": runs_ndjson,
    "/api/filters": values,
    "/api/wall": wall,
    "/api/config": config,
    "/api/health": health,
}


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    def wrap(app: App) -> App:
        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            route = route_of(datasette, scope)
            if route != "/api" and not route.startswith("/api/"):
                return await app(scope, receive, send)
            request = Request(scope, receive)
            handler = ROUTES.get(route)
            if handler is None:
                response = await not_found(datasette, request)
            elif handler in STREAMS:
                response = await handler(datasette, request, receive, send)
            else:
                response = await handler(datasette, request)
            if response is not None:
                await response.asgi_send(send)
            return None

        return wrapped

    return wrap


@hookimpl
def menu_links(datasette: Datasette) -> list[dict[str, str]]:
    return [{"href": datasette.urls.path("/api"), "label": "API"}]
