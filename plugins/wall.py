"""The status wall at /: a page that holds its first data as JSON."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.access import ensure_visible
from ci_observer.web.api import queries
from ci_observer.web.columns import TILE_COLUMNS_WITHOUT_STRIP
from ci_observer.web.errors import BadRequest, WebError
from ci_observer.web.filters import Filters
from ci_observer.web.pages.error_page import respond_to_method_of_page
from ci_observer.web.pages.filter_text import (
    filter_words,
    screen_of,
    tiles_on_screen,
)
from ci_observer.web.pages.frame import FOUND, unreadable, visitor_frame
from ci_observer.web.pages.muted import is_green, muted_text, split_muted
from ci_observer.web.pages.tile_table import COLUMNS, table_row
from ci_observer.web.pages.times import exact_time, seconds_ahead, zone_of
from ci_observer.web.urls import with_query
from ci_observer.web.vocabulary import ACTIVITIES, ALARMS, STATES, state_of

# The first data are without the strips, which the script requests later.
FIRST_COLUMNS = TILE_COLUMNS_WITHOUT_STRIP
# More tiles may not fit a screen; the page then preloads the script for that.
MANY_TILES = 60
FILTERS = ("repo", "workflow", "branch", "event", "actor", "state", "q")
HIDEABLE = set(STATES) - set(ACTIVITIES)
# The parameters that leave tiles out.
HIDING = {*FILTERS, "hide", "mute", "screen"}


async def wall(datasette: Datasette, request: Request) -> Response:
    method_response = await respond_to_method_of_page(datasette, request)
    if method_response is not None:
        return method_response
    status = 200
    try:
        await ensure_visible(datasette, request.actor)
        page = await fetch_page(datasette, request)
    except WebError as error:
        config = unreadable(error)
        page = {"config": config, "etag": None, "all_tiles": [], "tiles": []}
        page |= {"kept": [], "muted": [], "filters": []}
        status = error.status
    frame = await visitor_frame(datasette, request)
    request.scope[FOUND] = frame.with_config(page["config"])
    page |= {
        "title": page_title(page["config"]["title"], page["kept"], page["muted"]),
        "muted_text": muted_text(page["muted"]) if page["muted"] else None,
        "caption": page_title(page["config"]["title"], page["kept"], []),
        "is_filtered": bool(page["filters"] or request.args.getlist("mute")),
        "shows_all": address_without(datasette, request, HIDING),
        "shows_muted": address_without(datasette, request, {"mute"}),
        "columns": FIRST_COLUMNS,
        "values": [
            [tile[name] for name in FIRST_COLUMNS] for tile in page["all_tiles"]
        ],
        "may_overflow": len(page["tiles"]) > MANY_TILES,
        "ahead": seconds_ahead(page["config"]["timezone"]),
        "column_titles": COLUMNS,
        **table_of(datasette, request, page),
    }
    html = await datasette.render_template("wall.html", page, request=request)
    return Response.html(html, status=status, headers={"Cache-Control": "no-store"})


def table_of(
    datasette: Datasette, request: Request, page: dict[str, Any]
) -> dict[str, Any]:
    """The table for browsers without JavaScript, and the time that it shows."""
    config, path = page["config"], datasette.urls.path("/ci_observer/runs")
    zone = zone_of(request.args.get("tz")) or zone_of(config["timezone"])
    zone = zone or ZoneInfo("UTC")
    stated_at = config["server_time"]
    return {
        "stated_at": exact_time(stated_at, zone),
        "rows": [
            table_row(tile, path, now=datetime.fromisoformat(stated_at), zone=zone)
            for tile in page["tiles"]
        ],
    }


async def fetch_page(datasette: Datasette, request: Request) -> dict[str, Any]:
    """The configuration, all tiles for the script, the filtered ones for the table.

    `muted` are the tiles among the filtered ones that the URL hides one by one, `kept`
    the others, in any state; the page names a failure that `state` or `hide` hides.

    Raises `Unavailable` when SQLite fails.
    """
    filters = filters_of(request)
    no_filters = Filters(branch=filters.branch)
    response = await queries.fetch_wall(datasette, no_filters)
    all_tiles = tiles = json.loads(response.content)["tiles"]
    of_any_state = replace(filters, state=())
    if of_any_state != no_filters:
        filtered = await queries.fetch_wall(datasette, of_any_state)
        tiles = json.loads(filtered.content)["tiles"]
    screen = screen_of(request.args.getlist("screen"))
    # In the order of the scripts: a part, or a number of hidden tiles, is of any state.
    tiles, muted = split_muted(
        tiles_on_screen(tiles, screen), request.args.getlist("mute")
    )
    hidden = [state for state in request.args.getlist("hide") if state in HIDEABLE]
    return {
        "config": await queries.fetch_config(datasette),
        "etag": response.etag,
        "all_tiles": all_tiles,
        "tiles": [
            tile
            for tile in tiles
            if has_state(tile, filters.state) and state_of(tile) not in hidden
        ],
        "kept": tiles,
        "muted": muted,
        "filters": filter_words(filters, hidden, screen),
    }


def has_state(tile: dict[str, Any], states: Sequence[str]) -> bool:
    """Whether a tile has one of the states or activities, or any if there are none."""
    own = {tile["alarm"], tile["tile_state"], tile["activity"]}
    return not states or not own.isdisjoint(states)


def filters_of(request: Request) -> Filters:
    """The wall's filters in the URL; invalid values are ignored."""
    pairs = [
        (name, value)
        for name in FILTERS
        for value in request.args.getlist(name)
        if name != "state" or value in STATES
    ]
    try:
        return Filters.from_args(pairs)
    except BadRequest:
        return Filters.from_args([pair for pair in pairs if pair[0] != "q"])


def address_without(
    datasette: Datasette, request: Request, names: Collection[str]
) -> str:
    """The address of the page, without the arguments of these names."""
    pairs = [
        (name, value)
        for name in request.args
        for value in request.args.getlist(name)
        if name not in names
    ]
    path: str = datasette.urls.path(with_query("/", pairs))
    return path


def page_title(
    title: str, tiles: list[dict[str, Any]], muted: list[dict[str, Any]]
) -> str:
    """The browser tab's title, with the numbers of failing tiles and alarms first.

    `static/wall/title.js` has the same words.
    """
    failing = sum(tile["tile_state"] == "failing" for tile in tiles)
    alarms = sum(tile["tile_state"] in ALARMS for tile in tiles)
    counts = [f"{failing} failing"] if failing else []
    counts += [f"{alarms} alarm{'s' if alarms > 1 else ''}"] if alarms else []
    words = ", ".join(counts)
    if not words and not all(map(is_green, muted)):
        words = muted_text(muted)
    # Datasette reads this file in the encoding of the locale, so it is ASCII.
    return f"{words} \u2013 {title}" if words else title


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [(r"^/$", wall)]
