-- Runs counted, dated and linked, for filters, charts and example queries.

-- One row per attempt: what `ci-observer export` writes.
create view run_history as
select
  runs.run_id, a.run_attempt, runs.repo, runs.workflow, runs.workflow_name,
  runs.run_number, runs.event, runs.display_title, a.status, a.conclusion,
  runs.head_branch, runs.head_sha, runs.head_repo, runs.actor, a.triggering_actor,
  runs.pr_number, runs.created_at, a.started_at, a.updated_at, a.duration_seconds,
  a.run_attempt = runs.run_attempt as is_latest_attempt,
  runs.html_url || '/attempts/' || a.run_attempt as html_url,
  a.cancel_cause, a.cancelled_by, a.effective_conclusion
from runs join run_attempts a using (run_id);

-- How many runs have each value of a column by which runs are filtered. Ingest keeps the
-- table `run_values` equal to this. Here the letter case of a repository matters.
create view counted_values as
select 'repo' as name, repo as value, count(*) as runs from runs
group by repo collate binary
union all
select 'workflow', workflow, count(*) from runs
group by workflow
union all
select 'head_branch', head_branch, count(*) from runs
where head_branch is not null group by head_branch
union all
select 'event', event, count(*) from runs
where event is not null group by event
union all
select 'actor', actor, count(*) from runs
where actor is not null group by actor
union all
select 'status', status, count(*) from runs
where status is not null group by status
union all
select 'conclusion', conclusion, count(*) from runs
where conclusion is not null group by conclusion;

-- The day of each run in the instance's time zone, daylight saving time included.
create view run_days as
select
  runs.*,
  date(started_at, (
    select offset_seconds from timezone_offsets
    where from_at <= started_at order by from_at desc limit 1
  ) || ' seconds') as day
from runs;

-- The same for the runs that count for a tile, which a workflow's page counts.
create view tile_run_days as
select run_days.* from run_days join tile_runs using (run_id);

create view run_stats_daily as
select
  day, repo, workflow,
  count(*) as runs,
  count(*) filter (where conclusion = 'success') as successes,
  count(*) filter (where effective_conclusion in {{failures}})
    as failures,
  count(*) filter (where effective_conclusion = 'cancelled') as cancelled,
  round(1.0 * sum(effective_conclusion in {{failures}}) / nullif(
    sum(effective_conclusion in {{decisive}}), 0
  ), 4) as failure_rate,
  sum(run_attempt > 1) as rerun,
  -- First attempts only, since a re-run may repeat a part; 0 seconds is no duration.
  avg(duration_seconds) filter (
    where conclusion = 'success' and run_attempt = 1 and duration_seconds > 0
  ) as average_duration_seconds
from run_days
where status = 'completed'
group by day, repo, workflow;

-- Commits on which one workflow both failed and succeeded, so the failure was not the
-- commit's. Runs that another workflow triggered carry the head of the default branch
-- instead of their own commit, so they are left out. The query starts with the failures,
-- which are rare.
create view flaky_runs as
with failed as materialized (
  select distinct r.repo, r.workflow, r.head_branch, r.head_sha
  from run_attempts a cross join runs r using (run_id)
  where a.status = 'completed' and a.effective_conclusion in {{test_failures}}
    and r.event <> 'workflow_run'
),
commits as (
  select
    f.repo, f.workflow, f.head_branch, f.head_sha,
    sum(a.conclusion = 'success') as successes,
    sum(a.effective_conclusion in {{test_failures}}) as failures,
    max(a.started_at) as last_started_at,
    max(r.run_id) as run_id
  from failed f
  cross join runs r
    on substr(r.head_sha, 1, 7) = substr(f.head_sha, 1, 7)
    and +r.head_sha = f.head_sha and +r.repo = f.repo
    and +r.workflow = f.workflow and +r.head_branch is f.head_branch
  join run_attempts a on a.run_id = r.run_id
  where a.status = 'completed' and r.event <> 'workflow_run'
  group by f.repo, f.workflow, f.head_branch, f.head_sha
  having successes > 0
)
select commits.*, newest.html_url, newest.tile_branch
from commits join runs newest using (run_id);

-- Today's date in the instance's time zone, from which the example queries count back.
create view today as
select
  date(now, (
    select offset_seconds from timezone_offsets
    where from_at <= now order by from_at desc limit 1
  ) || ' seconds') as day,
  coalesce(timezone, 'UTC') as timezone
from clock cross join settings;

-- The calendar of the instance's time zone: the last ten years, and a year ahead. Select
-- runs by its bounds: an index can find started_at, while run_days.day is computed for
-- each run.
create view local_days as
with recursive numbers (days) as (
  select -365 union all select days + 1 from numbers where days < 3660
),
now_in_zone as materialized (select day from today),
calendar as (
  select
    -- An integer, so that a parameter of a query, which is text, compares as a number.
    cast(days as integer) as days,
    date(day, (1 - days) || ' days') as day,
    date(day, (2 - days) || ' days') as next_day
  from now_in_zone cross join numbers
),
offsets as not materialized (
  select
    from_at, -offset_seconds || ' seconds' as to_utc,
    -coalesce((
      select b.offset_seconds from timezone_offsets b
      where b.from_at < o.from_at order by b.from_at desc limit 1
    ), 0) || ' seconds' as to_utc_before
  from timezone_offsets o
)
select
  day, days,
  -- Midnight, or the change of the offset that skips it. Of two midnights, the first.
  (
    select max(from_at, strftime('%Y-%m-%dT%H:%M:%SZ', day, to_utc)) from offsets
    where from_at <= next_day
      and from_at <= strftime('%Y-%m-%dT%H:%M:%SZ', day, to_utc_before)
    order by from_at desc limit 1
  ) as starts_at,
  (
    select max(from_at, strftime('%Y-%m-%dT%H:%M:%SZ', next_day, to_utc)) from offsets
    where from_at <= date(next_day, '+1 day')
      and from_at <= strftime('%Y-%m-%dT%H:%M:%SZ', next_day, to_utc_before)
    order by from_at desc limit 1
  ) as ends_at
from calendar;

-- The path of each feed's runs in Datasette, for queries whose rows are not runs.
create view feed_links as
select
  repo, workflow,
  '/ci_observer/runs?repo=' || repo || '&workflow=' || replace(replace(replace(
    replace(replace(workflow, '%', '%25'), '&', '%26'), '+', '%2B'), '#', '%23'
  ), ' ', '%20') as runs_path
from feeds;
