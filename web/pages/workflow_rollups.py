"""Reads the rows of a workflow's page, and counts its runs by the daily rollups.

The rollups have the runs of a default branch. They also count runs that no tile counts,
because GitHub no longer has them or because they are phantoms: those are few, have an
index, and are subtracted. So each number is that of the rows behind its link.
"""
# ruff: noqa: S608 (own names, and no value)

from sqlite3 import Connection, Row

from ci_observer.web.database import Params
from ci_observer.web.pages.workflow_queries import (
    BRANCH,
    BRANCH_BY_TIME,
    CHART_RUNS,
    COUNTS_OF_RUNS,
    DECIDED,
    FAILED,
    FEED,
    LISTED,
    QUEUED,
    SNAPSHOT_SQL,
    TIMED,
    attempts_sql,
    newest_sql,
    percentiles_sql,
    recent,
)
from ci_observer.web.vocabulary import DECISIVE, FAILURES

Rows = dict[str, list[Row]]

# Percentiles of more runs come from buckets, which are 5 % wide.
MOST_EXACT = 5_000

# The runs of the branch and of the feed. No row unless the rollups are complete and
# have the branch.
_ROLLED_UP_SQL = f"""
select sum(iif(is_default_branch, runs, 0)) as on_branch, sum(runs) as of_feed
from run_rollups
where unit = 'month' and {FEED}
  and (select from_run_id from rollup_progress) = 0
  and exists (select 1 from default_branches where repo = :repo and branch = :branch)
having count(*) > 0
"""

# The days of the span. A clock may be a little ahead of ours.
_DAYS = """
with recursive days (day) as (
  select :first_day
  union all
  select date(day, '+1 day') from days where day <= (select day from today)
)"""
_COUNTED = f"""
from days cross join run_rollups
  on unit = 'day' and period = day and {FEED} and is_default_branch = 1"""
# The runs of the rollups that do not count for a tile. The condition with `or` is that
# of the index `runs_left_out`.
_LEFT_OUT = f"""
select *
from run_days r
where {BRANCH} and (
    gone_at is not null or conclusion = 'failure' and duration_seconds = 0
  )
  and started_at >= date(:first_day, '-1 day') and day >= :first_day
  and status = 'completed'
  and head_repo = repo and event not like 'pull\\_request%' escape '\\'
  and not exists (select 1 from tile_runs t where t.run_id = r.run_id)
"""

_COUNTS = {
    "counts": f"""
select sum(runs) as total from run_rollups where unit = 'month' and {FEED}
""",
    "days": f"""{_DAYS},
counted as (
  select day, {" + ".join(DECISIVE)} as decided, {" + ".join(FAILURES)} as failed
  {_COUNTED}
  union all
  select day, -1, -({FAILED}) from ({_LEFT_OUT}) where {DECIDED}
)
select day, sum(decided) as decided, sum(failed) as failed
from counted group by day having sum(decided) > 0
""",
    "reruns": f"""{_DAYS}
select (select coalesce(sum(reruns), 0) {_COUNTED}) - (
  select count(*) from ({_LEFT_OUT}) where run_attempt > 1
) as runs
""",
}
# For each measure the column of the rollups with its number of runs, the condition of
# those runs, and the column with their seconds.
_MEASURES = {
    "duration": ("timed_runs", TIMED, "duration_seconds"),
    "queue": ("queued_runs", QUEUED, "queue_seconds"),
}


def _number_sql(measure: str) -> str:
    """How many runs have a value."""
    column, condition, _ = _MEASURES[measure]
    return f"""{_DAYS}
select (select coalesce(sum({column}), 0) {_COUNTED}) - (
  select count(*) from ({_LEFT_OUT}) where {condition}
) as runs
"""


def _buckets_sql(measure: str) -> str:
    """The percentiles from buckets: the first month by its days, the others whole."""
    _, condition, seconds = _MEASURES[measure]
    return f"""{_DAYS},
periods (unit, period) as (
  select 'day', day from days where substr(day, 1, 7) = substr(:first_day, 1, 7)
  union
  select 'month', substr(day, 1, 7) from days
  where substr(day, 1, 7) > substr(:first_day, 1, 7)
),
counted as (
  select bucket, b.runs
  from periods p cross join run_bucket_rollups b
    on b.unit = p.unit and b.period = p.period and {FEED}
    and is_default_branch = 1 and measure = '{measure}'
  union all
  select (
    select bucket from duration_buckets
    where from_seconds <= {seconds} order by from_seconds desc limit 1
  ), -1
  from ({_LEFT_OUT}) where {condition}
),
buckets as (
  select bucket, sum(runs) as runs from counted group by bucket
),
placed as (
  select
    seconds, sum(runs) over (order by bucket) as place, sum(runs) over () as total
  from buckets join duration_buckets using (bucket)
)
select
  max(total) as runs,
  min(seconds) filter (where 2 * place >= total) as median_seconds,
  min(seconds) filter (where 100 * place >= 95 * total) as p95_seconds,
  1 as is_rounded
from placed
"""


def read_workflow(conn: Connection, params: Params) -> Rows:
    """The rows of the page by their names, read in the caller's transaction."""
    rolled_up = conn.execute(_ROLLED_UP_SQL, params).fetchone()
    selects = SNAPSHOT_SQL | (_COUNTS if rolled_up else COUNTS_OF_RUNS)
    rows = {name: conn.execute(sql, params).fetchall() for name, sql in selects.items()}
    [[reruns]] = rows["reruns"]
    by_time = newest_sql(_index_for(rolled_up, CHART_RUNS))
    rows["newest"] = conn.execute(by_time, params).fetchall()
    by_time = attempts_sql(_index_for(rolled_up, LISTED, among=reruns))
    rows["attempts"] = conn.execute(by_time, params).fetchall()
    rows["durations"] = _times(conn, params, "duration", rolled_up)
    return rows


def read_queues(conn: Connection, params: Params) -> list[Row]:
    """The queue times of the branch's first attempts, as `durations` of the page."""
    rolled_up = conn.execute(_ROLLED_UP_SQL, params).fetchone()
    return _times(conn, params, "queue", rolled_up)


def _index_for(rolled_up: Row | None, wanted: int, *, among: int | None = None) -> str:
    """The condition of the branch with which SQLite reads the fewest runs.

    By time, it reads runs of the feed until it has `wanted` of the branch's, or of the
    `among` that qualify; by branch, all of the branch.
    """
    if rolled_up is None:
        return BRANCH
    on_branch, of_feed = rolled_up
    by_time = of_feed * wanted / max(1, on_branch if among is None else among)
    return BRANCH_BY_TIME if by_time < on_branch else BRANCH


def _times(
    conn: Connection, params: Params, measure: str, rolled_up: Row | None
) -> list[Row]:
    if rolled_up is not None:
        [[runs]] = conn.execute(_number_sql(measure), params)
        if runs > MOST_EXACT:
            return conn.execute(_buckets_sql(measure), params).fetchall()
    _, condition, seconds = _MEASURES[measure]
    return conn.execute(
        percentiles_sql(condition, seconds, recent()), params
    ).fetchall()
