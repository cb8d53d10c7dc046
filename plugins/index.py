"""Datasette's own front page, moved to /-/ because the wall is at /."""

from collections.abc import Callable

from datasette import hookimpl
from datasette.app import Datasette
from datasette.views.index import IndexView


@hookimpl
def register_routes(datasette: Datasette) -> list[tuple[str, Callable[..., object]]]:
    # Datasette 1.0 has this address too.
    return [(r"^/-/(\.(?P<format>jsono?))?$", IndexView.as_view(datasette))]
