"""The page of one workflow: its state as on the wall, and its history."""

import json
import sqlite3
from functools import partial
from sqlite3 import Connection
from typing import Any
from zoneinfo import ZoneInfo

from datasette.app import Datasette

from ci_observer.web.api.run_queries import TAGS
from ci_observer.web.database import fetch
from ci_observer.web.pages import state_timeline
from ci_observer.web.pages.branch_comparison import (
    Side,
    compared,
    fetch_other_branch,
    other_branches,
    read_side,
)
from ci_observer.web.pages.page import Content, PageParams
from ci_observer.web.pages.state_timeline import Timeline
from ci_observer.web.pages.tile_changes import change_links
from ci_observer.web.pages.tile_text import error_text, reason_url, state_reason
from ci_observer.web.pages.times import exact_duration, zone_of
from ci_observer.web.pages.workflow_history import (
    branch_rows,
    by_run,
    duration_chart,
    failure_rate,
)
from ci_observer.web.pages.workflow_links import Links
from ci_observer.web.pages.workflow_queries import GRID_RUNS, LISTED
from ci_observer.web.pages.workflow_rollups import read_workflow
from ci_observer.web.pages.workflow_selection import Selection, fetch_selection
from ci_observer.web.texts import display_name, display_row
from ci_observer.web.urls import workflow_path
from ci_observer.web.vocabulary import label_of

Row = dict[str, Any]
Rows = dict[str, list[Row]]


async def fetch_workflow(
    datasette: Datasette, params: PageParams, repo: str, workflow: str
) -> Content:
    """The page's content, on the branch and for the days that the URL names.

    Raises `BadRequest` for an unknown argument, `NotFound` for an unknown workflow.
    """
    selection = await fetch_selection(
        datasette, params, repo, workflow, others=("compare",)
    )
    feed, branch = selection.feed, selection.branch
    other = await fetch_other_branch(datasette, selection)
    snapshot, sides = await fetch(
        datasette,
        partial(_read, selection=selection, other=other),
        key=f"workflow {feed['repo']} {feed['workflow']} {branch} {selection.days}"
        f" {other and other.branch}",
    )
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
        "branches": selection.branches(rows["branches"]),
        "days": selection.days,
        "periods": selection.periods(workflow_path),
        "links": links,
        "other": other and other.branch,
        "others": other_branches(selection, other, rows),
        "compared": compared(feed, sides),
    }
    state, history = _state(feed, tile, rows, links), _history(feed, rows, links)
    states = _states(feed, rows, zone_of(params.tz))
    return Content(
        context
        | state
        | history
        | states
        | {"grid": branch_rows(feed, branch, rows["grid"])},
        revision=int(rows["revision"][0]["revision"]),
        expires_at=_expires_at(rows, states["timeline"]),
        title=_title(state["name"], feed["repo"], tile),
    )


def _read(
    conn: Connection, selection: Selection, other: Selection | None
) -> tuple[dict[str, list[sqlite3.Row]], list[Side]]:
    """The rows of the page, and those of the two branches to compare."""
    rows = read_workflow(conn, selection.params) | _read_states(conn, selection)
    if other is None:
        return rows, []
    return rows, [read_side(conn, selection, rows), read_side(conn, other)]


def _read_states(
    conn: Connection, selection: Selection
) -> dict[str, list[sqlite3.Row]]:
    """The states over time, for the branch of the tile only."""
    feed = selection.feed
    is_of_tile = feed["has_tags_only"] or selection.branch == feed["default_branch"]
    if not is_of_tile or selection.branch not in (TAGS, feed["default_branch"]):
        return {"states": [], "states_known": []}
    [now] = conn.execute("select now from clock").fetchone()
    zone = zone_of(feed["timezone"]) or ZoneInfo("UTC")
    times = {"since": state_timeline.midnight(feed["first_day"], zone), "until": now}
    names = (feed["repo"], feed["workflow"])
    return {
        "states": state_timeline.read_spans(conn, *names, **times),
        "states_known": state_timeline.read_known(conn, *names, **times),
    }


def _states(feed: Row, rows: Rows, zone: ZoneInfo | None) -> Row:
    """The bar of the states over time. None on a branch that has no tile."""
    if not rows["states_known"]:
        return {"timeline": None}
    [known] = rows["states_known"]
    timeline = state_timeline.timeline(
        rows["states"],
        since=known["since"],
        until=known["until"],
        zone=zone or zone_of(feed["timezone"]) or ZoneInfo("UTC"),
    )
    return {
        "timeline": timeline,
        "timeline_parts": state_timeline.sums,
        "exact_duration": exact_duration,
        "complete_from": known["complete_from"],
        "recorded_from": known["recorded_from"],
        "breaks": known["breaks"],
    }


def _state(feed: Row, tile: Row | None, rows: Rows, links: Links) -> Row:
    [bounds] = rows["bounds"]
    return {
        "name": _name(feed, tile),
        "icon": _icon(tile),
        "tile": tile,
        "state_reason": state_reason,
        "reason_url": reason_url,
        "error_text": tile and error_text(tile),
        "error": next(iter(rows["error"]), None),
        "change": tile and change_links(tile, links),
        "streak_rows": tile and links.streak(tile["last_result"], bounds["streak_at"]),
        "github": links.github(rows["grid"]),
    }


def _history(feed: Row, rows: Rows, links: Links) -> Row:
    [counts], [durations], [reruns] = (
        rows[name] for name in ("counts", "durations", "reruns")
    )
    return {
        "counts": counts | {"newest": min(counts["total"], GRID_RUNS)},
        "newest": rows["newest"],
        "durations": durations,
        "duration_chart": duration_chart(rows["newest"], durations),
        "rate": failure_rate(feed, rows["days"], links),
        "flaky": rows["flaky"][:LISTED],
        "flaky_count": len(rows["flaky"]),
        "reruns": reruns["runs"],
        "attempts": by_run(rows["attempts"]),
    }


def _expires_at(rows: Rows, timeline: Timeline | None) -> str | None:
    """When the page changes by time alone: the tile expires, or a new day starts."""
    instants = [row["tomorrow_at"] for row in rows["bounds"]]
    instants += [state_timeline.expires_at(timeline)] if timeline else []
    instants += [row["expires_at"] for row in rows["tile"]]
    return min(filter(None, instants), default=None)


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
