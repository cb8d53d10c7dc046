-- Facts about the runs of one branch that do not depend on the time. Each of these views
-- has one row per row of the table `tiles` and is made to be read for one (repo, workflow,
-- branch). Newest means created last; a re-run does not make an old commit new.

-- The newest run of each kind. Each one is the end of an index.
create view tile_newest_runs as
select
  t.repo, t.workflow, t.branch,
  (
    select r.run_id from tile_runs r
    where r.repo = t.repo and r.workflow = t.workflow and r.tile_branch = t.branch
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
    where r.repo = t.repo and r.workflow = t.workflow and r.tile_branch = t.branch
      and r.status <> 'completed'
    order by r.created_at desc, r.run_id desc limit 1
  ) as unfinished_run_id,
  (
    select r.run_id from tile_runs r
    where r.repo = t.repo and r.workflow = t.workflow and r.tile_branch = t.branch
      and r.conclusion = 'action_required'
    order by r.created_at desc, r.run_id desc limit 1
  ) as held_run_id
from tiles t;

-- The newest run with a result, and the newest open one. `distinct` changes no row, here and
-- in `tile_later_runs`: it makes SQLite compute each column once, however often other
-- views refer to it.
create view tile_key_runs as
select distinct
  newest.*,
  (
    select run_id from runs where run_id in (passing_run_id, failing_run_id)
    order by created_at desc, run_id desc limit 1
  ) as last_result_run_id,
  (
    select run_id from runs where run_id in (unfinished_run_id, held_run_id)
    order by created_at desc, run_id desc limit 1
  ) as open_run_id
from tile_newest_runs newest;

-- The last result, and the run before its streak.
create view tile_last_results as
select
  k.repo, k.workflow, k.branch, k.newest_run_id, k.open_run_id,
  k.last_result_run_id,
  d.run_attempt as last_result_run_attempt, d.result as last_result,
  d.created_at as last_result_created_at, a.conclusion as last_result_conclusion,
  a.cancel_cause as last_result_cancel_cause,
  a.started_at as last_result_started_at,
  a.duration_seconds as last_result_duration_seconds,
  r.run_number as last_result_run_number, r.display_title as last_result_display_title,
  r.actor as last_result_actor,
  iif(r.gone_at is null, r.html_url, null) as last_result_html_url,
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
  ) as since_at,
  -- The failing run that has this start.
  iif(l.last_result = 'failing', (
    select d.run_id from tile_decisions d
    where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
      and d.result = 'failing'
      and (d.created_at, d.run_id) > (l.other_created_at, l.other_run_id)
    order by d.since_at, d.created_at, d.run_id limit 1
  ), null) as broken_run_id
from tile_last_results l;

-- The runs that passed only when they were run again, found by their index.
create view mended_decisions as
select * from decisions indexed by decisions_mended where red_at is not null;

