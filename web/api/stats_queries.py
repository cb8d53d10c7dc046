"""One page of the numbers of each workflow and day, newest day first.

They come from the rollups, whose key begins with the day and the workflow.
"""
# ruff: noqa: S608 (own names, and no value)

from sqlite3 import Row

from datasette.utils.sqlite import sqlite3

from ci_observer.web.api.cursors import decode_cursor
from ci_observer.web.api.list_columns import (
    STATS_COUNTS,
    STATS_MINUTES,
    STATS_PERCENTILES,
    STATS_VALUES,
)
from ci_observer.web.columns import json_values_sql
from ci_observer.web.database import Params
from ci_observer.web.filter_sql import where_sql
from ci_observer.web.filters import Filters

# A job that runs past midnight counts on a day without a run. SQLite sorts the names of
# one day after the other, and stops at the limit.
_KEYS = """
  select distinct period as day, repo, workflow from {table} x
  where unit = 'day' and repo <> '' and {{where}} and {{position}} and {{branches}}
  order by period desc, repo, workflow limit :limit + 1"""
_SUMS = ", ".join(f"sum(x.{name}) as {name}" for name in STATS_COUNTS)
_SAME_DAY = """
  x.unit = 'day' and x.period = p.day and x.repo = p.repo and x.workflow = p.workflow
  and {branches}"""

# The nearest rank, as for the percentiles of the pages.
_PERCENTILES = ", ".join(
    f"min(iif(measure = '{measure}' and up_to * 100 >= total * {share}, seconds, null))"
    f" as {measure}_p{share}_seconds"
    for measure in ("duration", "queue")
    for share in (50, 95)
)
_COLUMNS = {
    "page": ("day", "repo", "workflow"),
    "counts": STATS_COUNTS,
    "percentiles": STATS_PERCENTILES,
    "minutes": STATS_MINUTES,
}


def _list(pattern: str) -> str:
    """The pattern for each column of the parts, in order."""
    names = (name for columns in _COLUMNS.values() for name in columns)
    return ", ".join(pattern.format(name=name) for name in names)


def _part(source: str) -> str:
    columns = ", ".join(
        name if source == owner else f"null as {name}"
        for owner, names in _COLUMNS.items()
        for name in names
    )
    return f"select place, {columns} from {source}"


# One below the other, and merged by the place in the page: SQLite would join each of
# them by a nested loop.
_PARTS = " union all ".join(map(_part, _COLUMNS))

STATS_SQL = f"""
with page as materialized (
  select *, row_number() over () as place from (
    select * from (
      select * from ({_KEYS.format(table="run_rollups")})
      union
      select * from ({_KEYS.format(table="job_rollups")})
    )
    order by day desc, repo, workflow limit :limit + 1
  )
),
counts as materialized (
  select p.place, {_SUMS}
  from page p cross join run_rollups x on {_SAME_DAY}
  group by p.place
),
buckets as materialized (
  select
    p.place, x.measure, b.seconds, x.bucket,
    sum(sum(x.runs)) over (partition by p.place, x.measure order by x.bucket) as up_to,
    sum(sum(x.runs)) over (partition by p.place, x.measure) as total
  from page p
  cross join run_bucket_rollups x on {_SAME_DAY}
  cross join duration_buckets b on b.bucket = x.bucket
  group by p.place, x.measure, x.bucket
),
percentiles as materialized (
  select place, {_PERCENTILES} from buckets group by place
),
minutes as materialized (
  select
    p.place, sum(x.jobs) as jobs, round(sum(x.seconds) / 60.0, 1) as run_minutes,
    sum(x.billed_minutes) as billed_minutes,
    sum(iif(x.billed_minutes is null, x.jobs, 0)) as jobs_without_price
  from page p cross join job_minutes x on {_SAME_DAY}
  group by p.place
)
select
  (select value from instance where key = 'revision') as revision,
  (
    select cast(json_group_array({json_values_sql(STATS_VALUES)}) as blob)
    from (
      select {_list("max({name}) as {name}")} from ({_PARTS})
      group by place order by place limit :limit
    )
  ) as stats,
  (
    select json_array(day, repo, workflow) from page
    where (select count(*) from page) > :limit order by place limit 1 offset :limit - 1
  ) as next
"""

_POSITION = """
  period <= :last_day
  and (period < :last_day or (repo, workflow) > (:last_repo, :last_workflow))"""


def read_stats_page(filters: Filters, conn: sqlite3.Connection) -> Row:
    """A page of numbers, read in the caller's transaction."""
    sql, params = stats_sql(filters)
    row: Row = conn.execute(sql, params | {"limit": filters.limit}).fetchone()
    return row


def stats_sql(filters: Filters) -> tuple[str, Params]:
    """The select of one page of numbers, without the parameter `limit`."""
    where, params = where_sql(Filters(repo=filters.repo, workflow=filters.workflow))
    if filters.since:
        where += " and period >= :since"
        params |= {"since": filters.since}
    if filters.until:
        where += " and period <= :until"
        params |= {"until": filters.until}
    if filters.cursor:
        names = ("last_day", "last_repo", "last_workflow")
        cursor = decode_cursor(filters.cursor, str, str, str)
        params |= dict(zip(names, cursor, strict=True))
    sql = STATS_SQL.format(
        where=where,
        position=_POSITION if filters.cursor else "true",
        branches="x.is_default_branch" if filters.default_branch else "true",
    )
    return sql, params
