"""A Datasette plugin with one route that returns a small constant body."""

from datasette import hookimpl
from datasette.utils.asgi import Response

BODY = '{"ok": true}'


async def minimal() -> Response:
    return Response(BODY, content_type="application/json; charset=utf-8")


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [(r"^/minimal$", minimal)]