-- The last red spans that have ended: the newest of them, and all lengths. A span
-- begins with the first start of its failing runs, like `since_at`, and ends when the
-- first passing run ends. A failure that ended after a newer run had passed was never the
-- last result, and a success that ended after a newer run had failed was not either.
create view tile_red_spans as
select l.*, (
  with recursive
  -- Odd steps are failing runs, or runs that passed only when they were run again; even
  -- ones are the newest passing run before, or null. The first is after all of these
  -- runs: the present span, which has not ended, is left out.
  walk (n, run_key, key_before) as (
    select 0, iif(
      l.last_result = 'failing', printf('%s%020d', l.other_created_at, l.other_run_id), '~'
    ), null
    union all
    select walk.n + 1, iif(walk.n % 2 = 0,
      nullif(max(
        coalesce((
          select d.run_key from tile_decisions d
          where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
            and d.result = 'failing' and (d.created_at, d.run_id)
              < (substr(walk.run_key, 1, 20), cast(substr(walk.run_key, 21) as integer))
          order by d.created_at desc, d.run_id desc limit 1
        ), ''),
        coalesce((
          select {{run_key}} from mended_decisions d
          where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
            and d.result = 'passing'
            and (d.created_at, d.run_id)
              <= (substr(walk.run_key, 1, 20), cast(substr(walk.run_key, 21) as integer))
          order by d.created_at desc, d.run_id desc limit 1
        ), '')
      ), ''),
      (
        select d.run_key from tile_decisions d
        where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
          and d.result = 'passing' and (d.created_at, d.run_id)
            < (substr(walk.run_key, 1, 20), cast(substr(walk.run_key, 21) as integer))
        order by d.created_at desc, d.run_id desc limit 1
      )
    ), walk.run_key
    from walk
    where walk.n < 2 * {{red_spans}} and walk.run_key is not null
  ),
  -- The first run to pass: one of those created before the oldest of them had ended.
  ends as (
    select
      n, green_key is not null as is_whole, coalesce(substr(green_key, 1, 20), '') as green_at,
      coalesce(cast(substr(green_key, 21) as integer), 0) as green_run_id,
      last_at, last_run_id, substr(fix, 1, 20) as fixed_at,
      substr(fix, 21, 20) as fixed_created_at,
      cast(substr(fix, 41) as integer) as fixed_run_id
    from (
      select
        n, green_key, last_at, last_run_id, (
          select min(d.decided_at || d.run_key) from tile_decisions d
          where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
            and d.result = 'passing'
            and (d.created_at, d.run_id) >= (last_at, last_run_id)
            and d.created_at <= (
              select first.decided_at from tile_decisions first
              where first.repo = l.repo and first.workflow = l.workflow
                and first.branch = l.branch and first.result = 'passing'
                and (first.created_at, first.run_id) >= (last_at, last_run_id)
              order by first.created_at, first.run_id limit 1
            )
        ) as fix
      from (
        select
          n, run_key as green_key, substr(key_before, 1, 20) as last_at,
          cast(substr(key_before, 21) as integer) as last_run_id
        from walk where n > 0 and n % 2 = 0 limit {{red_spans}}
      ) limit {{red_spans}}
    ) limit {{red_spans}}
  )
  -- The length of a span whose beginning is not stored is not known. The other columns are
  -- those of the row with the lowest number.
  select json_object(
    'number', min(n), 'fixed_run_id', fixed_run_id, 'fixed_at', fixed_at,
    'seconds', seconds, 'lengths', json_group_array(seconds) filter (where is_whole)
  )
  from (
    select
      n, fixed_run_id, fixed_at, is_whole,
      unixepoch(fixed_at) - unixepoch(nullif(min(
        coalesce((
          select min(d.since_at) from tile_decisions d
          where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
            and d.result = 'failing'
            and (d.created_at, d.run_id) > (green_at, green_run_id)
            and (d.created_at, d.run_id) <= (last_at, last_run_id)
            and d.decided_at < fixed_at
        ), '~'),
        coalesce((
          select d.red_at from tile_decisions d
          where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
            and d.result = 'passing'
            and d.created_at = last_at and d.run_id = last_run_id
            and d.failed_at < fixed_at
        ), '~')
      ), '~')) as seconds
    from ends
    where not exists (
      select 1 from tile_decisions d
      where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
        and d.result = 'failing'
        and (d.created_at, d.run_id) > (fixed_created_at, fixed_run_id)
        and d.created_at < fixed_at and d.decided_at < fixed_at
    )
    and not exists (
      select 1 from tile_decisions d
      where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
        and d.result = 'passing' and d.red_at is not null
        and (d.created_at, d.run_id) > (fixed_created_at, fixed_run_id)
        and d.created_at < fixed_at and d.failed_at < fixed_at
    )
    order by seconds limit {{red_spans}}
  )
  where seconds is not null
) as red_spans
from tile_streaks l;

