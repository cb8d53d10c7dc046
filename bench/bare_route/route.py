"""A Datasette plugin with one route: the least that any route of Datasette costs."""

from datasette import hookimpl
from datasette.utils.asgi import Response

BODY = '{"ok": true}'


async def bare() -> Response:
    return Response(BODY, content_type="application/json; charset=utf-8")


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [(r"^/bare$", bare)]
