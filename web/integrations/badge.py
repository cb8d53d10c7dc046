"""The state of one workflow as a badge, for a README."""

from sqlite3 import Row

from datasette.app import Datasette

from ci_observer.web.api.queries import REVISION_SQL
from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.database import Params, fetch_snapshot
from ci_observer.web.errors import BadRequest, Unavailable
from ci_observer.web.filters import Filters
from ci_observer.web.integrations.badge_image import badge_image
from ci_observer.web.pages.muted import word_of
from ci_observer.web.texts import cut, display_text
from ci_observer.web.vocabulary import ALARMS, FAILING_ALARM, label_of

# The default branch has a tile even if the settings show other branches only.
TILE_SQL = """
select
  display_name(coalesce(workflow_name, workflow), workflow) as name, tile_state,
  activity, alarm, muted_until, expires_at
from wall_branches
where repo in (:repo) and workflow in (:workflow) and {branch}
order by is_default_branch desc limit 1
"""
IS_WATCHED_SQL = """
select display_name(coalesce(workflow_name, workflow), workflow) as name from feeds
where repo in (:repo) and workflow in (:workflow) and is_watched
"""
# All with a contrast of at least 4.5 to the white text.
GREEN, RED, ORANGE, BLUE, GREY = "#2d7d1e", "#c0301f", "#a85700", "#0a66b7", "#666666"
COLOURS = {
    "passing": GREEN,
    "failing": RED,
    FAILING_ALARM: RED,
    "held": BLUE,
    **dict.fromkeys(ALARMS, ORANGE),
}
MAX_LABEL = 60

Workflow = tuple[str, str]


async def fetch_badge(
    datasette: Datasette, workflow: Workflow, filters: Filters
) -> CachedResponse:
    """The badge of a workflow's tile on its default branch, or on `filters.branch`.

    A README must not show a broken image, so a workflow that is not watched has a badge
    that says so, and so has a database that cannot be read.
    """
    if len(filters.branch) > 1:
        raise BadRequest("A badge has one branch: write branch=main.")

    async def compute() -> CachedResponse:
        return await _fetch(datasette, workflow, filters)

    try:
        return await get_or_compute(datasette, ("badge", workflow, filters), compute)
    except Unavailable:
        image = _image(filters.label or workflow[1], "no data", GREY)
        return CachedResponse(image, revision=0)


async def _fetch(
    datasette: Datasette, workflow: Workflow, filters: Filters
) -> CachedResponse:
    params: Params = {"repo": workflow[0], "workflow": workflow[1]}
    branch = "is_default_branch"
    if filters.branch:
        branch, params["branch"] = "branch in (:branch)", filters.branch[0]
    selects = {
        "revision": REVISION_SQL,
        "tile": TILE_SQL.format(branch=branch),
        "watched": IS_WATCHED_SQL,
    }
    rows = await fetch_snapshot(datasette, selects, params)
    tile = next(iter(rows["tile"]), None)
    name = next((row["name"] for row in (*rows["tile"], *rows["watched"])), None)
    message, colour = _state(tile, is_watched=name is not None)
    return CachedResponse(
        _image(display_text(filters.label) or name or workflow[1], message, colour),
        int(rows["revision"][0]["revision"]),
        tile["expires_at"] if tile else None,
    )


def _state(tile: Row | None, *, is_watched: bool) -> tuple[str, str]:
    """The message and its colour: green only for a tile that is green on the wall."""
    if tile is None:
        return ("no runs" if is_watched else "unknown workflow"), GREY
    state = word_of(dict(tile))
    if tile["muted_until"]:
        return f"{label_of(state)}, muted", GREY
    return label_of(state), COLOURS.get(state, GREY)


def _image(label: str, message: str, colour: str) -> bytes:
    return badge_image(cut(display_text(label) or "", MAX_LABEL), message, colour)
