-- Facts about the runs of one branch that do not depend on the time. Each of these views has one row per
-- row of the table `tiles` and is made to be read for one (repo, workflow, branch).
-- Newest means created last; a re-run does not make an old commit new.

-- The newest run of each kind. Each one is the end of an index.
create view tile_newest_runs as
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
from tiles t;

-- The newest run for each question about a branch.
create view tile_key_runs as
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
  -- The newest run that has a result, is still open, or was cancelled.
  (
    select run_id from runs
    where run_id in (
      passing_run_id, failing_run_id, unfinished_run_id, held_run_id, cancelled_run_id
    )
    order by created_at desc, run_id desc limit 1
  ) as tried_run_id
from tile_newest_runs newest;

-- The last result, and the run before its streak.
create view tile_last_results as
select
  k.repo, k.workflow, k.branch, k.newest_run_id, k.open_run_id, k.tried_run_id,
  k.last_result_run_id,
  d.run_attempt as last_result_run_attempt, d.result as last_result,
  d.created_at as last_result_created_at, a.conclusion as last_result_conclusion,
  a.started_at as last_result_started_at,
  a.duration_seconds as last_result_duration_seconds,
  r.run_number as last_result_run_number, r.display_title as last_result_display_title,
  r.actor as last_result_actor, r.html_url as last_result_html_url,
  r.head_sha as last_result_head_sha, d.is_invalid_file,
  -- The last run with the other result: the streak is all later ones.
  coalesce(o.created_at, '') as other_created_at, coalesce(o.run_id, 0) as other_run_id
from tile_key_runs k
left join runs r on r.run_id = k.last_result_run_id
left join decisions d
  on d.repo = k.repo and d.workflow = k.workflow and d.branch = k.branch
  and d.result in {{results}}
  and d.created_at = r.created_at and d.run_id = r.run_id
left join run_attempts a on a.run_id = d.run_id and a.run_attempt = d.run_attempt
left join runs o
  on o.run_id = iif(d.result = 'passing', k.failing_run_id, k.passing_run_id);

-- The last result's streak: how many results in a row are the same, and since when.
create view tile_streaks as
select
  l.*,
  (
    select count(*) from tile_decisions d
    where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
      and d.result = l.last_result
      and (d.created_at, d.run_id) > (l.other_created_at, l.other_run_id)
  ) as streak,
  -- The earliest start: a late re-run can give an older run its result last.
  (
    select min(d.since_at) from tile_decisions d
    where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
      and d.result = l.last_result
      and (d.created_at, d.run_id) > (l.other_created_at, l.other_run_id)
  ) as since_at
from tile_last_results l;

-- The runs after the last result.
create view tile_later_runs as
select
  l.*,
  -- Unfinished or held.
  (
    select r.run_id from runs r
    where r.run_id = l.open_run_id
      and r.created_at >= coalesce(l.last_result_created_at, '')
  ) as active_run_id,
  -- Cancelled, and nothing newer could test its commit.
  (
    select r.run_id from runs r
    where r.run_id = l.tried_run_id and r.conclusion = 'cancelled'
      and r.run_id is not l.last_result_run_id
      and r.head_sha is not l.last_result_head_sha
  ) as lost_run_id,
  -- Failed runs that did not become the last result are phantoms.
  (
    select count(*) from decisions d
    where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
      and d.result = 'failing' and (d.created_at, d.run_id)
        > (coalesce(l.last_result_created_at, ''), coalesce(l.last_result_run_id, 0))
  ) as phantom_failures,
  (
    select d.run_id from decisions d
    where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
      and d.result = 'failing' and (d.created_at, d.run_id)
        > (coalesce(l.last_result_created_at, ''), coalesce(l.last_result_run_id, 0))
    order by d.created_at desc, d.run_id desc limit 1
  ) as phantom_run_id
from tile_streaks l;

-- Of the last 20 successful first attempts that took any time: the median duration, and
-- the one that 95 % do not exceed.
create view tile_durations as
select
  repo, workflow, branch,
  durations ->> 'median' as median_duration_seconds,
  durations ->> 'p95' as p95_duration_seconds
