"""The selects of a workflow's page.

They count rows of views (`tile_run_days`, `decisive_runs`, `flaky_runs`), so that the
link behind each number can select exactly those rows by Datasette's filters. Those of
`COUNTS_OF_RUNS` read every run of the span: `workflow_rollups` has faster ones.
"""
# ruff: noqa: S608 (own names, and no value)

from ci_observer.web.api.queries import REVISION_SQL
from ci_observer.web.api.run_queries import TAGS
from ci_observer.web.columns import RUN_COLUMNS, TILE_COLUMNS, tile_json_sql
from ci_observer.web.vocabulary import DECISIVE, FAILURES

GRID_RUNS = 100
BRANCH_RUNS = 20
CHART_RUNS = 100
LISTED = 20
MAX_BRANCHES = 500

_RUN = ", ".join(RUN_COLUMNS)
FEED = "repo = :repo and workflow = :workflow"
BRANCH = f"{FEED} and tile_branch = :branch"
# `+` keeps SQLite from the index of branches: runs come by their start.
BRANCH_BY_TIME = f"{FEED} and +tile_branch = :branch"
FAILED = f"effective_conclusion in {FAILURES}"
DECIDED = f"effective_conclusion in {DECISIVE}"
QUEUED = "run_attempt = 1 and queue_seconds is not null and waited_for is null"
TIMED = "conclusion = 'success' and run_attempt = 1 and duration_seconds > 0"


def recent(branch: str = BRANCH) -> str:
    """The runs of the span that count for the branch's tile."""
    # The index has started_at, not the day; one day more, for zones west of Greenwich.
    return f"""
from tile_run_days
where {branch} and started_at >= date(:first_day, '-1 day') and day >= :first_day"""


# The runs of the span on another branch than the default one, pull requests included,
# as on the page of the jobs.
OTHER_RUNS = f"""
from run_days
where {BRANCH} and head_repo = repo
  and started_at >= date(:first_day, '-1 day') and day >= :first_day"""

# `is_tag` is whether `branch` is a tag, `has_tags_only` whether tags decide the tile.
FEED_SQL = f"""
select
  f.repo, f.workflow, f.workflow_name, f.is_watched, f.default_branch, f.checked_at,
  exists (
    select 1 from runs
    where {FEED} and tile_branch = '{TAGS}' and head_branch = :branch
  ) as is_tag,
  exists (
    select 1 from wall_branches
    where {FEED} and is_default_branch and tag is not null
  ) as has_tags_only,
  date(t.day, '-' || (:days - 1) || ' days') as first_day, t.day as last_day, timezone
from wall_sources f cross join today t
where f.repo = :repo and f.workflow = :workflow
"""

FEEDS_SQL = """
select repo, workflow from feeds
order by repo <> :repo, is_watched desc, repo, workflow limit 50
"""

# All are read at one revision.
SNAPSHOT_SQL = {
    "revision": REVISION_SQL,
    "tile": f"""
select {tile_json_sql(TILE_COLUMNS)} as tile, expires_at
from wall_branches
where {FEED} and (branch is :branch or tag is not null and :branch = '{TAGS}')
order by is_default_branch desc limit 1
""",
    # When the first run of the streak was created, and when today ends.
    "bounds": f"""
select
  (
    select d.created_at
    from (select * from tile_last_results where {FEED} and branch = :branch) t
    cross join tile_decisions d
      on d.repo = t.repo and d.workflow = t.workflow and d.branch = t.branch
      and d.result = t.last_result
      and (d.created_at, d.run_id) > (t.other_created_at, t.other_run_id)
    order by d.created_at, d.run_id limit 1
  ) as streak_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', date(day, '+1 day'), -(
    select offset_seconds from timezone_offsets
    where from_at <= now order by from_at desc limit 1
  ) || ' seconds') as tomorrow_at
from today cross join clock
""",
    "branches": f"""
select branch from tiles where {FEED}
order by newest_run_id desc limit {MAX_BRANCHES}
""",
    # The runs with the error of the tile, on all branches and in all repositories.
    "error": f"""
select runs, workflows, first_seen_at from error_groups where error_id = (
  select error_id from tiles where {FEED} and branch = :branch
)
""",
    "grid": f"""
select {_RUN} from runs where run_id in (
  select run_id from (
    select run_id from runs where {FEED}
    order by started_at desc, run_id desc limit {GRID_RUNS}
  )
  union
  select run_id from (
    select run_id from runs where {BRANCH} and head_repo = repo
    order by created_at desc, run_id desc limit {BRANCH_RUNS}
  )
) order by started_at desc, run_id desc
""",
    "flaky": f"""
select
  f.head_sha, f.run_id, f.successes, f.failures, f.last_started_at, n.display_title,
  f.html_url, n.gone_at
from (
  select * from flaky_runs where {BRANCH} and last_started_at >= :first_day
) f cross join runs n using (run_id)
order by f.last_started_at desc, f.run_id desc
""",
}

# The counts of the page, from the runs themselves.
COUNTS_OF_RUNS = {
    "counts": f"select count(*) as total from runs where {FEED}",
    "days": f"""
select
  day, sum({DECIDED}) as decided, sum({FAILED}) as failed
{recent()} and {DECIDED} group by day
""",
    "reruns": f"select count(*) as runs {recent()} and run_attempt > 1",
}


def percentiles_sql(condition: str, seconds: str, source: str) -> str:
    """The number of the runs of `source` that meet a condition, and their times."""
    return f"""
select
  count(*) as runs,
  avg(seconds) filter (where n in ((total + 1) / 2, (total + 2) / 2))
    as median_seconds,
  min(seconds) filter (where 100 * n >= 95 * total) as p95_seconds,
  0 as is_rounded
from (
  select
    {seconds} as seconds, row_number() over (order by {seconds}) as n,
    count(*) over () as total
  {source} and {condition}
)
"""


def newest_sql(branch: str) -> str:
    """The newest runs of the span. `branch` is `BRANCH` or `BRANCH_BY_TIME`."""
    return f"""
select {_RUN}, {TIMED} as is_counted {recent(branch)}
order by started_at desc, run_id desc limit {CHART_RUNS}
"""


def attempts_sql(branch: str) -> str:
    """All attempts of the newest runs of the span that were run again."""
    return f"""
select
  h.run_id, h.run_number, h.run_attempt, h.display_title, h.status, h.conclusion,
  h.cancel_cause, h.cancelled_by, h.started_at, h.duration_seconds, h.html_url, gone_at
from (
  select run_id, gone_at {recent(branch)} and run_attempt > 1
  order by started_at desc, run_id desc limit {LISTED}
) cross join run_history h using (run_id)
order by h.run_id desc, h.run_attempt
"""
