"""Variables for the templates of Datasette's pages, in addition to Datasette's own."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils import path_with_added_args, path_with_removed_args
from datasette.utils.asgi import Request

from ci_observer.web.database import DATABASE
from ci_observer.web.pages.frame import THEMES
from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.tables import cells, listing, questions, rows
from ci_observer.web.tables.row_links import (
    OWN_REFERENCES,
    RowLink,
    is_visible,
    row_links,
)
from ci_observer.web.urls import route_of

TEMPLATES = ("database", "table", "row", "query")


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    """Keep `?theme=` from Datasette, which would filter a column of that name.

    The page's script reads it from the address.
    """

    def wrap(app: App) -> App:
        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            has_theme = scope["type"] == "http" and b"theme=" in scope["query_string"]
            if has_theme and route_of(datasette, scope).startswith(f"/{DATABASE}/"):
                scope = scope | {"query_string": _without_theme(scope)}
            await app(scope, receive, send)

        return wrapped

    return wrap


def _without_theme(scope: Message) -> bytes:
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    kept = [(name, v) for name, v in pairs if name != "theme" or v not in THEMES]
    return urlencode(kept).encode()


@hookimpl
def extra_template_vars(
    datasette: Datasette, template: str, request: Request | None
) -> dict[str, Any]:
    """Functions for the templates, so that each page fetches only its own data."""
    if request is None or not template.startswith(TEMPLATES):
        return {}
    actor = request.actor

    async def question_groups() -> dict[str, list[questions.Query]]:
        return questions.grouped(await questions.visible_queries(datasette, actor))

    async def inputs(
        query: Mapping[str, Any] | None, values: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        return await questions.inputs(datasette, actor, query, values)

    async def links_of(table: str, row: Any) -> list[RowLink]:
        values = {cell["column"]: cell["raw"] for cell in row.cells}
        return await row_links(datasette, actor, table, values)

    async def may_see(table: str) -> bool:
        return await is_visible(datasette, actor, table)

    def chips(filters: Any) -> list[listing.Chip]:
        return listing.chips(filters, request)

    def with_added(args: dict[str, str]) -> str:
        return str(path_with_added_args(request, args))

    def without_args(*names: str) -> str:
        return str(path_with_removed_args(request, set(names)))

    tables: Mapping[str, Any] = datasette.metadata("tables", database=DATABASE) or {}
    return {
        "chips": chips,
        "column_order": listing.column_order,
        "described": tables,
        "first_tables": datasette.metadata("first_tables", database=DATABASE) or [],
        "first_sql": datasette.metadata("first_sql", database=DATABASE),
        "grouped": questions.grouped,
        "has_times": cells.has_times,
        "heading": questions.heading,
        "inputs": inputs,
        "links_of": links_of,
        "listed": listing.listed,
        "may_see": may_see,
        "own_references": OWN_REFERENCES,
        "question_groups": question_groups,
        "question_of": questions.question_of,
        "query_order": listing.query_order,
        "query_rows": rows.query_rows,
        "read_time": rows.read_time,
        "table_rows": rows.table_rows,
        "with_added": with_added,
        "without_args": without_args,
    }
