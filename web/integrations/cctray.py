"""The tiles as CCTray XML, which build monitors such as CCMenu and Nevergreen read.

https://cctray.org/v1/ describes the format.
"""

from collections.abc import Callable
from sqlite3 import Row
from xml.etree import ElementTree as ET

from datasette.app import Datasette

from ci_observer.web.api.queries import REVISION_SQL, first_expiry, wall_sql
from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.database import fetch_snapshot
from ci_observer.web.filters import Filters
from ci_observer.web.integrations.xml_text import child, document
from ci_observer.web.pages.muted import is_green
from ci_observer.web.urls import linker, with_query, workflow_path
from ci_observer.web.vocabulary import ALARMS

TILES_SQL = """
select
  repo, workflow, branch, is_default_branch, tile_state, activity, alarm, muted_until,
  last_result_run_number, last_result_run_attempt, last_result_started_at,
  untested_run_number, untested_at, started_at, expires_at, {state} as is_shown
from {source} where {where}
"""
# Nothing is known of a stale tile, so it must not look like a new failure.
EXCEPTIONS = {*ALARMS} - {"stale"}
ACTIVITIES = {
    "running": "Building",
    "unfinished": "Building",
    "queued": "CheckingModifications",
    "waiting": "CheckingModifications",
}
# The time is required; CruiseControl has this one for a project without a build.
NEVER = "1970-01-01T00:00:00Z"
# The workflow of a repository or an owner with an error of its own.
NO_WORKFLOW = "*"

Link = Callable[[str], str]


async def fetch_cctray(
    datasette: Datasette, filters: Filters, origin: str
) -> CachedResponse:
    """The projects, in the order of their names; raises `Unavailable`.

    `origin` is the server's, for the links.
    """

    async def compute() -> CachedResponse:
        sql, params = wall_sql(filters, TILES_SQL)
        selects = {"revision": REVISION_SQL, "tiles": sql}
        rows = await fetch_snapshot(datasette, selects, params)
        shown = [tile for tile in rows["tiles"] if tile["is_shown"]]
        return CachedResponse(
            cctray(shown, linker(datasette, origin)),
            int(rows["revision"][0]["revision"]),
            first_expiry(rows["tiles"]),
        )

    return await get_or_compute(datasette, ("cctray", filters, origin), compute)


def cctray(tiles: list[Row], link: Link) -> bytes:
    """The document with these tiles."""
    root = ET.Element("Projects")
    for tile in sorted(tiles, key=name_of):
        child(root, "Project", attributes=_project(tile, link))
    return document(root)


def name_of(tile: Row) -> str:
    """The name of a project, which only this tile has and which never changes.

    A file name has no slash, so the branch cannot be mistaken for a part of it.
    """
    name = f"{tile['repo']}/{tile['workflow']}"
    return name if tile["is_default_branch"] else f"{name}/{tile['branch']}"


def status_of(tile: Row) -> str:
    """The status of the last build; `Success` only for a tile that is green."""
    if tile["muted_until"]:
        return "Unknown"
    if tile["tile_state"] in EXCEPTIONS:
        return "Exception"
    if tile["tile_state"] == "failing":
        return "Failure"
    return "Success" if is_green(dict(tile)) else "Unknown"


def _project(tile: Row, link: Link) -> dict[str, str]:
    label, at = _last_build(tile)
    return {
        "name": name_of(tile),
        "activity": ACTIVITIES.get(tile["activity"], "Sleeping"),
        "lastBuildStatus": status_of(tile),
        **({"lastBuildLabel": label} if label else {}),
        "lastBuildTime": at or NEVER,
        "webUrl": link(_path(tile)),
    }


def _last_build(tile: Row) -> tuple[str | None, str | None]:
    """The number of the run that decided the status, and when it started."""
    if tile["tile_state"] == "untested" and tile["untested_run_number"]:
        return str(tile["untested_run_number"]), tile["untested_at"]
    number, attempt = tile["last_result_run_number"], tile["last_result_run_attempt"]
    if not number:
        return None, tile["started_at"]
    # Clients tell builds apart by the label.
    label = f"{number}.{attempt}" if attempt and attempt > 1 else str(number)
    return label, tile["last_result_started_at"]


def _path(tile: Row) -> str:
    repo, workflow = tile["repo"], tile["workflow"]
    if workflow == NO_WORKFLOW:
        return with_query("/", {"repo": repo})
    branch = None if tile["is_default_branch"] else tile["branch"]
    return workflow_path(repo, workflow, branch=branch)