-- The runs after the last result, with the objects of which `tile_facts` reads several
-- values.
create view tile_later_runs as
select distinct
  l.*,
  -- Unfinished or held.
  (
    select r.run_id from runs r
    where r.run_id = l.open_run_id
      and r.created_at >= coalesce(l.last_result_created_at, '')
  ) as active_run_id,
  -- The one that has been unfinished for the longest time, and waits for nobody.
  (
    select r.run_id from tile_runs r
    where r.repo = l.repo and r.workflow = l.workflow and r.tile_branch = l.branch
      and r.status <> 'completed' and r.status not in {{waiting_statuses}}
      and r.created_at >= coalesce(l.last_result_created_at, '')
      and not exists (
        select 1 from pending p
        where p.kind = 'run' and p.run_id = r.run_id and p.run_attempt = 0
          and p.gone_at is not null
      )
    order by r.started_at, r.run_id limit 1
  ) as stuck_run_id,
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
  ) as phantom_run_id,
  -- The finished runs that decided nothing: the newest one, why, and how many in a row
  -- have the same reason.
  (
    select json_object(
      'run_id', max(run_id) filter (where n = 1),
      'reason', max(reason) filter (where n = 1),
      'runs', count(*) filter (where others = 0)
    ) from (
      select run_id, reason, n, sum(reason <> newest_reason) over (order by n) as others
      from (
        select
          run_id, reason,
          row_number() over newest_first as n,
          first_value(reason) over newest_first as newest_reason
        from (
          select u.run_id, u.created_at, u.reason from undecided_runs u
          where u.repo = l.repo and u.workflow = l.workflow and u.tile_branch = l.branch
            and (u.created_at, u.run_id) >= (
              coalesce(l.last_result_created_at, ''), coalesce(l.last_result_run_id, 0)
            )
          union all
          select d.run_id, d.created_at, 'phantom' from decisions d
          where d.repo = l.repo and d.workflow = l.workflow and d.branch = l.branch
            and d.result = 'failing' and (d.created_at, d.run_id) > (
              coalesce(l.last_result_created_at, ''), coalesce(l.last_result_run_id, 0)
            )
        )
        window newest_first as (order by created_at desc, run_id desc)
      )
    ) having count(*) > 0
  ) as untested,
  (
    select durations from tile_durations u
    where u.repo = l.repo and u.workflow = l.workflow and u.branch = l.branch
  ) as durations,
  (
    select schedule from tile_schedules c
    where c.repo = l.repo and c.workflow = l.workflow and c.branch = l.branch
  ) as schedule
from tile_red_spans l;

-- Of the last 20 successful first attempts that took any time: the median duration, and
-- the one that 95 % do not exceed.
create view tile_durations as
select
  repo, workflow, branch,
  durations ->> 'median' as median_duration_seconds,
  durations ->> 'p95' as p95_duration_seconds, durations
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

-- The median time for which the last 20 runs that waited for a runner were queued. Runs
-- of older versions have no queue time: of many, 100 are read.
create view tile_queues as
select repo, workflow, branch, usual_queue_seconds from (
  select t.repo, t.workflow, t.branch, (
    select cast(round(avg(queue_seconds)) as integer) from (
      select
        queue_seconds, row_number() over (order by queue_seconds) as n,
        count(*) over () as total
      from (
        select queue_seconds from (
          select r.queue_seconds, r.waited_for from tile_runs r
          where r.repo = t.repo and r.workflow = t.workflow
            and r.tile_branch = t.branch
          order by r.created_at desc, r.run_id desc limit 100
        )
        where queue_seconds is not null and waited_for is null limit 20
      )
    )
    where n in ((total + 1) / 2, (total + 2) / 2)
  ) as usual_queue_seconds
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
      where r.repo = t.repo and r.workflow = t.workflow and r.tile_branch = t.branch
        and r.event <> 'workflow_run'
      order by r.created_at desc, r.run_id desc limit 20
    ) recent
    join run_attempts a on a.run_id = recent.run_id and a.status = 'completed'
    group by recent.head_sha
    having sum(a.conclusion = 'success') > 0
      and sum(a.effective_conclusion in {{test_failures}}) > 0
  )
) as is_flaky
from tiles t;

-- When a scheduled run is overdue. Another run may be late by twice the longest gap
-- between the last ten, and twelve hours, since GitHub starts schedules hours late or
-- drops them. Two runs are no history. Runs of other events prove nothing about it.
create view tile_schedules as
select
  repo, workflow, branch, last_at as last_scheduled_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', last_at, grace_seconds || ' seconds') as overdue_at,
  -- After 30 days, the schedule is taken to be gone.
  strftime('%Y-%m-%dT%H:%M:%SZ', last_at, (2592000 + grace_seconds) || ' seconds')
    as overdue_until_at,
  schedule
from (
  select
    repo, workflow, branch, schedule,
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
            and r.tile_branch = t.branch and r.event = 'schedule'
          order by r.created_at desc limit 10
        )
      ) having count(*) >= 3
    ) as schedule
    from tiles t
  )
);

