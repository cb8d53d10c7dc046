-- What each feed's branch was over time: green, red or unknown. Ingest computes the table
-- `state_spans` from the runs and from `feed_states`: see ingest/states.

-- The attempts of the runs on a branch itself, each with the facts that a past state
-- depends on. Whatever GitHub reports about an attempt counts from its end on; where that
-- is not known, from its last change.
create view state_attempts as
select
  r.repo, r.workflow, r.tile_branch as branch, r.created_at, r.run_id, r.event,
  -- A run that GitHub has deleted counts until then; see `branch_runs`.
  iif(
    r.created_at > strftime('%Y-%m-%dT%H:%M:%SZ', r.gone_at, '-{{retention_days}} days'),
    r.gone_at, null
  ) as removed_at,
  a.run_attempt, a.started_at,
  iif(a.status = 'completed', coalesce(
    strftime('%Y-%m-%dT%H:%M:%SZ', a.started_at, '+' || a.duration_seconds || ' seconds'),
    a.updated_at
  ), null) as ended_at,
  (
    select d.result from decisive_attempts d
    where d.run_id = a.run_id and d.run_attempt = a.run_attempt
  ) as result,
  coalesce(
    a.conclusion in {{early_failures}} and a.duration_seconds = 0
      and r.workflow_name like '%.github/workflows/%', 0
  ) as is_invalid_file,
  -- It may be of a phantom: see `tile_runs`.
  a.conclusion is 'failure' and a.duration_seconds is 0 and a.run_attempt = 1
    and not exists (
      select 1 from jobs j where j.run_id = a.run_id and j.run_attempt = 1
    ) as is_instant_failure,
  -- See `undecided_runs`.
  coalesce(a.conclusion, '') not in {{understood}} as is_undecided,
  a.conclusion is 'cancelled' and a.cancel_cause is 'superseded' as is_superseded,
  coalesce(a.conclusion, '') in {{skipped}} as is_skipped,
  a.duration_seconds, a.queue_seconds, a.waited_for
from runs r left join run_attempts a on a.run_id = r.run_id
where r.head_repo = r.repo
  and r.event not like 'pull\_request%' escape '\'
  and r.head_branch not like 'gh-readonly-queue/%';

-- A change of a feed's state marks its spans as changed from then on. Ingest computes them
-- again at the end of the transaction.
create trigger feed_states_insert_mark after insert on feed_states
begin
  insert into changed_states (repo, workflow, from_at) values (new.repo, new.workflow, new.from_at)
  on conflict do update set from_at = min(from_at, excluded.from_at);
end;

create trigger feed_states_update_mark
after update of
  from_at, is_watched, workflow_state, default_branch, error_kind, blocked_run_id,
  no_runs_at, schedule_seconds, schedule_from_at
on feed_states
begin
  insert into changed_states (repo, workflow, from_at)
  values (new.repo, new.workflow, min(old.from_at, new.from_at))
  on conflict do update set from_at = min(from_at, excluded.from_at);
end;

create trigger feed_states_delete_mark after delete on feed_states
begin
  insert into changed_states (repo, workflow, from_at) values (old.repo, old.workflow, old.from_at)
  on conflict do update set from_at = min(from_at, excluded.from_at);
end;

-- The spans of a feed that were computed while its older runs were still being fetched are
-- computed once more: a few of them depend on runs that ended long before.
create trigger feed_backfills_recheck_states after update of fetch_until on feed_backfills
when old.fetch_until is not null and new.fetch_until is null
begin
  insert into state_builds (repo, workflow, from_at, to_at, is_recheck)
  values (new.repo, new.workflow, old.fetch_until, '~', 1)
  on conflict do update set from_at = min(from_at, excluded.from_at), to_at = '~';
end;

-- The states of each watched feed over time, up to now. The last one has no end yet.
create view state_timeline as
with time as materialized (select now from clock)
select
  s.repo, s.workflow, s.branch, s.state, s.reason, s.from_at,
  iif(s.to_at <= time.now, s.to_at, null) as to_at,
  unixepoch(min(coalesce(s.to_at, time.now), time.now)) - unixepoch(s.from_at) as seconds,
  s.run_id, s.run_attempt
