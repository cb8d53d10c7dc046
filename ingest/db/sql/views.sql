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

-- What a run decided is found by what its row says: when that changes, it goes, until
-- ingest writes it anew.
create trigger runs_drop_decision
after update of run_id, repo, workflow, head_branch, created_at on runs
when (old.run_id, old.repo, old.workflow, old.head_branch, old.created_at)
  is not (new.run_id, new.repo, new.workflow, new.head_branch, new.created_at)
begin
  delete from decisions
  where repo = old.repo and workflow = old.workflow and branch = old.head_branch
    and result in ('passing', 'failing') and created_at = old.created_at
    and run_id = old.run_id;
end;

create view run_history as
select
  runs.run_id, a.run_attempt, runs.repo, runs.workflow, runs.workflow_name,
  runs.run_number, runs.event, runs.display_title, a.status, a.conclusion,
  runs.head_branch, runs.head_sha, runs.head_repo, runs.actor, a.triggering_actor,
  runs.pr_number, runs.created_at, a.started_at, a.updated_at, a.duration_seconds,
  a.run_attempt = runs.run_attempt as is_latest_attempt,
  runs.html_url || '/attempts/' || a.run_attempt as html_url
from runs join run_attempts a using (run_id);

-- The runs on a branch itself: the repository's own (a deleted fork has no head
-- repository), not of pull requests, not of the merge queue's own branches. Those that
-- failed in no time may be phantoms.
create view branch_runs as
select
  *,
  duration_seconds is 0 and run_attempt = 1
    and coalesce(conclusion in ('failure', 'startup_failure'), 0) as zero_duration
from runs
where head_repo = repo
  and event not like 'pull\_request%' escape '\'
  and head_branch not like 'gh-readonly-queue/%';

-- The events that a workflow really has on a branch, each with the runs that show it:
-- those of which an attempt took time. Ingest keeps them in the table `branch_events`.
create view timed_events as
select r.run_id, r.repo, r.workflow, r.head_branch as branch, r.event
from branch_runs r
where exists (
  select 1 from run_attempts a where a.run_id = r.run_id and a.duration_seconds > 0
);

-- Those that may speak for their branch: all but phantoms. GitHub makes runs that fail in
-- no time, without a job, also for events that the workflow does not have: they say
-- nothing of it where no run of that event, but one of another, ever took or takes time.
create view tile_runs as
select *
from branch_runs r
where not zero_duration
  or (
    -- Null where none ever took time.
    select max(e.event = r.event) from branch_events e
    where e.repo = r.repo and e.workflow = r.workflow and e.branch = r.head_branch
  ) is not 0
  or exists (
    select 1 from branch_runs o
    where o.repo = r.repo and o.workflow = r.workflow
      and o.head_branch = r.head_branch and o.event = r.event
      and o.status <> 'completed'
  );

-- The attempts that decided something. A cancelled one did, too, when one of its jobs is
-- known to have failed: a failure may cancel the rest of its run.
create view decisive_attempts as
select
  a.*, case a.conclusion when 'success' then 'passing' else 'failing' end as result
from run_attempts a
where a.status = 'completed' and (
  a.conclusion in ('success', 'failure', 'timed_out', 'startup_failure')
  or a.conclusion = 'cancelled' and exists (
    select 1 from jobs j
    where j.run_id = a.run_id and j.run_attempt = a.run_attempt
      and j.conclusion in ('failure', 'timed_out')
  )
);

-- What each run decides: its last decisive attempt. A re-run in progress, or one that was
-- cancelled, thus keeps the result that it was about to replace. Ingest keeps the table
-- `decisions` equal to this, so that a branch's last ones are found at once.
create view run_decisions as
select
  r.repo, r.workflow, r.head_branch as branch, a.result, r.created_at, r.run_id,
  a.run_attempt,
  -- When the first of the attempts in a row that gave it was started, if not at once.
  nullif((
    select min(s.started_at) from decisive_attempts s
    where s.run_id = r.run_id and s.result = a.result and s.run_attempt > coalesce((
      select max(o.run_attempt) from decisive_attempts o
      where o.run_id = r.run_id and o.result <> a.result
    ), 0)
  ), r.created_at) as since_at,
  r.zero_duration,
  coalesce(
    a.conclusion in ('failure', 'startup_failure')
      and a.duration_seconds = 0
      and r.workflow_name like '%.github/workflows/%',
    0
  ) as is_invalid_file