from (
  select t.repo, t.workflow, t.branch, (
    select json_object(
      'median', avg(duration_seconds)
        filter (where n in ((total + 1) / 2, (total + 2) / 2)),
      'p95', min(duration_seconds) filter (where 100 * n >= 95 * total)
    ) from (
      select
        duration_seconds, row_number() over (order by duration_seconds) as n,
        count(*) over () as total
      from (
        select a.duration_seconds
        from decisions d
        join run_attempts a
          on a.run_id = d.run_id and a.run_attempt = 1 and a.duration_seconds > 0
        where d.repo = t.repo and d.workflow = t.workflow and d.branch = t.branch
          and d.result = 'passing' and d.run_attempt = 1
        order by d.created_at desc, d.run_id desc limit 20
      )
    )
  ) as durations
  from tiles t
);

-- The share of passing results among the last 20.
create view tile_success_rates as
select t.repo, t.workflow, t.branch, (
  select round(avg(result = 'passing'), 3) from (
    select result from (
      select * from (
        select d.result, d.created_at, d.run_id from tile_decisions d
        where d.repo = t.repo and d.workflow = t.workflow and d.branch = t.branch
          and d.result = 'passing'
        order by d.created_at desc, d.run_id desc limit 20
      )
      union all
      select * from (
        select d.result, d.created_at, d.run_id from tile_decisions d
        where d.repo = t.repo and d.workflow = t.workflow and d.branch = t.branch
          and d.result = 'failing'
        order by d.created_at desc, d.run_id desc limit 20
      )
    ) order by created_at desc, run_id desc limit 20
  )
) as success_rate
from tiles t;

-- A branch is flaky when one commit among its last 20 runs has both results. Runs that
-- another workflow triggered do not count: they always carry the head of the default
-- branch.
create view tile_flakiness as
select t.repo, t.workflow, t.branch, (
  select count(*) > 0 from (
    select recent.head_sha
    from (
      select r.run_id, r.head_sha from tile_runs r
      where r.repo = t.repo and r.workflow = t.workflow and r.head_branch = t.branch
        and r.event <> 'workflow_run'
      order by r.created_at desc, r.run_id desc limit 20
    ) recent
    join run_attempts a on a.run_id = recent.run_id and a.status = 'completed'
    group by recent.head_sha
    having sum(a.conclusion = 'success') > 0
      and sum(a.conclusion in {{test_failures}}) > 0
  )
) as is_flaky
from tiles t;

-- When a scheduled run is overdue. Another run may be late by twice the longest gap
-- between the last ten, and twelve hours, since GitHub starts schedules hours late or
-- drops them. Two runs are no history.
create view tile_schedules as
select
  repo, workflow, branch,
  strftime('%Y-%m-%dT%H:%M:%SZ', last_at, grace_seconds || ' seconds') as overdue_at,
  -- A result after this time says more than the missing run.
  strftime('%Y-%m-%dT%H:%M:%SZ', last_at, (2 * grace_seconds) || ' seconds')
    as outdated_at,
  -- After this long without a run, the schedule is taken to be gone.
  strftime('%Y-%m-%dT%H:%M:%SZ', last_at, max(7776000, 2 * grace_seconds) || ' seconds')
    as overdue_until_at
from (
  select
    repo, workflow, branch,
    schedule ->> 'last_at' as last_at, schedule ->> 'grace_seconds' as grace_seconds
  from (
    select t.repo, t.workflow, t.branch, (
      select json_object(
        'last_at', max(created_at), 'grace_seconds', 2 * max(gap) + 43200
      )
      from (
        select
          created_at,
          unixepoch(created_at) - unixepoch(lag(created_at) over (order by created_at))
            as gap
        from (
          select r.created_at from tile_runs r
          where r.repo = t.repo and r.workflow = t.workflow
            and r.head_branch = t.branch and r.event = 'schedule'
          order by r.created_at desc limit 10
        )
      ) having count(*) >= 3
    ) as schedule
    from tiles t
  )
);

