"""The selects of a workflow's page.

They count rows of views (`tile_run_days`, `decisive_runs`, `flaky_runs`), so that the
link behind each number can select exactly those rows by Datasette's filters.
"""
# ruff: noqa: S608 (own names, and no value)

from ci_observer.web.api.queries import REVISION_SQL
from ci_observer.web.api.run_queries import TAGS
from ci_observer.web.columns import RUN_COLUMNS, TILE_COLUMNS, tile_json_sql
from ci_observer.web.vocabulary import DECISIVE, FAILURES, FLAKY_FAILURES

GRID_RUNS = 100
BRANCH_RUNS = 20
CHART_RUNS = 100
LISTED = 20
MAX_BRANCHES = 500

_RUN = ", ".join(RUN_COLUMNS)
_FEED = "repo = :repo and workflow = :workflow"
_BRANCH = f"{_FEED} and tile_branch = :branch"
# The index has started_at, not the day; one day more, for the zones west of Greenwich.
_RECENT = f"""
from tile_run_days
where {_BRANCH} and started_at >= date(:first_day, '-1 day') and day >= :first_day"""
_FAILED = f"effective_conclusion in {FAILURES}"
_DECIDED = f"effective_conclusion in {DECISIVE}"
_TIMED = "conclusion = 'success' and run_attempt = 1 and duration_seconds > 0"

# `is_tag` is whether `branch` is a tag, `has_tags_only` whether tags decide the tile.
FEED_SQL = f"""
select
  f.repo, f.workflow, f.workflow_name, f.is_watched, f.default_branch, f.checked_at,
  exists (
    select 1 from runs
    where {_FEED} and tile_branch = '{TAGS}' and head_branch = :branch
  ) as is_tag,
  exists (select 1 from wall where {_FEED} and tag is not null) as has_tags_only,
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
where {_FEED} and (branch is :branch or tag is not null and :branch = '{TAGS}')
order by is_default_branch desc limit 1
""",
    # When the first run of the streak was created, and when today ends.
    "bounds": f"""
select
  (
    select min(created_at) from (
      select created_at from decisive_runs where {_BRANCH}
      order by created_at desc, run_id desc
      limit (
        select coalesce(max(streak), 0) from tiles
        where {_FEED} and branch = :branch
      )
    )
  ) as streak_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', date(day, '+1 day'), -(
    select offset_seconds from timezone_offsets
    where from_at <= now order by from_at desc limit 1
  ) || ' seconds') as tomorrow_at
from today cross join clock
""",
    "branches": f"""
select branch from tiles where {_FEED}
order by newest_run_id desc limit {MAX_BRANCHES}
""",
    "grid": f"""
select {_RUN} from runs where run_id in (
  select run_id from (
    select run_id from runs where {_FEED}
    order by started_at desc, run_id desc limit {GRID_RUNS}
  )
  union
  select run_id from (
    select run_id from runs where {_BRANCH} and head_repo = repo
    order by created_at desc, run_id desc limit {BRANCH_RUNS}
  )
) order by started_at desc, run_id desc
""",
    "counts": f"""
select count(*) as total, min(count(*), {GRID_RUNS}) as newest from runs where {_FEED}
""",
    "newest": f"""
select {_RUN}, {_TIMED} as is_counted {_RECENT}
order by started_at desc, run_id desc limit {CHART_RUNS}
""",
    "durations": f"""
select
  count(*) as runs,
  avg(duration_seconds) filter (where n in ((total + 1) / 2, (total + 2) / 2))
    as median_seconds,
  min(duration_seconds) filter (where 100 * n >= 95 * total) as p95_seconds
from (
  select
    duration_seconds, row_number() over (order by duration_seconds) as n,
    count(*) over () as total
  {_RECENT} and {_TIMED}
)
""",
    "days": f"""
select
  day, sum({_DECIDED}) as decided, sum({_FAILED}) as failed
{_RECENT} and {_DECIDED} group by day
""",
    # The same rows as in `flaky_runs`, found by the branch's index.
    "flaky": f"""
with shas as (
  select distinct head_sha from runs
  where {_BRANCH} and started_at >= :first_day and event <> 'workflow_run'
),
commits as materialized (
  select
    r.head_sha, max(r.run_id) as run_id,
    sum(a.conclusion = 'success') as successes,
    sum(a.effective_conclusion in {FLAKY_FAILURES}) as failures,
    max(a.started_at) as last_started_at
  from shas
  cross join runs r
    on substr(r.head_sha, 1, 7) = substr(shas.head_sha, 1, 7)
    and +r.head_sha = shas.head_sha
  join run_attempts a on a.run_id = r.run_id
  where +r.repo = :repo and +r.workflow = :workflow and +r.tile_branch = :branch
    and r.event <> 'workflow_run' and a.status = 'completed'
  group by r.head_sha
  having successes > 0 and failures > 0 and last_started_at >= :first_day
)
select commits.*, n.display_title, n.html_url, n.gone_at
from commits cross join runs n using (run_id)
order by last_started_at desc, run_id desc
""",
    "reruns": f"select count(*) as runs {_RECENT} and run_attempt > 1",
    "attempts": f"""
select
  h.run_id, h.run_number, h.run_attempt, h.display_title, h.status, h.conclusion,
  h.cancel_cause, h.cancelled_by, h.started_at, h.duration_seconds, h.html_url, gone_at
from (
  select run_id, gone_at {_RECENT} and run_attempt > 1
  order by started_at desc, run_id desc limit {LISTED}
) cross join run_history h using (run_id)
order by h.run_id desc, h.run_attempt
""",
}
