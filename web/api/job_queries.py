"""One page of jobs, in the order of their runs, newest first."""
# ruff: noqa: S608 (own names, and no value)

from dataclasses import replace
from sqlite3 import Row

from datasette.utils.sqlite import sqlite3

from ci_observer.web.api.cursors import decode_cursor
from ci_observer.web.api.list_columns import JOB_VALUES
from ci_observer.web.api.run_queries import (
    choose_access_path,
    read_value_counts,
    selection_sql,
)
from ci_observer.web.columns import json_values_sql
from ci_observer.web.database import Params
from ci_observer.web.filter_sql import where_sql
from ci_observer.web.filters import Filters

# A run has several jobs, or none: often only those of failed runs are stored.
RUNS_PER_JOB = 4

JOBS_SQL = f"""
with page as materialized (
  select j.job_id, j.run_attempt, r.run_id, r.run_started_at
  from (
    select run_id, started_at as run_started_at from {{source}} where {{runs}}
  ) r
  cross join (
    select
      job_id, run_id, run_attempt, name as job, status, conclusion,
      iif(is_timed_out, 'timeout', null) as cancel_cause
    from jobs
  ) j on j.run_id = r.run_id
  where {{jobs}} and {{position}}
  order by r.run_started_at desc, r.run_id desc, j.run_attempt desc, j.job_id desc
  limit :limit + 1
)
select
  (select value from instance where key = 'revision') as revision,
  (
    select cast(json_group_array({json_values_sql(JOB_VALUES)}) as blob)
    from (select job_id from page limit :limit) p
    cross join jobs j on j.job_id = p.job_id
    cross join runs r on r.run_id = j.run_id
  ) as jobs,
  (
    select json_array(run_started_at, run_id, run_attempt, job_id) from page
    where (select count(*) from page) > :limit limit 1 offset :limit - 1
  ) as next
"""
POSITION = (
    "(r.run_started_at, r.run_id, j.run_attempt, j.job_id)"
    " < (:last_at, :last_id, :last_attempt, :last_job)"
)


def read_job_page(filters: Filters, conn: sqlite3.Connection) -> Row:
    """A page of jobs, read in the caller's transaction."""
    of_run = replace(filters, status=(), conclusion=(), job=(), cursor=None)
    counts = read_value_counts(of_run, conn)
    sql, params = jobs_sql(filters, of_run, counts)
    row: Row = conn.execute(sql, params | {"limit": filters.limit}).fetchone()
    return row


def jobs_sql(
    filters: Filters, of_run: Filters, counts: dict[str, int]
) -> tuple[str, Params]:
    """The select of one page of jobs, without the parameter `limit`.

    `of_run` has the filters of the run; the others are of the job.
    """
    names = ("last_at", "last_id", "last_attempt", "last_job")
    position: Params = {}
    if filters.cursor:
        cursor = decode_cursor(filters.cursor, str, int, int, int)
        position = dict(zip(names, cursor, strict=True))
        until = min(str(cursor[0]), of_run.until or str(cursor[0]))
        of_run = replace(of_run, until=until)
    planned = replace(of_run, limit=filters.limit * RUNS_PER_JOB)
    path = choose_access_path(planned, counts)
    runs, params = selection_sql(of_run, path, None)
    of_job = Filters(
        status=filters.status, conclusion=filters.conclusion, job=filters.job
    )
    jobs, job_params = where_sql(of_job)
    sql = JOBS_SQL.format(
        source=path.source,
        runs=runs,
        jobs=jobs,
        position=POSITION if position else "true",
    )
    return sql, params | job_params | position