-- The last 20 runs as JSON, oldest first, so that the newest stands at the right. Strips
-- are most of a wall's bytes, so they have no URLs, which would be a third of them, and
-- few have a `cancel_cause`: `json_patch` adds it unless it is null.
create view tile_strips as
select k.repo, k.workflow, k.branch, (
  select json_group_array(json_patch(
    json_object(
      'run_id', run_id, 'run_number', run_number, 'run_attempt', run_attempt,
      'status', substr(status, 1, 300), 'conclusion', substr(conclusion, 1, 300),
      'result', result,
      'is_superseded', json(iif(is_superseded and result is null, 'true', 'false')),
      'is_gone', json(iif(gone_at is null, 'false', 'true')),
      'started_at', started_at, 'duration_seconds', duration_seconds
    ),
    json_object('cancel_cause', cancel_cause)
  )) from (
    select * from (
      select r.*, (
        select d.result from decisions d
        where d.repo = r.repo and d.workflow = r.workflow and d.branch = r.tile_branch
          and d.result in {{results}}
          and d.created_at = r.created_at and d.run_id = r.run_id
      ) as result,
      r.conclusion is 'cancelled' and not exists (
        select 1 from undecided_runs u where u.run_id = r.run_id
      ) as is_superseded
      from tile_runs r
      where r.repo = k.repo and r.workflow = k.workflow and r.tile_branch = k.branch
      order by r.created_at desc, r.run_id desc limit 20
    ) order by created_at, run_id
  )
) as strip
from tiles k;

-- When a run ended, and its link while GitHub still has it.
create view run_ends as
select
  run_id, created_at, head_sha, conclusion, cancelled_by,
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', started_at, '+' || coalesce(duration_seconds, 0) || ' seconds'
  ) as ended_at,
  iif(gone_at is null, html_url, null) as html_url
from runs;

-- The activity of an unfinished or held run.
create view run_activities as
select
  run_id, run_number, created_at, started_at,
  case
    when status = 'in_progress' then 'running'
    when status in ('queued', 'requested') then 'queued'
    when status in {{waiting_statuses}} then 'waiting'
    when conclusion = 'action_required' then 'held'
    when status = 'completed' then null
    else 'unfinished'
  end as activity,
  -- GitHub ends a run after 35 days, and drops one after 30 that nobody has approved:
  -- a run that still looks unfinished then is a remnant.
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', started_at,
    iif(conclusion = 'action_required', '+30 days', '+{{longest_run_days}} days')
  ) as given_up_at
from runs;

