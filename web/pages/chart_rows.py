"""The rows of a dashboard's chart, which the page's script requests by its name.

A chart that is one number has its change since the span before, too.

They are cached until the revision or the day changes: charts depend on the clock by the
view `today` only.
"""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from sqlite3 import Row
from typing import Any

from datasette.app import Datasette
from datasette.database import QueryInterrupted
from datasette.utils.sqlite import sqlite3
from datasette_dashboards import replace_opts_in_query

from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.database import Params, fetch_row, fetch_rows
from ci_observer.web.errors import BadRequest, Unavailable
from ci_observer.web.pages.dashboard import DEFAULT_DAYS, FETCHING, MAX_DAYS, PERIOD
from ci_observer.web.summary.changes import Measure, compare

TOO_LONG = "The query took too long. Choose fewer days, a repository or a workflow."

REVISION_AND_MIDNIGHT = """
select
  (select value from instance where key = 'revision') as revision,
  (
    select ends_at from local_days where day = (select day from today)
  ) as expires_at
"""


# Sums of days that are stored in part are not compared.
HAS_OLDER_RUNS = """
select exists (
  select 1 from run_rollups
  where unit = 'day' and period <= :day and repo > ''
    and (:repo = '' or repo = :repo) and (:workflow = '' or workflow = :workflow)
) as has_older_runs
"""


async def fetch_chart_rows(
    datasette: Datasette, chart: Mapping[str, Any], args: Mapping[str, str]
) -> CachedResponse:
    """`{"rows": [{column: value}], "truncated": bool}` for the arguments of filters.

    With `display.change` in the chart's configuration also `"change": {"text",
    "verdict", "before"}`, or null if one of the two spans lacks a value, runs or jobs.
    Raises `Unavailable` if the query takes too long, and `BadRequest` if it is wrong.
    """
    query = replace_opts_in_query(chart["query"], dict(args))

    async def compute() -> CachedResponse:
        validity = await fetch_row(datasette, REVISION_AND_MIDNIGHT)
        rows = await _rows(datasette, chart["db"], query, args)
        if "change" in (chart.get("display") or {}):
            rows["change"] = await _change(datasette, chart, query, args, rows["rows"])
        return CachedResponse(
            json.dumps(rows, ensure_ascii=False, default=repr).encode(),
            revision=int(validity["revision"]),
            expires_at=validity["expires_at"],
        )

    # Charts with the same query differ in the number whose change they show.
    shown = json.dumps(chart.get("display"), sort_keys=True, default=repr)
    key = ("chart", chart["db"], query, shown, tuple(sorted(args.items())))
    return await get_or_compute(datasette, key, compute)


async def _change(
    datasette: Datasette,
    chart: Mapping[str, Any],
    query: str,
    args: Mapping[str, str],
    rows: list[dict[str, Any]],
) -> dict[str, Any] | None:
    """The change of the chart's number since the same number of days before."""
    days, until = args.get("days") or "", args.get("until") or None
    number = int(days[:5]) if days.isascii() and days.isdigit() else DEFAULT_DAYS
    wanted: Params = {"days": max(1, min(MAX_DAYS, number)), "until": until}
    period = await fetch_rows(datasette, PERIOD, wanted)
    if not period or not rows:
        return None
    first = date.fromisoformat(period[0]["first_day"])
    former_first = first - timedelta(days=int(str(wanted["days"])))
    if not await _can_compare(datasette, chart, args, period[0], former_first):
        return None
    day_before = first - timedelta(days=1)
    former = await _rows(
        datasette, chart["db"], query, {**args, "until": day_before.isoformat()}
    )
    if not former["rows"]:
        return None
    return _compared(chart["display"], rows[0], former["rows"][0])


async def _can_compare(
    datasette: Datasette,
    chart: Mapping[str, Any],
    args: Mapping[str, str],
    period: Row,
    former_first: date,
) -> bool:
    """Whether all runs of the days before are stored, and the jobs of both spans."""
    change = chart["display"]["change"]
    params: Params = {name: args.get(name) or "" for name in ("repo", "workflow")}
    if change["unit"] == "share":
        params["day"] = former_first.isoformat()
        if not (await fetch_row(datasette, HAS_OLDER_RUNS, params))["has_older_runs"]:
            return False
    if change["base"] == "jobs":
        # A day more, for all time zones.
        since = (former_first - timedelta(days=1)).isoformat()
        span = {"since": since, "until": period["until"]}
        return not await fetch_rows(datasette, FETCHING, params | span)
    return True


def _compared(
    display: Mapping[str, Any],
    now: dict[str, Any],
    before: dict[str, Any] | None = None,
) -> dict[str, Any] | None:
    name, change = display["field"], display["change"]
    if before is None or now[name] is None or before[name] is None:
        return None
    measure = Measure(
        change["unit"], change["base"], is_neutral=change.get("is_neutral", False)
    )
    # Points are those of percentages.
    factor = 100 if measure.unit == "points" else 1
    values = (factor * now[name], factor * before[name])
    counts = (now[measure.base], before[measure.base])
    found = compare(measure, *values, counts)
    return {
        "text": found.text,
        "verdict": found.verdict,
        "words": found.words,
        "before": before[name],
    }


async def _rows(
    datasette: Datasette, db: str, query: str, args: Mapping[str, str]
) -> dict[str, Any]:
    database = datasette.get_database(db)
    try:
        results = await database.execute(query, dict(args), truncate=True)
    except QueryInterrupted:
        raise Unavailable(TOO_LONG) from None
    except sqlite3.DatabaseError as error:
        raise BadRequest(f"SQLite cannot run the chart's query: {error}") from error
    rows = [dict(zip(results.columns, row, strict=True)) for row in results.rows]
    return {"rows": rows, "truncated": results.truncated}