from branch_runs r
join decisive_attempts a on a.run_id = r.run_id
where a.run_attempt = (
  select max(d.run_attempt) from decisive_attempts d where d.run_id = r.run_id
);

-- Those of the runs that may speak for their branch.
create view tile_decisions as
select
  repo, workflow, branch, result, created_at, run_id, run_attempt,
  coalesce(since_at, created_at) as since_at, zero_duration, is_invalid_file
from decisions d
where not zero_duration
  or exists (select 1 from tile_runs t where t.run_id = d.run_id);

-- Runs first (cross join), so that the newest are found at once.
create view decisive_runs as
select
  r.run_id, a.run_attempt, r.repo, r.workflow, r.head_branch, r.head_sha, r.event,
  r.created_at, a.started_at, a.updated_at, a.conclusion, a.duration_seconds, d.result,
  d.is_invalid_file
from runs r
cross join tile_decisions d
  on d.repo = r.repo and d.workflow = r.workflow and d.branch = r.head_branch
  and d.result in ('passing', 'failing') and d.created_at = r.created_at
  and d.run_id = r.run_id
join run_attempts a on a.run_id = d.run_id and a.run_attempt = d.run_attempt;

-- What the runs of one branch say, whatever the time: one row per row of `tiles`, which
-- ingest keeps equal to this in the transaction that changes a run. Always ask for one
-- (repo, workflow, branch). Newest means created last; a re-run does not make an old
-- commit new.
create view tile_facts as
with newest as not materialized (
  -- Of each kind of run the newest: each of these is the end of an index.
  select
    t.repo, t.workflow, t.branch,
    (
      select r.run_id from tile_runs r
      where r.repo = t.repo and r.workflow = t.workflow and r.head_branch = t.branch
      order by r.created_at desc, r.run_id desc limit 1
    ) as newest_run_id,
    (
      select d.run_id from tile_decisions d
      where d.repo = t.repo and d.workflow = t.workflow and d.branch = t.branch
        and d.result = 'passing'
      order by d.created_at desc, d.run_id desc limit 1
    ) as passing_run_id,
    (
      select d.run_id from tile_decisions d
      where d.repo = t.repo and d.workflow = t.workflow and d.branch = t.branch
        and d.result = 'failing'
      order by d.created_at desc, d.run_id desc limit 1
    ) as failing_run_id,
    (
      select r.run_id from tile_runs r
      where r.repo = t.repo and r.workflow = t.workflow and r.head_branch = t.branch
        and r.status <> 'completed'
      order by r.created_at desc, r.run_id desc limit 1
    ) as unfinished_run_id,
    (
      select r.run_id from tile_runs r
      where r.repo = t.repo and r.workflow = t.workflow and r.head_branch = t.branch
        and r.conclusion = 'action_required'
      order by r.created_at desc, r.run_id desc limit 1
    ) as held_run_id,
    (
      select r.run_id from tile_runs r
      where r.repo = t.repo and r.workflow = t.workflow and r.head_branch = t.branch
        and r.conclusion = 'cancelled'
      order by r.created_at desc, r.run_id desc limit 1
    ) as cancelled_run_id
  from tiles t
),
chosen as not materialized (
  select
    newest.*,
    (
      select run_id from runs where run_id in (passing_run_id, failing_run_id)
      order by created_at desc, run_id desc limit 1
    ) as last_result_run_id,
    (
      select run_id from runs where run_id in (unfinished_run_id, held_run_id)
      order by created_at desc, run_id desc limit 1
    ) as open_run_id,
    -- The last that has tested something, or shall, or was kept from it by somebody.
    (
      select run_id from runs
      where run_id in (
        passing_run_id, failing_run_id, unfinished_run_id, held_run_id, cancelled_run_id
      )
      order by created_at desc, run_id desc limit 1
    ) as tried_run_id
  from newest
),
facts as not materialized (
  select
    chosen.*,
    d.run_attempt as last_result_run_attempt, d.result as last_result,
    d.created_at as last_result_created_at,
    a.conclusion as last_result_conclusion, a.started_at as last_result_started_at,
    a.duration_seconds as last_result_duration_seconds, b.head_sha as last_result_head_sha,
    d.is_invalid_file,
    -- The last run that was otherwise; all after it have the last result.
    coalesce(o.run_id, 0) as turned_run_id, coalesce(o.created_at, '') as turned_at,
    -- Of the last 20 good first attempts that took any time: the middle one, and the
    -- one that 95 % do not exceed.
    (
      select json_object(
        'median', avg(duration_seconds)
          filter (where n in ((total + 1) / 2, (total + 2) / 2)),
        'p95', min(duration_seconds) filter (where 100 * n >= 95 * total)
      ) from (
        select duration_seconds, row_number() over (order by duration_seconds) as n,
          count(*) over () as total
        from (
          select l.duration_seconds
          from decisions d
          join run_attempts l
            on l.run_id = d.run_id and l.run_attempt = 1 and l.duration_seconds > 0
          where d.repo = chosen.repo and d.workflow = chosen.workflow
            and d.branch = chosen.branch and d.result = 'passing' and d.run_attempt = 1
          order by d.created_at desc, d.run_id desc limit 20
        )
      )
    ) as durations,
    -- When the last scheduled run was created, and for how long another may fail to
    -- appear: twice the longest gap between the last ten, and twelve hours, since GitHub
    -- starts schedules hours late or drops them. Two are no history.
    (
      select json_object('last', max(created_at), 'grace', 2 * max(gap) + 43200)
      from (
        select created_at,
          unixepoch(created_at) - unixepoch(lag(created_at) over (order by created_at))
            as gap
        from (
          select r.created_at from tile_runs r
          where r.repo = chosen.repo and r.workflow = chosen.workflow
            and r.head_branch = chosen.branch and r.event = 'schedule'
          order by r.created_at desc limit 10
        )
      ) having count(*) >= 3
    ) as schedule
  from chosen
  left join runs b on b.run_id = last_result_run_id
  left join decisions d
    on d.repo = chosen.repo and d.workflow = chosen.workflow
    and d.branch = chosen.branch and d.result in ('passing', 'failing')
    and d.created_at = b.created_at and d.run_id = last_result_run_id
  left join run_attempts a on a.run_id = d.run_id and a.run_attempt = d.run_attempt
  left join runs o
    on o.run_id = iif(d.result = 'passing', failing_run_id, passing_run_id)
),
judged as not materialized (
  select
    repo, workflow, branch, newest_run_id, last_result_run_id,
    last_result_run_attempt, last_result, last_result_conclusion,
    last_result_started_at, last_result_duration_seconds, is_invalid_file,
    (
      select count(*) from tile_decisions d
      where d.repo = facts.repo and d.workflow = facts.workflow
        and d.branch = facts.branch and d.result = facts.last_result
        and (d.created_at, d.run_id) > (turned_at, turned_run_id)
    ) as streak,
    (
      -- The earliest: an older run may have got its last result by a later re-run.
      select min(d.since_at) from tile_decisions d
      where d.repo = facts.repo and d.workflow = facts.workflow
        and d.branch = facts.branch and d.result = facts.last_result
        and (d.created_at, d.run_id) > (turned_at, turned_run_id)
    ) as since_at,
    (
      -- Unfinished, or held, and not older than the last result.
      select r.run_id from runs r
      where r.run_id = open_run_id and r.created_at >= coalesce(last_result_created_at, '')
    ) as active_run_id,
    durations ->> 'median' as median_duration_seconds,
    (
      select round(avg(result = 'passing'), 3) from (
        select result from (
          select * from (
            select d.result, d.created_at, d.run_id from tile_decisions d
            where d.repo = facts.repo and d.workflow = facts.workflow
              and d.branch = facts.branch and d.result = 'passing'
            order by d.created_at desc, d.run_id desc limit 20
          )
          union all
          select * from (
            select d.result, d.created_at, d.run_id from tile_decisions d
            where d.repo = facts.repo and d.workflow = facts.workflow
              and d.branch = facts.branch and d.result = 'failing'
            order by d.created_at desc, d.run_id desc limit 20
          )
        ) order by created_at desc, run_id desc limit 20
      )
    ) as success_rate,
    (
      -- Both results for one commit among the last 20 runs. A run that another workflow
      -- triggered carries the head of the default branch, whatever caused it.
      select count(*) > 0 from (
        select recent.head_sha
        from (
          select r.run_id, r.head_sha from tile_runs r
          where r.repo = facts.repo and r.workflow = facts.workflow
            and r.head_branch = facts.branch and r.event <> 'workflow_run'
          order by r.created_at desc, r.run_id desc limit 20
        ) recent
        join run_attempts a on a.run_id = recent.run_id and a.status = 'completed'
        group by recent.head_sha
        having sum(a.conclusion = 'success') > 0
          and sum(a.conclusion in ('failure', 'timed_out')) > 0
      )
    ) as is_flaky,
    iif(
      -- A run long after the schedule came due tells more than the missing one.
      last_result_created_at > strftime(
        '%Y-%m-%dT%H:%M:%SZ', schedule ->> 'last',
        (2 * (schedule ->> 'grace')) || ' seconds'
      ),
      null,
      strftime(
        '%Y-%m-%dT%H:%M:%SZ', schedule ->> 'last', (schedule ->> 'grace') || ' seconds'
      )
    ) as overdue_at,
    (
      -- The last 20 runs, oldest first, so that the newest stands at the right. Most
      -- of a wall's bytes are these: no address, which would be a third of them.
      select json_group_array(json_object(
        'run_id', run_id, 'run_number', run_number, 'run_attempt', run_attempt,
        'status', status, 'conclusion', conclusion, 'result', decided, 'is_superseded',
        json(iif(
          conclusion = 'cancelled' and decided is null and run_id <> tried_run_id,
          'true', 'false'
        )),
        'started_at', started_at, 'duration_seconds', duration_seconds
      )) from (
        select * from (
          select r.*, (
            select d.result from decisions d
            where d.repo = r.repo and d.workflow = r.workflow
              and d.branch = r.head_branch and d.result in ('passing', 'failing')
              and d.created_at = r.created_at and d.run_id = r.run_id
          ) as decided
          from tile_runs r
          where r.repo = facts.repo and r.workflow = facts.workflow
            and r.head_branch = facts.branch
          order by r.created_at desc, r.run_id desc limit 20
        ) order by created_at, run_id
      )
    ) as strip,
    (
      -- Cancelled, and nothing came after it that could test its commit.
      select r.run_id from runs r
      where r.run_id = tried_run_id and r.conclusion = 'cancelled'
        and r.run_id is not last_result_run_id and r.head_sha is not last_result_head_sha
    ) as lost_run_id,
    durations ->> 'p95' as p95_duration_seconds,
    -- A schedule that for so long has brought nothing is none any more.
    strftime(
      '%Y-%m-%dT%H:%M:%SZ', schedule ->> 'last',
      max(7776000, 2 * (schedule ->> 'grace')) || ' seconds'
    ) as overdue_until_at,
    (
      -- What has failed since the last result, and gave none, are phantoms.
      select count(*) from decisions d
      where d.repo = facts.repo and d.workflow = facts.workflow
        and d.branch = facts.branch and d.result = 'failing'
        and (d.created_at, d.run_id)
          > (coalesce(last_result_created_at, ''), coalesce(last_result_run_id, 0))
    ) as phantom_failures,
    (
      select d.run_id from decisions d
      where d.repo = facts.repo and d.workflow = facts.workflow
        and d.branch = facts.branch and d.result = 'failing'
        and (d.created_at, d.run_id)
          > (coalesce(last_result_created_at, ''), coalesce(last_result_run_id, 0))
      order by d.created_at desc, d.run_id desc limit 1
    ) as phantom_run_id
  from facts
)
select
  judged.repo, judged.workflow, branch, newest_run_id, last_result_run_id,
  last_result_run_attempt, last_result, last_result_conclusion, last_result_started_at,
  last_result_duration_seconds,
  p.run_number as last_result_run_number, p.display_title as last_result_display_title,
  p.actor as last_result_actor, p.html_url as last_result_html_url, is_invalid_file,
  j.name as failed_job, j.failed_step,
  (
    select sum(coalesce(conclusion, '') in ('failure', 'timed_out')) from jobs
    where run_id = last_result_run_id and run_attempt = last_result_run_attempt
  ) as failed_jobs,
  streak, since_at, active_run_id,
  case
    when a.run_id is null then null
    when a.status = 'in_progress' then 'running'
    when a.status in ('queued', 'requested') then 'queued'
    when a.status in ('waiting', 'pending') then 'waiting'
    when a.conclusion = 'action_required' then 'held'
    else 'unfinished'
  end as activity,
  case
    when a.status in ('in_progress', 'queued', 'requested') then strftime(
      '%Y-%m-%dT%H:%M:%SZ', a.started_at,
      '+' || max(21600, 5 * coalesce(p95_duration_seconds, 0)) || ' seconds'
    )
  end as stuck_at,
  -- GitHub ends a run after 35 days, and drops one after 30 that nobody has approved:
  -- what then still looks unfinished is a remnant.
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', a.started_at,
    iif(a.conclusion = 'action_required', '+30 days', '+35 days')
  ) as given_up_at,
  median_duration_seconds, p95_duration_seconds, success_rate, is_flaky, overdue_at,
  overdue_until_at, lost_run_id,
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', l.started_at, '+' || coalesce(l.duration_seconds, 0)
    || ' seconds'
  ) as lost_at,
  l.html_url as lost_html_url, phantom_failures, phantom_run_id,
  f.html_url as phantom_html_url, strip
