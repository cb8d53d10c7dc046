"""The API under /api: its routes, and the parameters that each accepts.

It runs before Datasette's routing, which would take most of the time of a small
response. It looks for the actor itself, and only if a visitor may be refused.
"""

import json
from collections.abc import Callable
from functools import partial

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Forbidden, Request, Response

from ci_observer.web import filters
from ci_observer.web.accept import prefers_html
from ci_observer.web.access import ensure_visible, find_actor, is_restricted
from ci_observer.web.api import queries, routes
from ci_observer.web.api.exports import CSV, NDJSON, stream_runs
from ci_observer.web.api.routes import Route
from ci_observer.web.cache import CachedResponse
from ci_observer.web.errors import WebError
from ci_observer.web.filters import Filters
from ci_observer.web.pages.api_page import fetch_api_page
from ci_observer.web.pages.page import Page
from ci_observer.web.responses import (
    JSON,
    App,
    Message,
    Receive,
    Send,
    error_response,
    respond,
    respond_to_method,
    vary_by,
    with_etag,
)
from ci_observer.web.urls import route_of


async def index(
    datasette: Datasette, request: Request, allowed: tuple[str, ...]
) -> Response:
    """These routes."""

    async def fetch(_: Filters) -> CachedResponse:
        listed = [
            {"path": datasette.urls.path(path), "description": route.handler.__doc__}
            for path, route in ROUTES.items()
        ]
        text = json.dumps({"ok": True, "routes": listed})
        return CachedResponse(text.encode(), revision=0)

    return vary_by(await respond(request, fetch, allowed=allowed), "Accept")


async def page(datasette: Datasette, request: Request) -> Response:
    """The same for people, and how to use the routes."""
    origin = f"{request.scheme}://{request.host}"
    fetch = partial(fetch_api_page, routes=ROUTES, origin=origin)
    response = await Page("api.html", "API", fetch, key=(origin,)).respond(
        datasette, request
    )
    return vary_by(response, "Accept")


async def runs(
    datasette: Datasette, request: Request, allowed: tuple[str, ...]
) -> Response:
    """Runs, newest first, page by page."""
    return await respond(
        request,
        lambda selection: queries.fetch_runs(datasette, selection),
        allowed=allowed,
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


async def wall(
    datasette: Datasette, request: Request, allowed: tuple[str, ...]
) -> Response:
    """The tiles of the status wall."""
    return await respond(
        request,
        lambda selection: queries.fetch_wall(datasette, selection),
        allowed=allowed,
    )


async def values(
    datasette: Datasette, request: Request, allowed: tuple[str, ...]
) -> Response:
    """The values of each filter, with their numbers of runs."""
    return await respond(
        request, lambda _: queries.fetch_filters(datasette), allowed=allowed
    )


async def config(
    datasette: Datasette, request: Request, allowed: tuple[str, ...]
) -> Response:
    """The public settings, the state of polling, and the ETag of the wall."""

    async def fetch(selection: Filters) -> CachedResponse:
        settings = await queries.fetch_config(datasette)
        # A wall with this ETag need not request /api/wall.
        wall_etag = (await queries.fetch_wall(datasette, selection)).etag
        text = json.dumps(settings | {"wall_etag": wall_etag})
        return CachedResponse(text.encode(), revision=settings["revision"])

    return await respond(request, fetch, allowed=allowed)


async def health(
    datasette: Datasette, request: Request, allowed: tuple[str, ...]
) -> Response:
    """200 while the data are fresh or polling is off on purpose, else 503."""
    return await respond(
        request, lambda _: queries.fetch_health(datasette), allowed=allowed
    )


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
ROUTES: dict[str, Route] = {
    "/api": Route(index, routes.INDEX, example=None),
    "/api/runs": Route(
        runs, routes.RUNS, filters.RUNS, example="conclusion=failure&limit=5"
    ),
    "/api/runs.csv": Route(
        runs_csv, routes.RUNS_CSV, CSV.filters, example="conclusion=failure"
    ),
    "/api/runs.ndjson": Route(
        runs_ndjson, routes.RUNS_NDJSON, NDJSON.filters, example="conclusion=failure"
    ),
    "/api/filters": Route(values, routes.FILTERS),
    "/api/wall": Route(wall, routes.WALL, filters.WALL, example="state=failing"),
    "/api/config": Route(config, routes.CONFIG, filters.WALL),
    HEALTH: Route(health, routes.HEALTH),
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
    if route not in ROUTES:
        return await not_found(datasette, request)
    handler, allowed = ROUTES[route].handler, ROUTES[route].parameters
    response: Response | None
    if handler in STREAMS:
        response = await handler(datasette, request, receive, send)
    else:
        response = await handler(datasette, request, allowed)
    return response


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
            if route == "/api" and prefers_html(request):
                return await app(scope, receive, send)
            response = await respond_to(datasette, request, receive, send)
            if response is not None:
                await response.asgi_send(send)
            return None

        return wrapped

    return wrap


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., object]]]:
    return [(r"^/api$", page)]
