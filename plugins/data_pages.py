"""Variables for the templates of Datasette's pages, in addition to Datasette's own."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils import path_with_added_args, path_with_removed_args
from datasette.utils.asgi import Request

from ci_observer.web.database import DATABASE
from ci_observer.web.metadata import database_metadata, tables_of
from ci_observer.web.pages.counted_runs import fetch_progress_text
from ci_observer.web.pages.frame import THEMES
from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.sql.table_pages import MAX_COUNTED, TablePage, current_page
from ci_observer.web.tables import cells, listing, questions, rows
from ci_observer.web.tables.row_links import (
    OWN_REFERENCES,
    RowLink,
    is_visible,
    row_links,
)
from ci_observer.web.urls import route_of

# A table, a view or a query, without the extension of another format.
_PAGE = re.compile(rf"/{DATABASE}/(?P<table>[^/.]+)")
TEMPLATES = ("database", "table", "row", "query")


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    """Limit what the page of a table counts, and keep `?theme=` from Datasette.

    Datasette would filter a column of that name; the page's script reads it.
    """

    def wrap(app: App) -> App:
        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            has_theme = scope["type"] == "http" and b"theme=" in scope["query_string"]
            if has_theme and route_of(datasette, scope).startswith(f"/{DATABASE}/"):
                scope = scope | {"query_string": _without_theme(scope)}
            token = current_page.set(_table_page(datasette, scope))
            try:
                await app(scope, receive, send)
            finally:
                current_page.reset(token)

        return wrapped

    return wrap


def _table_page(datasette: Datasette, scope: Message) -> TablePage | None:
    is_http = scope["type"] == "http"
    match = _PAGE.fullmatch(route_of(datasette, scope)) if is_http else None
    if match is None:
        return None
    tables: Mapping[str, Any] = tables_of(datasette, DATABASE)
    return TablePage(
        match["table"],
        has_own_facets=b"_facet" in scope["query_string"],
        stored_in=(tables.get(match["table"]) or {}).get("stored_in"),
    )


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

    async def progress_text() -> str:
        return await fetch_progress_text(datasette)

    async def may_see(table: str) -> bool:
        return await is_visible(datasette, actor, table)

    def chips(filters: Any) -> list[listing.Chip]:
        return listing.chips(filters, request)

    def with_added(args: dict[str, str]) -> str:
        return str(path_with_added_args(request, args))

    def without_args(*names: str) -> str:
        return str(path_with_removed_args(request, set(names)))

    tables: Mapping[str, Any] = tables_of(datasette, DATABASE)
    return {
        "chips": chips,
        "column_order": listing.column_order,
        "described": tables,
        "first_tables": database_metadata(datasette, DATABASE, "first_tables") or [],
        "first_sql": database_metadata(datasette, DATABASE, "first_sql"),
        "grouped": questions.grouped,
        "has_times": cells.has_times,
        "heading": questions.heading,
        "inputs": inputs,
        "links_of": links_of,
        "listed": listing.listed,
        "max_counted": MAX_COUNTED,
        "may_see": may_see,
        "own_references": OWN_REFERENCES,
        "question_groups": question_groups,
        "question_of": questions.question_of,
        "progress_text": progress_text,
        "query_order": listing.query_order,
        "query_rows": rows.query_rows,
        "read_time": rows.read_time,
        "table_rows": rows.table_rows,
        "with_added": with_added,
        "without_args": without_args,
    }
