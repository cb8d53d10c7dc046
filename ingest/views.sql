-- The views of the database: what readers select from. Each is described in
-- metadata.yml and docs/schema.md; the words of a tile are explained in docs/wall.md.
-- Every view is made anew at the start when its text here has changed.

-- Every question about "now" is asked here. Tests put another clock in its place.
create view clock as
select strftime('%Y-%m-%dT%H:%M:%SZ', 'now') as now;

create view settings as
select
  cast(max(value) filter (where key = 'refresh_seconds') as integer)
    as refresh_seconds,
  -- Data are old once three refreshes in a row brought no proof of freshness.
  3 * cast(max(value) filter (where key = 'refresh_seconds') as integer)
    as stale_seconds,
  max(value) filter (where key = 'title') as title,
  max(value) filter (where key = 'timezone') as timezone
from instance;

-- GitHub's object, put together: in the body a token (a character that JSON text in ASCII
-- never holds) stands for each phrase, the run's id and each part. ingest/payloads.py
-- takes it apart.
create view runs_full as
select runs.*, (
  with recursive phrased (n, text, phrases) as (
    select 0, p.body, json_array_length(f.content)
    union all
    select n + 1, replace(text, char(n + iif(n < 31, 1, 256)), f.content ->> n), phrases
    from phrased where n < phrases
  ),
  assembled (n, text, parts) as (
    select 0, replace(text, char(127), p.run_id), json_array_length(p.part_ids)
    from phrased where n = phrases
    union all
    select n + 1, replace(text, char(128 + n), (
      select content from payload_parts where part_id = p.part_ids ->> n
    )), parts
    from assembled where n < parts
  )
  select text from assembled where n = parts
) as raw_json
from runs
left join run_payloads p using (run_id)
left join payload_parts f on f.part_id = p.phrases_id;

create view run_history as
select
  runs.run_id, a.run_attempt, runs.repo, runs.workflow, runs.workflow_name,
  runs.run_number, runs.event, runs.display_title, a.status, a.conclusion,
  runs.head_branch, runs.head_sha, runs.head_repo, runs.actor, a.triggering_actor,
  runs.pr_number, runs.created_at, a.started_at, a.updated_at, a.duration_seconds,
  a.run_attempt = runs.run_attempt as is_latest_attempt,
  runs.html_url || '/attempts/' || a.run_attempt as html_url
from runs join run_attempts a using (run_id);

-- The runs that may speak for a branch: the repository's own (a deleted fork has no
-- head repository), not of pull requests, not of the merge queue's own branches.
create view tile_runs as
select *
from runs
where head_repo = repo
  and event not like 'pull\_request%' escape '\'
  and head_branch not like 'gh-readonly-queue/%';

-- The last decisive attempt of every such run. A re-run in progress thus keeps the
-- result that it is about to replace.
create view decisive_runs as
select
  r.run_id, a.run_attempt, r.repo, r.workflow, r.head_branch, r.head_sha, r.event,
  r.created_at, a.started_at, a.updated_at, a.conclusion, a.duration_seconds,
  case a.conclusion when 'success' then 'passing' else 'failing' end as base,
  a.conclusion in ('failure', 'startup_failure')
    and a.duration_seconds = 0
    and r.workflow_name like '%.github/workflows/%' as is_invalid_file
from tile_runs r
join run_attempts a on a.run_id = r.run_id
where a.run_attempt = (
  select max(d.run_attempt)
  from run_attempts d
  where d.run_id = r.run_id
    and d.status = 'completed'
    and d.conclusion in ('success', 'failure', 'timed_out', 'startup_failure')
);