from judged
left join runs p on p.run_id = last_result_run_id
left join runs l on l.run_id = lost_run_id
left join runs f on f.run_id = phantom_run_id
left join runs a on a.run_id = active_run_id
-- The first job of the last result that failed, and its first failed step.
left join jobs j on last_result = 'failing' and j.job_id = (
  select job_id from jobs
  where run_id = last_result_run_id and run_attempt = last_result_run_attempt
    and conclusion in ('failure', 'timed_out')
  order by completed_at, job_id limit 1
);

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
times as materialized (
  select
    now, stale_seconds,
    -- What was proved fresh no later than this is stale.
    strftime('%Y-%m-%dT%H:%M:%SZ', now, -stale_seconds || ' seconds') as stale_to
  from settings cross join clock
),
timed as (
  select
    f.repo, f.workflow, f.branch, f.is_default_branch, f.workflow_name,
    f.workflow_state, f.checked_at, f.error, f.error_kind,
    -- A feed that could never be fetched is old from the first failure on.
    coalesce(f.checked_at, f.error_at) as fresh_at, s.now, s.stale_to,
    strftime(
      '%Y-%m-%dT%H:%M:%SZ', coalesce(f.checked_at, f.error_at),
      '+' || s.stale_seconds || ' seconds'
    ) as stale_at,
    t.last_result, t.last_result_run_id, t.last_result_run_attempt,
    t.last_result_conclusion, t.last_result_started_at, t.last_result_duration_seconds,
    t.last_result_run_number, t.last_result_display_title, t.last_result_actor,
    t.last_result_html_url, t.is_invalid_file, t.since_at, t.streak, t.newest_run_id,
    t.median_duration_seconds, t.p95_duration_seconds, t.success_rate, t.is_flaky,
    t.strip, t.failed_job, t.failed_step, t.failed_jobs, t.lost_run_id, t.lost_at,
    t.lost_html_url, t.phantom_failures, t.phantom_run_id, t.phantom_html_url,
    case when f.workflow_state is null or f.workflow_state = 'active'
      then t.overdue_at end as overdue_at,
    t.overdue_until_at,
    iif(t.given_up_at <= s.now, null, t.active_run_id) as active_run_id,
    iif(t.given_up_at <= s.now, null, t.activity) as activity,
    iif(t.given_up_at <= s.now, null, t.stuck_at) as stuck_at,
    t.given_up_at
  from times s
  cross join places f
  left join tiles t
    on t.repo = f.repo and t.workflow = f.workflow and t.branch = f.branch
),
alarms as (
  select
    timed.*,
    case
      when error_kind = 'not_found' and workflow_state = 'deleted' then 'disabled'
      when error_kind in ('not_found', 'forbidden') then 'no_access'
      when fresh_at <= stale_to then 'stale'
      when workflow_state <> 'active' then 'disabled'
      when is_invalid_file then 'invalid_file'
      when stuck_at <= now then 'stuck'
      when overdue_at <= now and now < overdue_until_at then 'overdue'
    end as alarm
  from timed
)
select
  w.repo, w.workflow, coalesce(w.workflow_name, n.workflow_name) as workflow_name,
  w.workflow_state, w.branch, w.is_default_branch,
  case
    when alarm = 'invalid_file' then 'failing'
    when alarm is not null then alarm
    when last_result is null or checked_at is null then 'unknown'
    else last_result
  end as tile_state,
  coalesce(w.last_result, 'unknown') as last_result, w.activity, w.alarm, w.error,
  -- The order on the wall: what needs somebody first.
  case
    when w.alarm = 'invalid_file' then 1
    when w.alarm is not null then 0
    when w.last_result = 'failing' then iif(w.activity is null, 1, 2)
    when w.activity = 'held' then 3
    when w.activity is not null then 4
    when w.last_result is null or w.checked_at is null then 5
    else 6
  end as rank,
  w.since_at, coalesce(w.streak, 0) as streak,
  w.last_result_run_id, w.last_result_run_attempt, w.last_result_conclusion,
  w.last_result_started_at, w.last_result_duration_seconds, w.last_result_run_number,
  w.last_result_display_title, w.last_result_actor, w.last_result_html_url, w.failed_job, w.failed_step, w.failed_jobs, w.lost_run_id, w.lost_at,
  w.lost_html_url, coalesce(w.phantom_failures, 0) as phantom_failures,
  w.phantom_run_id, w.phantom_html_url,
  -- The run that the tile speaks of: the active one, else the last result, else the newest.
  n.run_id, n.run_number, n.run_attempt, n.status, n.conclusion, n.event,
  n.display_title, n.head_sha, n.actor, n.triggering_actor, n.pr_number, n.created_at,
  n.started_at, n.duration_seconds, n.html_url,
  w.median_duration_seconds, w.p95_duration_seconds, w.success_rate,
  coalesce(w.is_flaky, 0) as is_flaky, coalesce(w.strip, '[]') as strip,
  w.stale_at, w.overdue_at, w.stuck_at,
  -- The next instant at which time alone changes it.
  nullif(min(
    iif(stale_at > now, stale_at, '~'), iif(w.overdue_at > now, w.overdue_at, '~'),
    iif(overdue_until_at > now, overdue_until_at, '~'),
    iif(w.stuck_at > now, w.stuck_at, '~'), iif(given_up_at > now, given_up_at, '~')
  ), '~') as expires_at
