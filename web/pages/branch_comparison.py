"""Two branches of a workflow side by side, on the workflow's page.

The default branch has the numbers of its page. Of another branch, runs of pull requests
count, too, as on the page of the jobs: many branches have no others.
"""

import json
from dataclasses import dataclass
from sqlite3 import Connection, Row
from typing import Any

from datasette.app import Datasette

from ci_observer.web.columns import RUN_COLUMNS
from ci_observer.web.pages.page import PageParams
from ci_observer.web.pages.times import exact_duration, percent
from ci_observer.web.pages.workflow_links import Links
from ci_observer.web.pages.workflow_queries import (
    DECIDED,
    FAILED,
    OTHER_RUNS,
    QUEUED,
    TIMED,
    percentiles_sql,
)
from ci_observer.web.pages.workflow_rollups import read_queues, read_workflow
from ci_observer.web.pages.workflow_selection import Selection, fetch_selection
from ci_observer.web.texts import display_row

# The newest runs of each branch that are shown.
NEWEST = 20

_COUNTS_SQL = f"""
select
  coalesce(sum({DECIDED}), 0) as decided, coalesce(sum({FAILED}), 0) as failed,
  coalesce(sum(run_attempt > 1), 0) as reruns
{OTHER_RUNS}
"""
_RUNS_SQL = f"""
select {", ".join(RUN_COLUMNS)} {OTHER_RUNS}
order by started_at desc, run_id desc limit {NEWEST}
"""


@dataclass(frozen=True)
class Side:
    """What is read of one branch; `has_pull_requests` is whether their runs count."""

    branch: str | None
    has_pull_requests: bool
    tile: list[Row]
    counts: dict[str, int]
    durations: Row
    queues: Row
    flaky: int
    newest: list[Row]


async def fetch_other_branch(
    datasette: Datasette, selection: Selection
) -> Selection | None:
    """The branch to compare with; None without one, or if it is the page's own."""
    named = selection.others.get("compare")
    if not named:
        return None
    feed = selection.feed
    pairs = (("branch", named), ("days", str(selection.days)))
    other = await fetch_selection(
        datasette, PageParams(pairs), feed["repo"], feed["workflow"]
    )
    return None if other.branch == selection.branch else other


def other_branches(
    selection: Selection, other: Selection | None, rows: dict[str, list[Any]]
) -> list[str]:
    """The branches to choose from: those of the page, and of the newest runs."""
    names = selection.branches(rows["branches"])
    names += [other.branch] if other and other.branch else []
    names += [
        run["head_branch"]
        for run in rows["grid"]
        if run["head_branch"] and run["head_repo"] == selection.feed["repo"]
    ]
    return [name for name in dict.fromkeys(names) if name != selection.branch]


def read_side(
    conn: Connection, selection: Selection, rows: dict[str, list[Row]] | None = None
) -> Side:
    """The rows of a branch, in the caller's transaction.

    `rows` are those of `read_workflow`, if they are read already.
    """
    params = selection.params
    rows = rows or read_workflow(conn, params)
    feed, branch = selection.feed, selection.branch
    if branch == feed["default_branch"]:
        [durations], [queues], [reruns] = (
            rows["durations"],
            read_queues(conn, params),
            rows["reruns"],
        )
        counts = {
            name: sum(day[name] for day in rows["days"])
            for name in ("decided", "failed")
        } | {"reruns": reruns["runs"]}
        newest = rows["newest"][:NEWEST]
    else:
        durations, queues, counted = (
            conn.execute(sql, params).fetchone()
            for sql in (
                percentiles_sql(TIMED, "duration_seconds", OTHER_RUNS),
                percentiles_sql(QUEUED, "queue_seconds", OTHER_RUNS),
                _COUNTS_SQL,
            )
        )
        counts = dict(counted)
        newest = conn.execute(_RUNS_SQL, params).fetchall()
    return Side(
        branch=branch,
        has_pull_requests=branch != feed["default_branch"],
        tile=rows["tile"],
        counts=counts,
        durations=durations,
        queues=queues,
        flaky=len(rows["flaky"]),
        newest=newest,
    )


def compared(feed: dict[str, Any], sides: list[Side]) -> list[dict[str, Any]]:
    """The numbers of each branch for the template; empty without two branches."""
    return [_numbers(feed, side) for side in sides]


def _numbers(feed: dict[str, Any], side: Side) -> dict[str, Any]:
    failed, decided = side.counts["failed"], side.counts["decided"]
    newest = [display_row(dict(run)) for run in side.newest]
    return {
        "branch": side.branch,
        "links": Links(feed, side.branch, has_pull_requests=side.has_pull_requests),
        "tile": json.loads(side.tile[0]["tile"]) if side.tile else None,
        "last": next((run for run in newest if run["status"] == "completed"), None),
        "rate": percent(failed / decided) if decided else None,
        **side.counts,
        "timed_runs": side.durations["runs"],
        "queued_runs": side.queues["runs"],
        "p50": _text(side.durations["median_seconds"]),
        "p95": _text(side.durations["p95_seconds"]),
        "queue_p50": _text(side.queues["median_seconds"]),
        "queue_p95": _text(side.queues["p95_seconds"]),
        "flaky": side.flaky,
        "newest": newest[::-1],
    }


def _text(seconds: float | None) -> str:
    return "" if seconds is None else exact_duration(seconds)