-- What the runs of one branch say, whatever the time: one row per row of `tiles`, which
-- ingest keeps equal to this in the transaction that changes a run. Always ask for one
-- (repo, workflow, branch). Newest means created last; a re-run does not make an old
-- commit new.
create view tile_facts as
with bases as not materialized (
  select
    t.repo, t.workflow, t.branch,
    (
      select r.run_id from tile_runs r
      where r.repo = t.repo and r.workflow = t.workflow and r.head_branch = t.branch
      order by r.created_at desc, r.run_id desc limit 1
    ) as newest_run_id,
    (
      select d.run_id from decisive_runs d
      where d.repo = t.repo and d.workflow = t.workflow and d.head_branch = t.branch
      order by d.created_at desc, d.run_id desc limit 1
    ) as base_run_id
  from tiles t
),
turns as not materialized (
  select
    bases.*, d.run_attempt as base_run_attempt, d.base,
    d.conclusion as base_conclusion, d.created_at as base_created_at,
    d.started_at as base_started_at, d.duration_seconds as base_duration_seconds,
    d.is_invalid_file,
    -- The last run that was otherwise; all after it have the base's result.
    (
      select o.run_id from decisive_runs o
      where o.repo = bases.repo and o.workflow = bases.workflow
        and o.head_branch = bases.branch and o.base <> d.base
      order by o.created_at desc, o.run_id desc limit 1
    ) as turned_run_id
  from bases join decisive_runs d on d.run_id = bases.base_run_id
  union all
  select bases.*, null, null, null, null, null, null, null, null
  from bases where base_run_id is null
),
dated as not materialized (
  select turns.*, (
    select created_at from runs where run_id = turned_run_id
  ) as turned_at
  from turns
)
select
  repo, workflow, branch, newest_run_id, base_run_id, base_run_attempt, base,
  base_conclusion, base_started_at, base_duration_seconds, is_invalid_file,
  (
    select count(*) from decisive_runs d
    where d.repo = turns.repo and d.workflow = turns.workflow
      and d.head_branch = turns.branch
      and (d.created_at, d.run_id) > (coalesce(turned_at, ''), coalesce(turned_run_id, 0))
  ) as streak,
  (
    -- The earliest: an older run may have got its result by a later re-run.
    select min(d.started_at) from decisive_runs d
    where d.repo = turns.repo and d.workflow = turns.workflow
      and d.head_branch = turns.branch
      and (d.created_at, d.run_id) > (coalesce(turned_at, ''), coalesce(turned_run_id, 0))
  ) as since_at,
  (
    -- Unfinished, or held, and not older than the base.
    select r.run_id from tile_runs r
    where r.repo = turns.repo and r.workflow = turns.workflow
      and r.head_branch = turns.branch
      and r.created_at >= coalesce(base_created_at, '')
      and (r.status <> 'completed' or r.conclusion = 'action_required')
    order by r.created_at desc, r.run_id desc limit 1
  ) as active_run_id,
  (
    -- The middle one of the last 20 good first attempts that took any time.
    select avg(duration_seconds) from (
      select duration_seconds, row_number() over (order by duration_seconds) as n,
        count(*) over () as total
      from (
        select d.duration_seconds from decisive_runs d
        where d.repo = turns.repo and d.workflow = turns.workflow
          and d.head_branch = turns.branch and d.base = 'passing'
          and d.run_attempt = 1 and d.duration_seconds > 0
        order by d.created_at desc, d.run_id desc limit 20
      )
    ) where n in ((total + 1) / 2, (total + 2) / 2)
  ) as median_duration_seconds,
  (
    select round(avg(base = 'passing'), 3) from (
      select d.base from decisive_runs d
      where d.repo = turns.repo and d.workflow = turns.workflow
        and d.head_branch = turns.branch
      order by d.created_at desc, d.run_id desc limit 20
    )
  ) as success_rate,
  (
    -- Both results for one commit among the last 20 runs. A run that another workflow
    -- triggered carries the head of the default branch, whatever caused it.
    select count(*) > 0 from (
      select r.head_sha
      from (
        select r.run_id, r.head_sha from tile_runs r
        where r.repo = turns.repo and r.workflow = turns.workflow
          and r.head_branch = turns.branch and r.event <> 'workflow_run'
        order by r.created_at desc, r.run_id desc limit 20
      ) r
      join run_attempts a on a.run_id = r.run_id and a.status = 'completed'
      group by r.head_sha
      having sum(a.conclusion = 'success') > 0
        and sum(a.conclusion in ('failure', 'timed_out')) > 0
    )
  ) as is_flaky,
  (
    -- When the next scheduled run is overdue: twice the longest gap between the last
    -- ten, and twelve hours, since GitHub starts schedules hours late or drops them.
    select strftime(
      '%Y-%m-%dT%H:%M:%SZ', max(created_at),
      '+' || (2 * max(gap) + 43200) || ' seconds'
    )
    from (
      select created_at,
        unixepoch(created_at) - unixepoch(lag(created_at) over (order by created_at))
          as gap
      from (
        select r.created_at from tile_runs r
        where r.repo = turns.repo and r.workflow = turns.workflow
          and r.head_branch = turns.branch and r.event = 'schedule'
        order by r.created_at desc limit 10
      )
    ) having count(*) >= 3
  ) as overdue_at,
  (
    -- The last 20 runs, oldest first, so that the newest stands at the right.
    select json_group_array(json_object(
      'run_id', run_id, 'run_number', run_number, 'run_attempt', run_attempt,
      'status', status, 'conclusion', conclusion, 'started_at', started_at,
      'duration_seconds', duration_seconds, 'html_url', html_url
    )) from (
      select * from (
        select r.* from tile_runs r
        where r.repo = turns.repo and r.workflow = turns.workflow
          and r.head_branch = turns.branch
        order by r.created_at desc, r.run_id desc limit 20
      ) order by created_at, run_id
    )
  ) as strip
