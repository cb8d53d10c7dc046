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

-- The day, the weekday (Monday is 1) and the hour of each run in the instance's time zone,
-- daylight saving time included.
create view run_days as
select
  runs.*,
  date(started_at, (
    select offset_seconds from timezone_offsets
    where from_at <= started_at order by from_at desc limit 1
  ) || ' seconds') as day,
  -- A cast lets a filter of Datasette, which is a text, find the number.
  cast((strftime('%w', started_at, (
    select offset_seconds from timezone_offsets
    where from_at <= started_at order by from_at desc limit 1
  ) || ' seconds') + 6) % 7 + 1 as integer) as weekday,
  cast(strftime('%H', started_at, (
    select offset_seconds from timezone_offsets
    where from_at <= started_at order by from_at desc limit 1
  ) || ' seconds') as integer) as hour
from runs;

-- The same for the runs that count for a tile, which a workflow's page counts.
create view tile_run_days as
select run_days.* from run_days join tile_runs using (run_id);

-- The completed runs of each workflow by day, from the rollups.
create view run_stats_daily as
select
  period as day, repo, workflow,
  sum(runs - unfinished) as runs,
  sum(success) as successes,
  sum(failure + timed_out + startup_failure) as failures,
  sum(cancelled) as cancelled,
  round(1.0 * sum(failure + timed_out + startup_failure) / nullif(
    sum(success + failure + timed_out + startup_failure), 0
  ), 4) as failure_rate,
  sum(reruns - unfinished_reruns) as rerun,
  -- First attempts only, since a re-run may repeat a part; 0 seconds is no duration.
  1.0 * sum(timed_seconds) / nullif(sum(timed_runs), 0) as average_duration_seconds
from run_rollups
where unit = 'day' and repo <> ''
group by period, repo, workflow
having sum(runs) > sum(unfinished);

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

-- The errors of failed jobs, by their normalised text. All but the texts come from one
-- index, for one error alone if a query names it. `distinct` changes no row: it makes
-- SQLite compute `found` once.
create view error_groups as
select
  g.error_id, j.message, found ->> 'runs' as runs, found ->> 'workflows' as workflows,
  found ->> 'first_seen_at' as first_seen_at, found ->> 'last_seen_at' as last_seen_at,
  g.text
from (
  select distinct
    e.error_id, e.text, (
      select json_object(
        'runs', sum(runs), 'workflows', count(*), 'first_seen_at', min(first_seen_at),
        'last_seen_at', max(last_seen_at), 'job_id', max(job_id)
      ) from (
        select
          count(distinct run_id) as runs, min(failed_at) as first_seen_at,
          max(failed_at) as last_seen_at, max(job_id) as job_id
        from job_errors where error_id = e.error_id
        group by repo, workflow
      )
    ) as found
  from errors e
) g
join job_errors j on j.job_id = found ->> 'job_id';

-- A renamed repository or workflow keeps the errors of its runs.
create trigger runs_move_errors
after update of repo, workflow on runs
when (old.repo, old.workflow) is not (new.repo, new.workflow)
begin
  update job_errors set repo = new.repo, workflow = new.workflow
  where run_id = new.run_id;
end;