from time cross join state_spans s
where s.from_at <= time.now and s.reason is not 'unwatched';

-- The same for each repository, over all its watched feeds that have a result.
create view repo_timeline as
with time as materialized (select now from clock),
changes as (
  select repo, from_at as at, state = 'red' as red, state = 'unknown' as unknown, 1 as feeds
  from state_spans
  where from_at <= (select now from time)
    and coalesce(reason, '') not in ('unwatched', 'no_result')
  union all
  select repo, to_at, -(state = 'red'), -(state = 'unknown'), -1
  from state_spans
  where to_at <= (select now from time)
    and coalesce(reason, '') not in ('unwatched', 'no_result')
),
counted as (
  select
    repo, at, sum(sum(red)) over so_far as red, sum(sum(unknown)) over so_far as unknown,
    sum(sum(feeds)) over so_far as feeds
  from changes group by repo, at
  window so_far as (partition by repo order by at)
),
named as (
  select repo, at, case
    when red > 0 then 'red'
    when unknown > 0 then 'unknown'
    when feeds > 0 then 'green'
  end as state
  from counted
),
compared as (
  select repo, at, state, lag(state) over (partition by repo order by at) as before
  from named
)
select
  repo, state, from_at, to_at,
  unixepoch(coalesce(to_at, (select now from time))) - unixepoch(from_at) as seconds
from (
  select
    repo, state, at as from_at, lead(at) over (partition by repo order by at) as to_at
  from compared where state is not before
)
where state is not null;

-- The red times of each feed: from the change to red until the next green. A time in
-- between whose state is unknown does not end one. Read them for a feed or a span of time.
create view breaks as
with time as materialized (select now from clock)
select
  b.repo, b.workflow, b.branch, b.from_at as broken_at, b.run_id, b.run_attempt,
  r.run_number, r.event, r.head_sha, r.display_title,
  iif(b.run_attempt > 1, coalesce(a.triggering_actor, r.actor), r.actor) as actor,
  iif(r.gone_at is null, r.html_url, null) as html_url,
  j.name as failed_job, j.failed_step,
  g.from_at as fixed_at, g.run_id as fixed_run_id, g.run_attempt as fixed_run_attempt,
  unixepoch(coalesce(g.from_at, time.now)) - unixepoch(b.from_at) as seconds,
  (
    select sum(unixepoch(min(coalesce(s.to_at, time.now), time.now)) - unixepoch(s.from_at))
    from state_spans s
    where s.repo = b.repo and s.workflow = b.workflow and s.state = 'red'
      and s.from_at >= b.from_at and s.from_at < coalesce(g.from_at, time.now)
  ) as red_seconds
from time
cross join state_spans b
left join state_spans g
  on g.repo = b.repo and g.workflow = b.workflow and g.from_at = (
    select n.from_at from state_spans n
    where n.repo = b.repo and n.workflow = b.workflow and n.from_at > b.from_at
      and n.from_at <= time.now and n.state = 'green'
    order by n.from_at limit 1
  )
left join runs r on r.run_id = b.run_id
left join run_attempts a on a.run_id = b.run_id and a.run_attempt = b.run_attempt
-- The first job that failed; see `tile_facts`.
left join jobs j on j.job_id = (
  select x.job_id from attempt_jobs x
  where x.run_id = b.run_id and x.run_attempt = b.run_attempt
    and (
      x.conclusion in {{test_failures}}
      or x.conclusion = 'cancelled' and a.cancel_cause = 'timeout'
    )
  order by
    x.conclusion = 'cancelled', x.is_timed_out desc,
    iif(x.conclusion = 'cancelled', -x.duration_seconds, 0), x.completed_at, x.job_id
  limit 1
)
where b.state = 'red' and b.from_at <= time.now
  and (
    select p.state from state_spans p
    where p.repo = b.repo and p.workflow = b.workflow and p.from_at < b.from_at
      and p.state <> 'unknown'
    order by p.from_at desc limit 1
  ) is not 'red';

-- The feeds whose spans before `complete_from` are still being computed; null if all are.
create view state_progress as
select repo, workflow, nullif(to_at, '~') as complete_from
from state_builds where not is_recheck;