from dated as turns;

-- One row per watched feed and branch with runs, and per feed on its default branch even
-- without any: the tile, with everything that time alone changes.
create view wall_branches as
with places as (
  select f.*, f.default_branch as branch, 1 as is_default_branch
  from feeds f
  where f.is_watched
  union all
  select f.*, t.branch, 0
  from feeds f join tiles t on t.repo = f.repo and t.workflow = f.workflow
  where f.is_watched and t.branch is not f.default_branch
),
instants as (
  select
    f.repo, f.workflow, f.branch, f.is_default_branch, f.workflow_name,
    f.workflow_state, f.checked_at, f.error, f.error_kind,
    -- A feed that could never be fetched is old from the first failure on.
    strftime(
      '%Y-%m-%dT%H:%M:%SZ', coalesce(f.checked_at, f.error_at),
      '+' || s.stale_seconds || ' seconds'
    ) as stale_at,
    t.base, t.base_run_id, t.base_run_attempt, t.base_conclusion, t.base_started_at,
    t.base_duration_seconds, t.is_invalid_file, t.since_at, t.streak, t.newest_run_id,
    t.active_run_id, t.median_duration_seconds, t.success_rate, t.is_flaky, t.strip,
    case when f.workflow_state is null or f.workflow_state = 'active'
      then t.overdue_at end as overdue_at,
    case
      when a.status in ('in_progress', 'queued', 'requested') then strftime(
        '%Y-%m-%dT%H:%M:%SZ', a.started_at,
        '+' || cast(max(21600, 5 * coalesce(t.median_duration_seconds, 0)) as integer)
        || ' seconds'
      )
    end as zombie_at,
    case
      when a.run_id is null then null
      when a.status = 'in_progress' then 'running'
      when a.status in ('queued', 'requested') then 'queued'
      when a.status in ('waiting', 'pending') then 'waiting'
      when a.conclusion = 'action_required' then 'held'
      else 'unfinished'
    end as activity
  from places f
  cross join settings s
  left join tiles t
    on t.repo = f.repo and t.workflow = f.workflow and t.branch = f.branch
  left join runs a on a.run_id = t.active_run_id
),
alarms as (
  select
    instants.*,
    case
      when error_kind in ('not_found', 'forbidden') then 'no_access'
      when stale_at <= now then 'stale'
      when workflow_state <> 'active' then 'disabled'
      when is_invalid_file then 'invalid_file'
      when zombie_at <= now then 'zombie'
      when overdue_at <= now then 'overdue'
    end as alarm,
    (
      select min(value) from json_each(json_array(stale_at, overdue_at, zombie_at))
      where value > now
    ) as flips_at
  from instants cross join clock
)
select
  w.repo, w.workflow, coalesce(w.workflow_name, n.workflow_name) as workflow_name,
  w.workflow_state, w.branch, w.is_default_branch,
  case
    when alarm = 'invalid_file' then 'failing'
    when alarm is not null then alarm
    when base is null or checked_at is null then 'unknown'
    else base
  end as tile_state,
  coalesce(w.base, 'unknown') as base, w.activity, w.alarm, w.error,
  -- The order on the wall: what needs somebody first.
  case
    when w.alarm = 'invalid_file' then 1
    when w.alarm is not null then 0
    when w.base = 'failing' then iif(w.activity is null, 1, 2)
    when w.activity = 'held' then 3
    when w.activity is not null then 4
    when w.base is null or w.checked_at is null then 5
    else 6
  end as rank,
  w.since_at, coalesce(w.streak, 0) as streak,
  w.base_run_id, w.base_run_attempt, w.base_conclusion, w.base_started_at,
  w.base_duration_seconds, p.run_number as base_run_number,
  p.display_title as base_display_title, p.actor as base_actor,
  p.html_url as base_html_url,
  -- The first job of the base that failed, and its first failed step.
  iif(w.base = 'failing', (
    select name from jobs
    where run_id = w.base_run_id and run_attempt = w.base_run_attempt
      and conclusion in ('failure', 'timed_out')
    order by completed_at, job_id limit 1
  ), null) as failed_job,
  iif(w.base = 'failing', (
    select failed_step from jobs
    where run_id = w.base_run_id and run_attempt = w.base_run_attempt
      and conclusion in ('failure', 'timed_out')
    order by completed_at, job_id limit 1
  ), null) as failed_step,
  -- The run that the tile speaks of: the active one, else the base, else the newest.
  n.run_id, n.run_number, n.run_attempt, n.status, n.conclusion, n.event,
  n.display_title, n.head_sha, n.actor, n.triggering_actor, n.pr_number, n.created_at,
  n.started_at, n.duration_seconds, n.html_url,
  w.median_duration_seconds, w.success_rate, coalesce(w.is_flaky, 0) as is_flaky,
  coalesce(w.strip, '[]') as strip, w.stale_at, w.overdue_at, w.zombie_at, w.flips_at
