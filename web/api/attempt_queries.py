"""One page of attempts, in the order of their runs, the newest attempt of a run first.

The latest attempts are a page of runs. Earlier ones are few: runs that were run again
have an index of their own.
"""
# ruff: noqa: S608 (own names, and no value)

from dataclasses import replace
from sqlite3 import Row

from datasette.utils.sqlite import sqlite3

from ci_observer.web.api.cursors import Key, decode_cursor
from ci_observer.web.api.list_columns import ATTEMPT_VALUES
from ci_observer.web.api.run_queries import (
    PAGE_SQL,
    choose_access_path,
    read_value_counts,
    selection_sql,
)
from ci_observer.web.columns import json_values_sql
from ci_observer.web.database import Params
from ci_observer.web.filter_sql import where_sql
from ci_observer.web.filters import Filters

# The columns of the page, then whole rows of the attempts on it.
ATTEMPTS_SQL = f"""
with latest as materialized ({{latest}}),
keys as (
  select run_id, run_attempt, l.started_at as run_started_at
  from latest l cross join runs using (run_id)
  union all
  select * from ({{earlier}})
),
page as materialized (
  select * from keys
  order by run_started_at desc, run_id desc, run_attempt desc limit :limit + 1
)
select
  (select value from instance where key = 'revision') as revision,
  (
    select cast(json_group_array({json_values_sql(ATTEMPT_VALUES)}) as blob)
    from (select run_id, run_attempt from page limit :limit) p
    cross join run_attempts a
      on a.run_id = p.run_id and a.run_attempt = p.run_attempt
    cross join runs r on r.run_id = p.run_id
  ) as attempts,
  (
    select json_array(run_started_at, run_id, run_attempt) from page
    where (select count(*) from page) > :limit limit 1 offset :limit - 1
  ) as next
"""

EARLIER_SQL = """
select a.run_id, a.run_attempt, r.run_started_at
from (
  select run_id, started_at as run_started_at, run_attempt as latest
  from runs indexed by runs_rerun where run_attempt > 1 and {runs}
) r
cross join (
  select run_id, run_attempt, status, conclusion, cancel_cause from run_attempts
) a on a.run_id = r.run_id and a.run_attempt < r.latest
where {attempts} and {position}
order by r.run_started_at desc, a.run_id desc, a.run_attempt desc limit :limit + 1
"""
POSITION = "(r.run_started_at, a.run_id, a.run_attempt) < (:last_at, :last_id, :last)"


def read_attempt_page(filters: Filters, conn: sqlite3.Connection) -> Row:
    """A page of attempts, read in the caller's transaction."""
    sql, params = attempts_sql(filters, read_value_counts(filters, conn))
    row: Row = conn.execute(sql, params | {"limit": filters.limit}).fetchone()
    return row


def attempts_sql(filters: Filters, counts: dict[str, int]) -> tuple[str, Params]:
    """The select of one page of attempts, without the parameter `limit`."""
    cursor = decode_cursor(filters.cursor, str, int, int) if filters.cursor else None
    path = choose_access_path(filters, counts)
    latest, params = selection_sql(filters, path, cursor and cursor[:2])
    earlier, earlier_params = _earlier_sql(filters, cursor)
    sql = ATTEMPTS_SQL.format(
        latest=PAGE_SQL.format(source=path.source, where=latest), earlier=earlier
    )
    return sql, params | earlier_params


def _earlier_sql(filters: Filters, cursor: Key | None) -> tuple[str, Params]:
    """Attempts that a re-run replaced: the run's filters, and those of the attempt."""
    of_run = replace(filters, status=(), conclusion=())
    of_attempt = Filters(status=filters.status, conclusion=filters.conclusion)
    params: Params = {}
    if cursor:
        params = dict(zip(("last_at", "last_id", "last"), cursor, strict=True))
        until = min(str(cursor[0]), filters.until or str(cursor[0]))
        of_run = replace(of_run, until=until)
    runs, run_params = where_sql(of_run)
    attempts, attempt_params = where_sql(of_attempt)
    sql = EARLIER_SQL.format(
        runs=runs, attempts=attempts, position=POSITION if cursor else "true"
    )
    return sql, params | run_params | attempt_params
