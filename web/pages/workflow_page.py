"""The page of one workflow: its state as on the wall, and its history."""

import json
from typing import Any

from datasette.app import Datasette

from ci_observer.web.api.run_queries import TAGS
from ci_observer.web.database import Params, fetch_rows, fetch_snapshot
from ci_observer.web.errors import BadRequest, NotFound
from ci_observer.web.pages.page import Content, PageParams
from ci_observer.web.pages.tile_changes import change_links
from ci_observer.web.pages.tile_text import reason_url, state_reason
from ci_observer.web.pages.workflow_history import (
    branch_rows,
    by_run,
    duration_chart,
    failure_rate,
)
from ci_observer.web.pages.workflow_links import Links
from ci_observer.web.pages.workflow_queries import (
    FEED_SQL,
    FEEDS_SQL,
    LISTED,
    SNAPSHOT_SQL,
)
from ci_observer.web.texts import display_name, display_row
from ci_observer.web.urls import workflow_path
from ci_observer.web.vocabulary import label_of

PERIODS = (7, 30, 90, 365)
DEFAULT_DAYS = 30
ALLOWED = ("branch", "days")

Row = dict[str, Any]
Rows = dict[str, list[Row]]


async def fetch_workflow(
    datasette: Datasette, params: PageParams, repo: str, workflow: str
) -> Content:
    """The page's content, on the branch and for the days that the URL names.

    Raises `BadRequest` for an unknown argument, `NotFound` for an unknown workflow.
    """
    arguments = _arguments(params)
    days = _days(arguments.get("days"))
    named = arguments.get("branch")
    feed = await _fetch_feed(datasette, repo, workflow, days=days, branch=named)
    is_of_tags = feed["is_tag"] or (feed["has_tags_only"] and not named)
    branch = TAGS if is_of_tags else named or feed["default_branch"]
    sql_params = {name: feed[name] for name in ("repo", "workflow", "first_day")}
    sql_params["branch"] = branch
    snapshot = await fetch_snapshot(datasette, SNAPSHOT_SQL, sql_params)
    rows = {
        name: [dict(row) if name == "tile" else display_row(dict(row)) for row in found]
        for name, found in snapshot.items()
    }
    tile = json.loads(rows["tile"][0]["tile"]) if rows["tile"] else None
    links = Links(feed, branch)
    context = {
        "feed": feed,
        "branch": branch,
        "tags": TAGS,
        "branches": _branches(feed, branch, rows["branches"]),
        "days": days,
        "periods": _periods(feed, branch, days),
        "links": links,
    }
    state, history = _state(feed, tile, rows, links), _history(feed, rows, links)
    return Content(
        context | state | history | {"grid": branch_rows(feed, branch, rows["grid"])},
        revision=int(rows["revision"][0]["revision"]),
        expires_at=_expires_at(rows),
        title=_title(state["name"], feed["repo"], tile),
    )


def _state(feed: Row, tile: Row | None, rows: Rows, links: Links) -> Row:
    [bounds] = rows["bounds"]
    return {
        "name": _name(feed, tile),
        "icon": _icon(tile),
        "tile": tile,
        "state_reason": state_reason,
        "reason_url": reason_url,
        "change": tile and change_links(tile, links),
        "streak_rows": tile and links.streak(tile["last_result"], bounds["streak_at"]),
        "github": links.github(rows["grid"]),
    }


def _history(feed: Row, rows: Rows, links: Links) -> Row:
    [counts], [durations], [reruns] = (
        rows[name] for name in ("counts", "durations", "reruns")
    )
    return {
        "counts": counts,
        "newest": rows["newest"],
        "durations": durations,
        "duration_chart": duration_chart(rows["newest"], durations),
        "rate": failure_rate(feed, rows["days"], links),
        "flaky": rows["flaky"][:LISTED],
        "flaky_count": len(rows["flaky"]),
        "reruns": reruns["runs"],
        "attempts": by_run(rows["attempts"]),
    }


def _expires_at(rows: Rows) -> str | None:
    """When the page changes by time alone: the tile expires, or a new day starts."""
    instants = [row["tomorrow_at"] for row in rows["bounds"]]
    instants += [row["expires_at"] for row in rows["tile"]]
    return min(filter(None, instants), default=None)


async def _fetch_feed(
    datasette: Datasette, repo: str, workflow: str, *, days: int, branch: str | None
) -> Row:
    names: Params = {"repo": repo, "workflow": workflow, "branch": branch}
    feeds = await fetch_rows(datasette, FEED_SQL, names | {"days": days})
    if not feeds:
        others = await fetch_rows(datasette, FEEDS_SQL, {"repo": repo})
        raise NotFound(
            f"There is no workflow {workflow} of {repo} here: it was never watched."
            " GH_REPOS and GH_WORKFLOWS name the watched workflows.",
            feeds=[dict(row) for row in others],
        )
    return dict(feeds[0])


def _arguments(params: PageParams) -> dict[str, str]:
    unknown = [name for name, _ in params.pairs if name not in ALLOWED]
    if unknown:
        raise BadRequest(
            f"Unknown argument {unknown[0]!r}. Allowed: {', '.join(ALLOWED)}."
        )
    return dict(params.pairs)


def _days(text: str | None) -> int:
    if text is None:
        return DEFAULT_DAYS
    if text not in map(str, PERIODS):
        allowed = ", ".join(map(str, PERIODS))
        raise BadRequest(f"days={text} is not one of {allowed}.")
    return int(text)


def _name(feed: Row, tile: Row | None) -> str:
    name = (tile and tile["workflow_name"]) or display_name(
        feed["workflow_name"] or feed["workflow"], feed["workflow"]
    )
    # GitHub gives a workflow without a name its path as the name.
    return str(name).removeprefix(".github/workflows/")


def _title(name: str, repo: str, tile: Row | None) -> str:
    """The browser tab's title, with the state first."""
    state = [label_of(tile["tile_state"])] if tile else []
    return " · ".join([*state, name, repo])


def _icon(tile: Row | None) -> str:
    if tile is None:
        return "unknown"
    state = tile["tile_state"]
    if state == "untested":
        return "unknown"
    return state if state in ("passing", "failing", "unknown") else "alarm"


def _branches(feed: Row, branch: str | None, rows: list[Row]) -> list[str]:
    names = [feed["default_branch"], branch, *(row["branch"] for row in rows)]
    return [name for name in dict.fromkeys(names) if name]


def _periods(feed: Row, branch: str | None, chosen: int) -> list[Row]:
    branch_argument = None if branch == feed["default_branch"] else branch
    return [
        {
            "days": days,
            "path": workflow_path(
                feed["repo"],
                feed["workflow"],
                branch=branch_argument,
                days=None if days == DEFAULT_DAYS else days,
            ),
            "is_current": days == chosen,
        }
        for days in PERIODS
    ]