from alarms w
left join runs p on p.run_id = w.base_run_id
left join runs n
  on n.run_id = coalesce(w.active_run_id, w.base_run_id, w.newest_run_id);

-- The status wall: one row per watched feed, on its repository's default branch.
create view wall as
select * from wall_branches where is_default_branch;

-- One row: is GitHub being polled, and if not, why.
create view polling as
with facts as (
  select
    s.stale_seconds,
    max(i.value) filter (where i.key = 'why_not_polling') as why_not_polling,
    max(i.value) filter (where i.key = 'ingest_started_at') as ingest_started_at,
    max(i.value) filter (where i.key = 'next_poll_at') as next_poll_at,
    max(i.value) filter (where i.key = 'token_expires_at') as token_expires_at
  from settings s cross join instance i
),
last_poll as (
  select * from polls order by poll_id desc limit 1
),
judged as (
  select
    facts.*, last_poll.error, last_poll.error_kind, now,
    last_poll.finished_at as last_poll_at,
    (
      select finished_at from polls
      where error_kind is null order by poll_id desc limit 1
    ) as last_success_at,
    -- Ingest says when it will poll next; when that is long past, it has died. A long
    -- first pass shows its life by the feeds that it gets through.
    strftime(
      '%Y-%m-%dT%H:%M:%SZ',
      max(
        ingest_started_at, coalesce(next_poll_at, ''),
        coalesce((select max(checked_at) from feeds), '')
      ),
      '+' || stale_seconds || ' seconds'
    ) as dead_at
  from facts cross join clock left join last_poll on true
)
select
  case
    when ingest_started_at is null then 'off'
    when why_not_polling is not null then 'off'
    when dead_at <= now then 'stale'
    when error_kind = 'unauthorized' then 'unauthorized'
    when error_kind = 'rate_limited' then 'rate_limited'
    when error_kind is not null then 'offline'
    when last_success_at is null then 'starting'
    else 'ok'
  end as state,
  case
    when ingest_started_at is null
      then 'Nothing has polled into this database yet. Start ci-observer ingest.'
    when why_not_polling is not null then why_not_polling
    when dead_at <= now then 'The ingest process has stopped polling.'
    when error_kind is not null then error
    when last_success_at is null then 'The first poll is under way.'
  end as reason,
  -- Healthy: proof of freshness in the last three refreshes, or off on purpose.
  why_not_polling is not null or coalesce(strftime(
    '%Y-%m-%dT%H:%M:%SZ', last_success_at, '+' || stale_seconds || ' seconds'
  ) > now, 0) as is_healthy,
  last_poll_at, last_success_at, next_poll_at, token_expires_at,
  (select rate_limit from last_poll) as rate_limit,
  (select rate_limit_remaining from last_poll) as rate_limit_remaining,
  (select rate_limit_reset_at from last_poll) as rate_limit_reset_at