-- The last 20 runs as JSON, oldest first, so that the newest stands at the right. Strips
-- are most of a wall's bytes, so they have no URLs, which would be a third of them.
create view tile_strips as
select k.repo, k.workflow, k.branch, (
  select json_group_array(json_object(
    'run_id', run_id, 'run_number', run_number, 'run_attempt', run_attempt,
    'status', status, 'conclusion', conclusion, 'result', result, 'is_superseded',
    json(iif(
      conclusion = 'cancelled' and result is null and run_id <> k.tried_run_id,
      'true', 'false'
    )),
    'started_at', started_at, 'duration_seconds', duration_seconds
  )) from (
    select * from (
      select r.*, (
        select d.result from decisions d
        where d.repo = r.repo and d.workflow = r.workflow and d.branch = r.head_branch
          and d.result in {{results}}
          and d.created_at = r.created_at and d.run_id = r.run_id
      ) as result
      from tile_runs r
      where r.repo = k.repo and r.workflow = k.workflow and r.head_branch = k.branch
      order by r.created_at desc, r.run_id desc limit 20
    ) order by created_at, run_id
  )
) as strip
from tile_key_runs k;

-- The activity of an unfinished or held run.
create view run_activities as
select
  run_id,
  case
    when status = 'in_progress' then 'running'
    when status in ('queued', 'requested') then 'queued'
    when status in ('waiting', 'pending') then 'waiting'
    when conclusion = 'action_required' then 'held'
    when status = 'completed' then null
    else 'unfinished'
  end as activity,
  -- From this start on it can become stuck. Other runs wait for a person.
  iif(status in {{busy_statuses}}, started_at, null) as busy_since_at,
  -- GitHub ends a run after 35 days, and drops one after 30 that nobody has approved:
  -- a run that still looks unfinished then is a remnant.
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', started_at,
    iif(conclusion = 'action_required', '+30 days', '+35 days')
  ) as given_up_at
from runs;

-- All of it. Ingest keeps the table `tiles` equal to this, in the transaction that changes
-- a run.
create view tile_facts as
select
  t.repo, t.workflow, t.branch, t.newest_run_id, t.last_result_run_id,
  t.last_result_run_attempt, t.last_result, t.last_result_conclusion,
  t.last_result_started_at, t.last_result_duration_seconds, t.last_result_run_number,
  t.last_result_display_title, t.last_result_actor, t.last_result_html_url,
  t.is_invalid_file, j.name as failed_job, j.failed_step,
  (
    select sum(coalesce(conclusion, '') in {{test_failures}}) from jobs
    where run_id = t.last_result_run_id and run_attempt = t.last_result_run_attempt
  ) as failed_jobs,
  t.streak, t.since_at, t.active_run_id, a.activity,
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', a.busy_since_at,
    '+' || max(21600, 5 * coalesce(u.p95_duration_seconds, 0)) || ' seconds'
  ) as stuck_at,
  a.given_up_at, u.median_duration_seconds, u.p95_duration_seconds, s.success_rate,
  f.is_flaky, iif(t.last_result_created_at > c.outdated_at, null, c.overdue_at)
    as overdue_at,
  c.overdue_until_at, t.lost_run_id,
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', l.started_at,
    '+' || coalesce(l.duration_seconds, 0) || ' seconds'
  ) as lost_at,
  l.html_url as lost_html_url, t.phantom_failures, t.phantom_run_id,
  p.html_url as phantom_html_url, strips.strip
from tile_later_runs t
join tile_durations u using (repo, workflow, branch)
join tile_success_rates s using (repo, workflow, branch)
join tile_flakiness f using (repo, workflow, branch)
join tile_schedules c using (repo, workflow, branch)
join tile_strips strips using (repo, workflow, branch)
left join run_activities a on a.run_id = t.active_run_id
left join runs l on l.run_id = t.lost_run_id
left join runs p on p.run_id = t.phantom_run_id
-- The first job of the last result that failed, and its first failed step.
left join jobs j on t.last_result = 'failing' and j.job_id = (
  select job_id from jobs
  where run_id = t.last_result_run_id and run_attempt = t.last_result_run_attempt
    and conclusion in {{test_failures}}
  order by completed_at, job_id limit 1
);