-- All of it. Ingest keeps the table `tiles` equal to this, in the transaction that changes
-- a run.
create view tile_facts as
select
  later.repo, later.workflow, later.branch, later.newest_run_id,
  later.last_result_run_id,
  later.last_result_run_attempt, later.last_result, later.last_result_conclusion,
  later.last_result_started_at, later.last_result_duration_seconds,
  later.last_result_run_number, later.last_result_display_title,
  later.last_result_actor, later.last_result_html_url, later.is_invalid_file,
  j.name as failed_job, j.failed_step,
  (
    select sum(coalesce(conclusion, '') in {{test_failures}}) from attempt_jobs
    where run_id = later.last_result_run_id
      and run_attempt = later.last_result_run_attempt
  ) as failed_jobs,
  later.streak, later.since_at, later.active_run_id, a.activity,
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', o.started_at,
    '+' || max(21600, 5 * coalesce(later.durations ->> 'p95', 0)) || ' seconds'
  ) as stuck_at,
  a.given_up_at, later.durations ->> 'median' as median_duration_seconds,
  later.durations ->> 'p95' as p95_duration_seconds, s.success_rate,
  f.is_flaky,
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', later.schedule ->> 'last_at',
    later.schedule ->> 'grace_seconds' || ' seconds'
  ) as overdue_at,
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', later.schedule ->> 'last_at',
    (2592000 + (later.schedule ->> 'grace_seconds')) || ' seconds'
  ) as overdue_until_at,
  l.run_id as lost_run_id, l.ended_at as lost_at, l.html_url as lost_html_url,
  later.phantom_failures, later.phantom_run_id,
  iif(p.gone_at is null, p.html_url, null) as phantom_html_url,
  later.last_result_cancel_cause,
  iif(
    later.last_result_cancel_cause = 'timeout' and j.conclusion = 'cancelled',
    j.duration_seconds, null
  ) as timed_out_seconds,
  later.untested ->> 'reason' as untested_reason,
  later.untested ->> 'runs' as untested_runs, n.run_id as untested_run_id,
  n.conclusion as untested_conclusion, n.ended_at as untested_at,
  n.html_url as untested_html_url, n.cancelled_by,
  later.stuck_run_id, o.html_url as stuck_html_url,
  strftime('%Y-%m-%dT%H:%M:%SZ', o.started_at, '+{{longest_run_days}} days') as stuck_given_up_at,
  later.schedule ->> 'last_at' as last_scheduled_at,
  later.broken_run_id, b.run_number as broken_run_number,
  ba.run_attempt as broken_run_attempt, b.event as broken_event,
  -- Whoever started the attempt.
  iif(ba.run_attempt > 1, coalesce(ba.triggering_actor, b.actor), b.actor)
    as broken_actor,
  b.head_sha as broken_head_sha,
  iif(later.broken_run_id, later.since_at, null) as broken_at,
  iif(b.gone_at is null, b.html_url, null) as broken_html_url,
  (
    select iif(lengths > 1, cast(round(avg(seconds.value)) as integer), null)
    from (select json_array_length(later.red_spans, '$.lengths') as lengths)
    join json_each(later.red_spans, '$.lengths') seconds
      on seconds.key in ((lengths - 1) / 2, lengths / 2)
  ) as usual_fix_seconds,
  g.run_id as fixed_run_id, g.run_number as fixed_run_number,
  ga.run_attempt as fixed_run_attempt, g.event as fixed_event,
  iif(ga.run_attempt > 1, coalesce(ga.triggering_actor, g.actor), g.actor)
    as fixed_actor,
  iif(g.run_id, later.red_spans ->> 'fixed_at', null) as fixed_at,
  iif(g.gone_at is null, g.html_url, null) as fixed_html_url,
  iif(g.run_id, later.red_spans ->> 'seconds', null) as red_seconds,
  e.message as error_message, e.error_id,
  -- When a run of the present red span first had this error.
  (
    select min(x.failed_at) from job_errors x
    join runs r on r.run_id = x.run_id and r.tile_branch = later.branch
      and (r.created_at, r.run_id) > (later.other_created_at, later.other_run_id)
    where x.error_id = e.error_id and x.repo = later.repo
      and x.workflow = later.workflow
  ) as error_first_at,
  q.usual_queue_seconds, strips.strip
from tile_later_runs later
join tile_success_rates s using (repo, workflow, branch)
join tile_flakiness f using (repo, workflow, branch)
join tile_queues q using (repo, workflow, branch)
join tile_strips strips using (repo, workflow, branch)
left join runs b on b.run_id = later.broken_run_id
left join run_attempts ba
  on ba.run_id = b.run_id and ba.run_attempt = (
    select max(run_attempt) from run_attempts
    where run_id = later.broken_run_id and started_at = later.since_at
  )
left join runs g
  on later.last_result = 'passing' and g.run_id = later.red_spans ->> 'fixed_run_id'
left join run_attempts ga
  on ga.run_id = g.run_id and ga.run_attempt = (
    select max(run_attempt) from attempt_ends
    where run_id = g.run_id and ended_at = later.red_spans ->> 'fixed_at'
  )
left join run_activities a on a.run_id = later.active_run_id
left join runs o on o.run_id = later.stuck_run_id
left join runs p on p.run_id = later.phantom_run_id
left join run_ends n on n.run_id = later.untested ->> 'run_id'
-- Its commit was not tested, and no newer run may still do so.
left join run_ends l
  on l.run_id = n.run_id and l.head_sha is not later.last_result_head_sha
  and l.created_at > coalesce(a.created_at, '')
-- The job of the last result that says why it failed: the first one that failed, or the
-- one that ran into its time limit: where no annotation tells which, the longest of the
-- cancelled ones.
left join jobs j on later.last_result = 'failing' and j.job_id = (
  select job_id from attempt_jobs
  where run_id = later.last_result_run_id
    and run_attempt = later.last_result_run_attempt
    and (
      conclusion in {{test_failures}}
      or conclusion = 'cancelled' and later.last_result_cancel_cause = 'timeout'
    )
  order by
    conclusion = 'cancelled', is_timed_out desc,
    iif(conclusion = 'cancelled', -duration_seconds, 0), completed_at, job_id
  limit 1
)
left join job_errors e on e.job_id = j.job_id;