from judged;

-- A run's day in the instance's time zone, daylight saving time included.
create view run_days as
select
  runs.*,
  date(started_at, (
    select offset_seconds from timezone_offsets
    where from_at <= started_at order by from_at desc limit 1
  ) || ' seconds') as day
from runs;

-- Those that may speak for a branch: what a workflow's page counts.
create view tile_run_days as
select run_days.* from run_days join tile_runs using (run_id);

create view run_stats_daily as
select
  day, repo, workflow,
  count(*) as runs,
  count(*) filter (where conclusion = 'success') as successes,
  count(*) filter (where conclusion in ('failure', 'timed_out', 'startup_failure'))
    as failures,
  count(*) filter (where conclusion = 'cancelled') as cancelled,
  round(1.0 * sum(conclusion in ('failure', 'timed_out', 'startup_failure')) / nullif(
    sum(conclusion in ('success', 'failure', 'timed_out', 'startup_failure')), 0
  ), 4) as failure_rate,
  sum(run_attempt > 1) as rerun,
  -- First attempts that did something: a re-run repeats a part, 0 s is not a duration.
  avg(duration_seconds) filter (
    where conclusion = 'success' and run_attempt = 1 and duration_seconds > 0
  ) as average_duration_seconds
from run_days
where status = 'completed'
group by day, repo, workflow;

-- Commits for which one workflow both failed and succeeded: the failure was not the
-- commit's. Runs triggered by another workflow carry the default branch's head instead
-- of their own commit and say nothing here.
create view flaky_runs as
select commits.*, newest.html_url
from (
  select
    r.repo, r.workflow, r.head_branch, r.head_sha,
    sum(a.conclusion = 'success') as successes,
    sum(a.conclusion in ('failure', 'timed_out')) as failures,
    max(a.started_at) as last_started_at,
    max(r.run_id) as run_id
  from runs r join run_attempts a using (run_id)
  where a.status = 'completed' and r.event <> 'workflow_run'
  group by r.repo, r.workflow, r.head_branch, r.head_sha
  having successes > 0 and failures > 0
) commits
join runs newest using (run_id);

-- The day it is now in the instance's time zone; the canned queries count back from it.
create view today as
select
  date(now, (
    select offset_seconds from timezone_offsets
    where from_at <= now order by from_at desc limit 1
  ) || ' seconds') as day,
  coalesce(timezone, 'UTC') as timezone
from clock cross join settings;

-- Where the runs of a feed stand in Datasette, for queries whose rows are not runs.
create view feed_links as
select
  repo, workflow,
  '/ci_observer/runs?repo=' || repo || '&workflow=' || replace(replace(replace(
    replace(replace(workflow, '%', '%25'), '&', '%26'), '+', '%2B'), '#', '%23'
  ), ' ', '%20') as runs_path
from feeds;