from alarms w
left join runs n
  on n.run_id = coalesce(w.active_run_id, w.last_result_run_id, w.newest_run_id);

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

-- How many runs have each value of the columns that they are filtered by. Ingest keeps
-- the table `run_values` equal to this. Names are told apart here as they are written.
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
-- of their own commit and say nothing here. What failed is rare, and comes first.
create view flaky_runs as
with failed as materialized (
  select distinct r.repo, r.workflow, r.head_branch, r.head_sha
  from run_attempts a cross join runs r using (run_id)
  where a.status = 'completed' and a.conclusion in ('failure', 'timed_out')
    and r.event <> 'workflow_run'
),
commits as (
  select
    f.repo, f.workflow, f.head_branch, f.head_sha,
    sum(a.conclusion = 'success') as successes,
    sum(a.conclusion in ('failure', 'timed_out')) as failures,
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
select commits.*, newest.html_url
from commits join runs newest using (run_id);

-- The day it is now in the instance's time zone; the canned queries count back from it.
create view today as
select
  date(now, (
    select offset_seconds from timezone_offsets
    where from_at <= now order by from_at desc limit 1
  ) || ' seconds') as day,
  coalesce(timezone, 'UTC') as timezone
from clock cross join settings;

-- Periods of whole days in the instance's time zone, for the canned queries and charts:
-- `days` days up to and including `last_day`, within ten years. Always select one row, by
-- last_day and days. An index can find started_at between the two bounds, while
-- run_days.day is computed for each run.
create view day_windows as
with recursive counts (n) as (
  select 1 union all select n + 1 from counts where n < 3660
),
local_time as materialized (select day from today),
windows as (
  select
    day as today, date(day, (366 - l.n) || ' days') as last_day,
    -- An integer, so that a parameter of a query, which is text, compares as a number.
    cast(d.n as integer) as days,
    date(day, (367 - l.n - d.n) || ' days') as first_day,
    date(day, (367 - l.n) || ' days') as next_day
  from local_time cross join counts l cross join counts d
),
offsets as (
  select
    from_at, lead(from_at, 1, '~') over (order by from_at) as to_at,
    -offset_seconds || ' seconds' as to_utc
  from timezone_offsets
)
select
  today, last_day, days, first_day,
  -- A day starts at midnight, or at the change of the offset that skips midnight.
  (
    select min(max(from_at, strftime('%Y-%m-%dT%H:%M:%SZ', first_day, to_utc)))
    from offsets
    where strftime('%Y-%m-%dT%H:%M:%SZ', first_day, to_utc) < to_at
  ) as starts_at,
  (
    select min(max(from_at, strftime('%Y-%m-%dT%H:%M:%SZ', next_day, to_utc)))
    from offsets
    where strftime('%Y-%m-%dT%H:%M:%SZ', next_day, to_utc) < to_at
  ) as ends_at
from windows;

-- Where the runs of a feed stand in Datasette, for queries whose rows are not runs.
create view feed_links as
select
  repo, workflow,
  '/ci_observer/runs?repo=' || repo || '&workflow=' || replace(replace(replace(
    replace(replace(workflow, '%', '%25'), '&', '%26'), '+', '%2B'), '#', '%23'
  ), ' ', '%20') as runs_path
from feeds;
