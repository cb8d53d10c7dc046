-- Alerts: see ingest/alerts. A change of a tile or of its feed marks the feed, and ingest
-- compares its tile with what was told at the end of the transaction.

-- One row while alerts are sent: the settings that decide which ones.
create view alert_settings as
select
  cast(value ->> 'after' as integer) as after_failures, value ->> 'events' as events,
  value ->> 'repos' as repos, value ->> 'receivers' as receivers
from instance where key = 'alerts' and value is not null;

create trigger tiles_insert_alert after insert on tiles
when exists (select 1 from alert_settings)
begin
  insert into changed_tiles (repo, workflow) values (new.repo, new.workflow)
  on conflict do nothing;
end;

create trigger tiles_update_alert
after update of
  last_result, last_result_run_id, last_result_run_attempt, streak, broken_run_id,
  untested_reason, is_invalid_file
on tiles
when (
  old.last_result, old.last_result_run_id, old.last_result_run_attempt, old.streak,
  old.broken_run_id, old.untested_reason, old.is_invalid_file
) is not (
  new.last_result, new.last_result_run_id, new.last_result_run_attempt, new.streak,
  new.broken_run_id, new.untested_reason, new.is_invalid_file
)
and exists (select 1 from alert_settings)
begin
  insert into changed_tiles (repo, workflow) values (new.repo, new.workflow)
  on conflict do nothing;
end;

create trigger feed_states_insert_alert after insert on feed_states
when exists (select 1 from alert_settings)
begin
  insert into changed_tiles (repo, workflow) values (new.repo, new.workflow)
  on conflict do nothing;
end;

-- Each alert with the run, the commit, the person and the job that it speaks of.
create view alert_facts as
select
  a.alert_id, a.repo, a.workflow, f.workflow_name, a.event, a.at, a.found_at, a.branch,
  a.streak, a.red_seconds, a.detail, a.run_id, a.run_attempt, r.run_number,
  r.event as run_event, r.display_title, r.head_sha,
  iif(a.run_attempt > 1, coalesce(t.triggering_actor, r.actor), r.actor) as actor,
  iif(r.gone_at is null, r.html_url, null) as html_url,
  j.name as failed_job, j.failed_step,
  -- Its jobs are still to be fetched.
  exists (
    select 1 from pending p
    where p.kind = 'jobs' and p.run_id = a.run_id and p.gone_at is null
  ) as has_pending_jobs
from alerts a
left join feeds f on f.repo = a.repo and f.workflow = a.workflow
left join runs r on r.run_id = a.run_id
left join run_attempts t on t.run_id = a.run_id and t.run_attempt = a.run_attempt
-- The first job that failed; see `tile_facts`.
left join jobs j on a.event = 'broken' and j.job_id = (
  select x.job_id from attempt_jobs x
  where x.run_id = a.run_id and x.run_attempt = a.run_attempt
    and (
      x.conclusion in {{test_failures}}
      or x.conclusion = 'cancelled' and t.cancel_cause = 'timeout'
    )
  order by
    x.conclusion = 'cancelled', x.is_timed_out desc,
    iif(x.conclusion = 'cancelled', -x.duration_seconds, 0), x.completed_at, x.job_id
  limit 1
);

-- A row with a sentence if messages were given up in the last week, or wait for an hour.
create view alert_warnings as
select
  printf(
    '%d %s could not be sent: ci-observer alerts says why.', messages,
    iif(messages = 1, 'alert', 'alerts')
  ) as warning
from (
  select (
    select count(*) from alert_deliveries
    where state = 'given_up'
      and ended_at > (select strftime('%Y-%m-%dT%H:%M:%SZ', now, '-7 days') from clock)
  ) + (
    select count(*) from alert_deliveries where ended_at is null and tries > 6
  ) as messages
)
where messages > 0;
