"""One run with its attempts and jobs, and the steps of the jobs, as JSON."""
# ruff: noqa: S608 (own names, and no value)

from functools import partial
from sqlite3 import Row

from datasette.app import Datasette
from datasette.utils.sqlite import sqlite3

from ci_observer.web.api.list_columns import ATTEMPT_VALUES, JOB_VALUES, STEP_COLUMNS
from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.columns import json_object_sql, json_values_sql, run_columns
from ci_observer.web.database import fetch
from ci_observer.web.errors import NotFound
from ci_observer.web.filters import Filters
from ci_observer.web.parameters import MAX_ID

MAX_DIGITS = 19

_STEPS = f"""(
  select json_group_array({json_object_sql(STEP_COLUMNS)})
  from (select * from steps s where s.job_id = j.job_id order by number)
)"""
_JOB = json_values_sql(JOB_VALUES | {"steps": f"json({_STEPS})"})

DETAILS_SQL = f"""
select
  (select value from instance where key = 'revision') as revision,
  cast({{run}} as blob) as run,
  (
    select cast(json_group_array({json_values_sql(ATTEMPT_VALUES)}) as blob)
    from (
      select * from run_attempts where run_id = :run_id order by run_attempt
    ) a cross join runs r on r.run_id = a.run_id
  ) as attempts,
  (
    select cast(json_group_array({_JOB}) as blob)
    from (
      select * from jobs where run_id = :run_id order by run_attempt, job_id
    ) j cross join runs r on r.run_id = j.run_id
  ) as jobs
from {{source}} where run_id = :run_id
"""


async def fetch_run_details(
    datasette: Datasette, text: str, filters: Filters
) -> CachedResponse:
    """`{"ok", "revision", "run", "attempts", "jobs"}` of the run with this number.

    Raises `NotFound` for a run that is not stored, and `Unavailable`.
    """
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
    run_id = int(text) if is_number else MAX_ID + 1

    async def compute() -> CachedResponse:
        if run_id > MAX_ID:
            raise _not_found(text)
        select = partial(_read, run_id, raw=filters.raw)
        row = await fetch(datasette, select, key="run with its jobs")
        if row is None:
            raise _not_found(text)
        return _response(row)

    return await get_or_compute(datasette, ("run", run_id, filters), compute)


def _not_found(text: str) -> NotFound:
    return NotFound(
        f"No run {text} is stored. The last part of /api/runs/RUN_ID is GitHub's number"
        " of a run, the run_id in /api/runs."
    )


def _read(run_id: int, conn: sqlite3.Connection, *, raw: bool) -> Row | None:
    sql = DETAILS_SQL.format(
        run=json_object_sql(run_columns(raw=raw)),
        source="runs_full" if raw else "runs",
    )
    row: Row | None = conn.execute(sql, {"run_id": run_id}).fetchone()
    return row


def _response(row: Row) -> CachedResponse:
    revision = int(row["revision"])
    parts = b", ".join(
        b'"%s": %s' % (name.encode(), row[name]) for name in ("run", "attempts", "jobs")
    )
    content = b'{"ok": true, "revision": %d, %s}' % (revision, parts)
    # Raises `UnicodeDecodeError` if SQLite has made damaged JSON.
    content.decode()
    return CachedResponse(content, revision)
