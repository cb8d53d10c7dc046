"""The API under /api: its routes, and the filters that each accepts.

It runs before Datasette's routing, which would take most of the time of a small
response. It looks for the actor itself, and only if a visitor may be refused.
"""

import json
from collections.abc import Awaitable, Callable

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Forbidden, Request, Response

from ci_observer.web import filters
from ci_observer.web.access import ensure_visible, find_actor, is_restricted
from ci_observer.web.api import queries
from ci_observer.web.api.exports import CSV, NDJSON, stream_runs
from ci_observer.web.cache import CachedResponse
from ci_observer.web.errors import WebError
from ci_observer.web.filters import Filters
from ci_observer.web.responses import (
    JSON,
    App,
    Message,
    Receive,
    Send,
    error_response,
    respond,
    respond_to_method,
    with_etag,
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


async def not_found(datasette: Datasette, request: Request) -> Response:
    home = datasette.urls.path("/api")
    message = f"There is no {request.path} here. {home} lists the routes."
    return respond_to_method(request) or error_response(request, message, 404)


HEALTH = "/api/health"
STREAMS = (runs_csv, runs_ndjson)
ROUTES: dict[str, Callable[..., Awaitable[Response | None]]] = {
    "/api": index,
    "/api/runs": runs,
    "/api/runs.csv": runs_csv,
    "/api/runs.ndjson": runs_ndjson,
    "/api/filters": values,
    "/api/wall": wall,
    "/api/config": config,
    HEALTH: health,
}


async def respond_to(
    datasette: Datasette, request: Request, receive: Receive, send: Send
) -> Response | None:
    """The response of a route; None if it has sent its response itself."""
    route = route_of(datasette, request.scope)
    if is_restricted(datasette):
        refusal = await refuse(datasette, request, route)
        if refusal is not None:
            return refusal
    handler = ROUTES.get(route)
    if handler is None:
        return await not_found(datasette, request)
    if handler in STREAMS:
        return await handler(datasette, request, receive, send)
    return await handler(datasette, request)


async def refuse(datasette: Datasette, request: Request, route: str) -> Response | None:
    """The response to a visitor who may not see the data; None to all others."""
    try:
        actor = await find_actor(datasette, request)
        await ensure_visible(datasette, actor, raw="raw" in request.args)
    except (Forbidden, WebError) as error:
        if route == HEALTH:
            return await health_status(datasette, request)
        return error_response(request, str(error), error.status)
    return None


# First, so that the checks and headers of the other plugins hold for the API, too.
@hookimpl(tryfirst=True)
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    def wrap(app: App) -> App:
        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            route = route_of(datasette, scope)
            if route != "/api" and not route.startswith("/api/"):
                return await app(scope, receive, send)
            request = Request(scope, receive)
            response = await respond_to(datasette, request, receive, send)
            if response is not None:
                await response.asgi_send(send)
            return None

        return wrapped

    return wrap


@hookimpl
def menu_links(datasette: Datasette) -> list[dict[str, str]]:
    return [{"href": datasette.urls.path("/api"), "label": "API"}]
