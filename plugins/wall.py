"""The status wall at /, and its stored views: a page that holds its first data."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.access import ensure_visible
from ci_observer.web.cache import CachedResponse
from ci_observer.web.columns import TILE_COLUMNS_WITHOUT_STRIP
from ci_observer.web.errors import BadRequest, WebError
from ci_observer.web.filters import Filters
from ci_observer.web.pages.error_page import error_page, respond_to_method_of_page
from ci_observer.web.pages.filter_text import (
    filter_words,
    screen_of,
    tiles_on_screen,
)
from ci_observer.web.pages.frame import FOUND, unreadable, visitor_frame
from ci_observer.web.pages.muted import is_accepted, muted_text, split_muted
from ci_observer.web.pages.page import HTML
from ci_observer.web.pages.past_bar import past_bar
from ci_observer.web.pages.screens import Screen, find_screen, with_view
from ci_observer.web.pages.tile_table import COLUMNS, table_row
from ci_observer.web.pages.times import exact_time, seconds_ahead, zone_of
from ci_observer.web.pages.wall_files import ROUTE, send_wall_file, wall_files
from ci_observer.web.past.wall import fetch_past_wall, past_time
from ci_observer.web.peers import merged
from ci_observer.web.responses import with_etag
from ci_observer.web.urls import with_query
from ci_observer.web.vocabulary import ACTIVITIES, ALARMS, STATES, state_of

# The first data are without the strips, which the script requests later.
FIRST_COLUMNS = TILE_COLUMNS_WITHOUT_STRIP
# More tiles may not fit a screen; the page then has the script for that at once.
MANY_TILES = 60
FILTERS = ("repo", "workflow", "branch", "event", "actor", "team", "state", "q")
OK, BAD_REQUEST = 200, 400
HIDEABLE = set(STATES) - set(ACTIVITIES)
# The parameters that leave tiles out.
HIDING = {*FILTERS, "hide", "mute", "screen"}


async def wall(datasette: Datasette, request: Request) -> Response:
    method_response = await respond_to_method_of_page(datasette, request)
    return method_response or await wall_page(datasette, request)


async def screen(datasette: Datasette, request: Request) -> Response:
    method_response = await respond_to_method_of_page(datasette, request)
    if method_response is not None:
        return method_response
    try:
        await ensure_visible(datasette, request.actor)
        found = await find_screen(datasette, unquote(request.url_vars["name"]))
    except WebError as error:
        return await error_page(datasette, request, error.status, str(error))
    return await wall_page(datasette, with_view(request, found), found)


async def wall_page(
    datasette: Datasette, request: Request, stored: Screen | None = None
) -> Response:
    """The wall with the view of a query string; `stored` is the screen that has it."""
    status = OK
    try:
        await ensure_visible(datasette, request.actor)
        page = await fetch_page(datasette, request)
    except WebError as error:
        if error.status == BAD_REQUEST and any(request.args.getlist("at")):
            return await error_page(datasette, request, error.status, str(error))
        config = unreadable(error)
        page = {"config": config, "etag": None, "all_tiles": [], "tiles": []}
        page |= {"kept": [], "muted": [], "filters": [], "feed": None}
        status = error.status
    frame = await visitor_frame(datasette, request)
    request.scope[FOUND] = frame.with_config(page["config"])
    mutes = request.args.getlist("mute")
    page |= {
        "title": page_title(page["config"]["title"], page["kept"], page["muted"]),
        "muted_text": muted_text(page["muted"]) if page["muted"] else None,
        "caption": page_title(page["config"]["title"], page["kept"], []),
        "is_filtered": bool(page["filters"] or page["muted"] or mutes),
        "shows_all": address_without(datasette, request, HIDING),
        "shows_muted": address_without(datasette, request, {"mute"}),
        "has_mutes": bool(mutes),
        "screen": stored,
        **columns_of(page),
        "may_overflow": len(page["tiles"]) > MANY_TILES,
        "ahead": seconds_ahead(page["config"]["timezone"]),
        "column_titles": COLUMNS,
        **table_of(datasette, request, page),
    }
    if page.get("past"):
        page |= past_page(datasette, request, page)
        return await html_of(datasette, request, "past_wall.html", page)
    page["wall_files"] = wall_files(
        datasette,
        is_filtered=page["is_filtered"],
        may_overflow=page["may_overflow"],
    )
    return await html_of(datasette, request, "wall.html", page, status)


async def html_of(
    datasette: Datasette,
    request: Request,
    template: str,
    page: dict[str, Any],
    status: int = OK,
) -> Response:
    """A page, compressed if the client accepts that, or an error."""
    html = await datasette.render_template(template, page, request=request)
    if status != OK:
        return Response.html(html, status=status)
    return await with_etag(request, CachedResponse(html.encode(), revision=0), HTML)


def table_of(
    datasette: Datasette, request: Request, page: dict[str, Any]
) -> dict[str, Any]:
    """The table for browsers without JavaScript, and the time that it shows."""
    path, zone = datasette.urls.path("/ci_observer/runs"), zone_on_page(request, page)
    past = page.get("past")
    stated_at = past["at"] if past else page["config"]["server_time"]
    return {
        "stated_at": exact_time(stated_at, zone),
        "rows": [
            table_row(tile, path, now=datetime.fromisoformat(stated_at), zone=zone)
            for tile in page["tiles"]
        ],
    }


def zone_on_page(request: Request, page: dict[str, Any]) -> ZoneInfo:
    """The time zone of the address, or of the settings."""
    zone = zone_of(request.args.get("tz")) or zone_of(page["config"]["timezone"])
    return zone or ZoneInfo("UTC")


def columns_of(page: dict[str, Any]) -> dict[str, Any]:
    """The tiles for the script, as names of columns and lists of values."""
    others: tuple[str, ...] = ("is_recorded",) if page.get("past") else ()
    if "peers" in page["config"] and not others:
        others = merged.PEER_COLUMNS
    names = (*FIRST_COLUMNS, *others)
    values = [[tile.get(name) for name in names] for tile in page["all_tiles"]]
    return {"columns": names, "values": values}


def past_page(
    datasette: Datasette, request: Request, page: dict[str, Any]
) -> dict[str, Any]:
    """The variables that only the wall of a past time has."""

    def address(at: str | None) -> str:
        path = address_without(datasette, request, {"at"})
        if at is None:
            return path
        return f"{path}{'&' if '?' in path else '?'}at={at}"

    bar = past_bar(
        page["past"],
        now=page["config"]["server_time"],
        zone=zone_on_page(request, page),
        address=address,
    )
    if peers := page["config"].get("peers"):
        names = ", ".join(peer["name"] for peer in peers)
        bar["notes"] = [*bar["notes"], f"Without the tiles of {names}."]
    bar["kept"] = [
        (name, value)
        for name in request.args
        for value in request.args.getlist(name)
        if name != "at"
    ]
    when = f"{bar['day']}, {bar['time']} {bar['zone']}"
    return {
        "past": bar,
        "title": f"Past, {when} \u2013 {page['title']}",
        "caption": f"Past, {when} \u2013 {page['caption']}",
        "is_kiosk": request.args.get("kiosk") == "1",
        # With the view of the stored screen.
        "query": request.query_string,
    }


async def fetch_page(datasette: Datasette, request: Request) -> dict[str, Any]:
    """The configuration, all tiles for the script, the filtered ones for the table.

    `muted` are the tiles among the filtered ones that the URL hides one by one, `kept`
    the others, in any state; the page names a failure that `state` or `hide` hides.

    Raises `Unavailable` when SQLite fails.
    """
    filters = filters_of(request)
    if filters.at:
        zone = zone_of(request.args.get("tz"))
        filters = replace(filters, at=await past_time(datasette, filters.at, zone))
    fetch = fetch_past_wall if filters.at else merged.fetch_wall
    no_filters = Filters(branch=filters.branch, at=filters.at)
    response = await fetch(datasette, no_filters)
    whole = json.loads(response.content)
    all_tiles = tiles = whole.pop("tiles")
    of_any_state = replace(filters, state=())
    if of_any_state != no_filters:
        filtered = await fetch(datasette, of_any_state)
        tiles = json.loads(filtered.content)["tiles"]
    screen = screen_of(request.args.getlist("screen"))
    # In the order of the scripts: a part, or a number of hidden tiles, is of any state.
    tiles, muted = split_muted(
        tiles_on_screen(tiles, screen), request.args.getlist("mute")
    )
    hidden = [state for state in request.args.getlist("hide") if state in HIDEABLE]
    return {
        "config": await merged.fetch_config(datasette),
        "etag": response.etag,
        "past": whole if filters.at else None,
        "all_tiles": all_tiles,
        "tiles": [
            tile
            for tile in tiles
            if has_state(tile, filters.state) and state_of(tile) not in hidden
        ],
        "kept": tiles,
        "muted": muted,
        "filters": filter_words(filters, hidden, screen),
        "feed": with_query("/feed.atom", filters.to_pairs()),
    }


def has_state(tile: dict[str, Any], states: Sequence[str]) -> bool:
    """Whether a tile has one of the states or activities, or any if there are none."""
    own = {tile["alarm"], tile["tile_state"], tile["activity"]}
    return not states or not own.isdisjoint(states)


def filters_of(request: Request) -> Filters:
    """The wall's filters in the URL; invalid values are ignored, but for the time.

    Raises `BadRequest` for a time that is none.
    """
    at = Filters.from_args([("at", text) for text in request.args.getlist("at")]).at
    pairs = [
        (name, value)
        for name in FILTERS
        for value in request.args.getlist(name)
        if name != "state" or value in STATES
    ]
    try:
        filters = Filters.from_args(pairs)
    except BadRequest:
        filters = Filters.from_args([pair for pair in pairs if pair[0] != "q"])
    return replace(filters, at=at)


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
    if not words and not all(map(is_accepted, muted)):
        words = muted_text(muted)
    # Datasette reads this file in the encoding of the locale, so it is ASCII.
    return f"{words} \u2013 {title}" if words else title


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [
        (r"^/$", wall),
        (ROUTE, send_wall_file),
        (r"^/s/(?P<name>[^/]+)$", screen),
    ]
