"""The page of one workflow: its state as on the wall, and the history behind it."""

import json
from typing import Any

from datasette.app import Datasette

from ci_observer.web.database import fetch_rows, fetch_snapshot
from ci_observer.web.errors import BadRequest, NotFound
from ci_observer.web.pages.page import Asked, Content
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
from ci_observer.web.urls import workflow_path
from ci_observer.web.vocabulary import state_word

PERIODS = (7, 30, 90, 365)
DEFAULT_DAYS = 30
ALLOWED = ("branch", "days")

Row = dict[str, Any]
Found = dict[str, list[Row]]


async def fetch_workflow(
    datasette: Datasette, asked: Asked, repo: str, workflow: str
) -> Content:
    """What the page shows of a feed, on the branch and for the days that are asked."""
    given = _arguments(asked)
    days = _days(given.get("days"))
    feed = await _fetch_feed(datasette, repo, workflow, days)
    branch = given.get("branch") or feed["default_branch"]
    place = {name: feed[name] for name in ("repo", "workflow", "first_day")}
    rows = await fetch_snapshot(datasette, SNAPSHOT_SQL, place | {"branch": branch})
    found = {name: [dict(row) for row in some] for name, some in rows.items()}
    tile = json.loads(found["tile"][0]["tile"]) if found["tile"] else None
    links = Links(feed, branch)
    context = {
        "feed": feed,
        "branch": branch,
        "branches": _branches(feed, branch, found["branches"]),
        "days": days,
        "periods": _periods(feed, branch, days),
        "links": links,
    }
    state, history = _state(feed, tile, found, links), _history(feed, found, links)
    return Content(
        context | state | history | {"grid": branch_rows(feed, branch, found["grid"])},
        revision=int(found["revision"][0]["revision"]),
        expires_at=_expires_at(found),
        title=_title(state["name"], feed["repo"], tile),
    )


def _state(feed: Row, tile: Row | None, found: Found, links: Links) -> Row:
    [bounds] = found["bounds"]
    return {
        "name": _name(feed, tile),
        "icon": _icon(tile),
        "tile": tile,
        "streak_rows": tile and links.streak(tile["last_result"], bounds["streak_at"]),
        "github": links.github(found["grid"]),
    }


def _history(feed: Row, found: Found, links: Links) -> Row:
    [counts], [durations], [reruns] = (
        found[name] for name in ("counts", "durations", "reruns")
    )
    return {
        "counts": counts,
        "newest": found["newest"],
        "durations": durations,
        "duration_chart": duration_chart(found["newest"], durations),
        "rate": failure_rate(feed, found["days"], links),
        "flaky": found["flaky"][:LISTED],
        "flaky_count": len(found["flaky"]),
        "reruns": reruns["runs"],
        "attempts": by_run(found["attempts"]),
    }


def _expires_at(found: Found) -> str | None:
    """When the page changes by time alone: the tile does, or a new day begins."""
    instants = [row["tomorrow_at"] for row in found["bounds"]]
    instants += [row["expires_at"] for row in found["tile"]]
    return min(filter(None, instants), default=None)


async def _fetch_feed(datasette: Datasette, repo: str, workflow: str, days: int) -> Row:
    names = {"repo": repo, "workflow": workflow}
    feeds = await fetch_rows(datasette, FEED_SQL, names | {"days": days})
    if not feeds:
        others = await fetch_rows(datasette, FEEDS_SQL, {"repo": repo})
        raise NotFound(
            f"There is no workflow {workflow} of {repo} here: it is not watched, and"
            " never was. GH_REPOS and GH_WORKFLOWS name what is.",
            feeds=[dict(row) for row in others],
        )
    return dict(feeds[0])


def _arguments(asked: Asked) -> dict[str, str]:
    unknown = [name for name, _ in asked.pairs if name not in ALLOWED]
    if unknown:
        raise BadRequest(
            f"Unknown argument {unknown[0]!r}. Allowed: {', '.join(ALLOWED)}."
        )
    return dict(asked.pairs)


def _days(text: str | None) -> int:
    if text is None:
        return DEFAULT_DAYS
    if text not in map(str, PERIODS):
        allowed = ", ".join(map(str, PERIODS))
        raise BadRequest(f"days={text} is not one of {allowed}.")
    return int(text)


def _name(feed: Row, tile: Row | None) -> str:
    name = (tile and tile["workflow_name"]) or feed["workflow_name"]
    # GitHub calls a workflow without a name by its path.
    return str(name or feed["workflow"]).removeprefix(".github/workflows/")


def _title(name: str, repo: str, tile: Row | None) -> str:
    """The tab's title: how it stands, before what it is."""
    state = [state_word(tile["tile_state"])] if tile else []
    return " · ".join([*state, name, repo])


def _icon(tile: Row | None) -> str:
    if tile is None:
        return "unknown"
    state = tile["tile_state"]
    return state if state in ("passing", "failing", "unknown") else "alarm"


def _branches(feed: Row, branch: str | None, rows: list[Row]) -> list[str]:
    names = [feed["default_branch"], branch, *(row["branch"] for row in rows)]
    return [name for name in dict.fromkeys(names) if name]


def _periods(feed: Row, branch: str | None, chosen: int) -> list[Row]:
    own = None if branch == feed["default_branch"] else branch
    return [
        {
            "days": days,
            "path": workflow_path(
                feed["repo"],
                feed["workflow"],
                branch=own,
                days=None if days == DEFAULT_DAYS else days,
            ),
            "is_current": days == chosen,
        }
        for days in PERIODS
    ]
