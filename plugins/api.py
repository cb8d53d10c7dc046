"""The API under /api: its routes, and which filters each takes."""

import json
import re
from collections.abc import Awaitable, Callable

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from web import filters, queries
from web.answers import error_response, refuse_method, respond
from web.cache import Answer
from web.exports import CSV, NDJSON, Receive, Send, stream_runs
from web.filters import Filters


async def index(datasette: Datasette, request: Request) -> Response:
    """These routes."""

    async def fetch(_: Filters) -> Answer:
        routes = [
            {"path": datasette.urls.path(path), "answers": handler.__doc__}
            for path, handler in ROUTES.items()
        ]
        return Answer(json.dumps({"ok": True, "routes": routes}), revision=0)

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
    """What runs can be filtered by, with counts."""
    return await respond(request, lambda _: queries.fetch_filters(datasette))


async def config(datasette: Datasette, request: Request) -> Response:
    """The public settings, and how polling goes."""

    async def fetch(selection: Filters) -> Answer:
        settings = await queries.fetch_config(datasette, selection)
        return Answer(json.dumps(settings), revision=settings["revision"])

    return await respond(request, fetch, allowed=filters.WALL)


async def health(datasette: Datasette, request: Request) -> Response:
    """200 while the data are fresh or polling is off on purpose, else 503."""
    return await respond(request, lambda _: queries.fetch_health(datasette))


async def not_found(datasette: Datasette, request: Request) -> Response:
    home = datasette.urls.path("/api")
    message = f"There is no {request.path} here. {home} lists what there is."
    return refuse_method(request) or error_response(request, message, 404)


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
def register_routes() -> list[tuple[str, Callable[..., Awaitable[Response | None]]]]:
    exact = [(f"^{re.escape(path)}$", handler) for path, handler in ROUTES.items()]
    return [*exact, ("^/api/", not_found)]


@hookimpl
def menu_links(datasette: Datasette) -> list[dict[str, str]]:
    return [{"href": datasette.urls.path("/api"), "label": "API"}]
