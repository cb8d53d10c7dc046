"""The status wall at /: the page with its first data inside, and the way back to it."""

import json
from typing import Any

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.api import queries
from ci_observer.web.columns import TILE_COLUMNS_BUT_STRIP
from ci_observer.web.errors import BadRequest, WebError
from ci_observer.web.filters import STATES, Filters
from ci_observer.web.pages.page import NO_CONFIG, THEMES
from ci_observer.web.pages.tile_table import COLUMNS, state_of, table_row
from ci_observer.web.responses import refuse_method
from ci_observer.web.times import seconds_ahead

# What the script draws first; the strips come later.
FIRST_COLUMNS = TILE_COLUMNS_BUT_STRIP
# So many tiles may not fit a screen, which the script has a part of its own for.
MANY = 60
NARROWED_BY = ("repo", "workflow", "branch", "event", "actor", "state", "q")


async def wall(datasette: Datasette, request: Request) -> Response:
    refused = refuse_method(request)
    if refused is not None:
        return refused
    status = 200
    try:
        page = await fetch_page(datasette, request)
    except WebError as error:
        polling = NO_CONFIG["polling"] | {"reason": str(error)}
        config = NO_CONFIG | {"polling": polling}
        page = {"config": config, "etag": None, "every": [], "tiles": []}
        status = error.status
    theme = request.args.get("theme")
    page |= {
        "title": page_title(page["config"]["title"], page["tiles"]),
        "columns": FIRST_COLUMNS,
        "values": [[tile[name] for name in FIRST_COLUMNS] for tile in page["every"]],
        "may_overflow": len(page["tiles"]) > MANY,
        "ahead": seconds_ahead(page["config"]["timezone"]),
        "heads": COLUMNS,
        "rows": [
            table_row(tile, datasette.urls.path("/ci_observer/runs"))
            for tile in page["tiles"]
        ],
        "theme": theme if theme in THEMES else None,
    }
    html = await datasette.render_template("wall.html", page, request=request)
    return Response.html(html, status=status, headers={"Cache-Control": "no-store"})


async def fetch_page(datasette: Datasette, request: Request) -> dict[str, Any]:
    """The page's data: every tile for the script, the asked-for ones for the table."""
    shown = asked_filters(request)
    all_tiles = Filters(branch=shown.branch)
    answer = await queries.fetch_wall(datasette, all_tiles)
    every = tiles = json.loads(answer.content)["tiles"]
    if shown != all_tiles:
        asked = await queries.fetch_wall(datasette, shown)
        tiles = json.loads(asked.content)["tiles"]
    hidden = request.args.getlist("hide")
    return {
        "config": await queries.fetch_config(datasette),
        "etag": answer.etag,
        "every": every,
        "tiles": [tile for tile in tiles if state_of(tile) not in hidden],
    }


def asked_filters(request: Request) -> Filters:
    """The wall's filters in the URL; a value that cannot be one narrows nothing."""
    pairs = [
        (name, value)
        for name in NARROWED_BY
        for value in request.args.getlist(name)
        if name != "state" or value in STATES
    ]
    try:
        return Filters.from_args(pairs)
    except BadRequest:
        return Filters.from_args([pair for pair in pairs if pair[0] != "q"])


def page_title(title: str, tiles: list[dict[str, Any]]) -> str:
    """The tab's title: how many fail, before what the wall is called."""
    failing = sum(tile["tile_state"] == "failing" for tile in tiles)
    return f"{failing} failing – {title}" if failing else title  # noqa: RUF001


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [(r"^/$", wall)]


@hookimpl
def menu_links(datasette: Datasette) -> list[dict[str, str]]:
    return [{"href": datasette.urls.path("/"), "label": "Status wall"}]
