"""The JSON API under /api: routes only; `web` makes the answers."""

import json

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from web import filters, queries
from web.answers import respond
from web.cache import Answer
from web.filters import Filters


async def runs(datasette: Datasette, request: Request) -> Response:
    async def compute() -> Answer:
        selection = Filters.from_query(request.query_string, filters.RUNS)
        return await queries.fetch_runs(datasette, selection)

    return await respond(request, compute)


async def wall(datasette: Datasette, request: Request) -> Response:
    async def compute() -> Answer:
        selection = Filters.from_query(request.query_string, filters.WALL)
        return await queries.fetch_wall(datasette, selection)

    return await respond(request, compute)


async def values(datasette: Datasette, request: Request) -> Response:
    async def compute() -> Answer:
        Filters.from_query(request.query_string, ())
        return await queries.fetch_filters(datasette)

    return await respond(request, compute)


async def config(datasette: Datasette, request: Request) -> Response:
    async def compute() -> Answer:
        Filters.from_query(request.query_string, ())
        settings = await queries.fetch_config(datasette)
        return Answer(json.dumps(settings), revision=settings["revision"])

    return await respond(request, compute)


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [
        (r"^/api/runs$", runs),
        (r"^/api/wall$", wall),
        (r"^/api/filters$", values),
        (r"^/api/config$", config),
    ]
