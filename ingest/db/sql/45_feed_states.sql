-- The states of feeds over time: the table `feed_states` has a row for each change, true
-- until the next row of its feed. Triggers write it, so that no writer can forget it.

-- The states of now, with the columns of `feed_states` that a change concerns.
create view present_feed_states as
select
  w.repo, w.workflow, w.is_watched, w.workflow_name, w.workflow_state, w.default_branch,
  w.error_kind, w.error, r.blocked_run_id, w.no_runs_at, s.schedule_seconds,
  s.schedule_from_at
from wall_sources w
left join repos r on r.repo = w.repo
left join feed_settings s on s.repo = w.repo and s.workflow = w.workflow;

-- Insert a feed here, and its state of now is recorded if it differs from the last one. A
-- feed that no longer exists is recorded as not watched.
create view changed_feed_states as
select repo, workflow from feed_states;

create trigger changed_feed_states_record instead of insert on changed_feed_states
begin
  -- Later rows are from before the clock was set back. A second has one row: its last.
  delete from feed_states
  where repo = new.repo and workflow = new.workflow
    and from_at >= (select now from clock);
  insert into feed_states
    (repo, workflow, from_at, is_watched, workflow_name, workflow_state, default_branch,
     error_kind, error, blocked_run_id, no_runs_at, schedule_seconds, schedule_from_at,
     is_stale)
  select
    new.repo, new.workflow, c.now, coalesce(p.is_watched, 0), p.workflow_name,
    p.workflow_state, p.default_branch, p.error_kind, p.error, p.blocked_run_id,
    p.no_runs_at, p.schedule_seconds, p.schedule_from_at, 0
  from clock c
  left join present_feed_states p on p.repo = new.repo and p.workflow = new.workflow
  where (p.repo is not null or exists (
    select 1 from feed_states where repo = new.repo and workflow = new.workflow
  ))
  and (
    coalesce(p.is_watched, 0), p.workflow_name, p.workflow_state, p.default_branch,
    p.error_kind, p.error, p.blocked_run_id, p.no_runs_at, p.schedule_seconds,
    p.schedule_from_at, 0
  ) is not (
    select
      is_watched, workflow_name, workflow_state, default_branch, error_kind, error,
      blocked_run_id, no_runs_at, schedule_seconds, schedule_from_at, is_stale
    from feed_states where repo = new.repo and workflow = new.workflow
    order by from_at desc limit 1
  );
end;

create trigger feeds_insert_state after insert on feeds
begin
  insert into changed_feed_states values (new.repo, new.workflow);
end;

create trigger feeds_update_state
after update of
  is_watched, workflow_name, workflow_state, default_branch, error_kind, error, no_runs_at
on feeds
when (
  old.is_watched, old.workflow_name, old.workflow_state, old.default_branch,
  old.error_kind, old.error, old.no_runs_at
) is not (
  new.is_watched, new.workflow_name, new.workflow_state, new.default_branch,
  new.error_kind, new.error, new.no_runs_at
)
begin
  insert into changed_feed_states values (new.repo, new.workflow);
end;

-- A feed takes its states along to its new name, and those of its branch.
create trigger feeds_rename_states after update of repo, workflow on feeds
when (old.repo collate binary, old.workflow) is not (new.repo, new.workflow)
begin
  update or replace feed_states set repo = new.repo, workflow = new.workflow
  where repo = old.repo and workflow = old.workflow;
  update or replace state_spans set repo = new.repo, workflow = new.workflow
  where repo = old.repo and workflow = old.workflow;
  update or replace state_builds set repo = new.repo, workflow = new.workflow
  where repo = old.repo and workflow = old.workflow;
  insert into changed_feed_states values (new.repo, new.workflow);
end;

create trigger feeds_delete_state after delete on feeds
begin
  insert into changed_feed_states values (old.repo, old.workflow);
end;

create trigger watch_errors_insert_state after insert on watch_errors
begin
  insert into changed_feed_states values (new.repo, '*');
end;

create trigger watch_errors_update_state
after update of repo, error_kind, error on watch_errors
when (old.repo, old.error_kind, old.error) is not (new.repo, new.error_kind, new.error)
begin
  insert into changed_feed_states values (old.repo, '*'), (new.repo, '*');
end;

create trigger watch_errors_delete_state after delete on watch_errors
begin
  insert into changed_feed_states values (old.repo, '*');
end;

-- A blocked repository blocks all its feeds.
create trigger repos_insert_state after insert on repos
when new.blocked_run_id is not null
begin
  insert into changed_feed_states
  select repo, workflow from wall_sources where repo = new.repo;
end;

create trigger repos_update_state after update of repo, blocked_run_id on repos
when (old.repo, old.blocked_run_id) is not (new.repo, new.blocked_run_id)
begin
  insert into changed_feed_states
  select repo, workflow from wall_sources where repo in (old.repo, new.repo);
end;

create trigger repos_delete_state after delete on repos
when old.blocked_run_id is not null
begin
  insert into changed_feed_states
  select repo, workflow from wall_sources where repo = old.repo;
end;

-- What the settings expect of a feed's schedule.
create trigger feed_settings_insert_state after insert on feed_settings
when new.schedule_seconds is not null
begin
  insert into changed_feed_states values (new.repo, new.workflow);
end;

create trigger feed_settings_update_state
after update of schedule_seconds, schedule_from_at on feed_settings
when (old.schedule_seconds, old.schedule_from_at)
  is not (new.schedule_seconds, new.schedule_from_at)
begin
  insert into changed_feed_states values (new.repo, new.workflow);
end;

create trigger feed_settings_delete_state after delete on feed_settings
when old.schedule_seconds is not null
begin
  insert into changed_feed_states values (old.repo, old.workflow);
end;

-- The staleness of a feed is recorded when a good response ends it: from when its last
-- proof had expired, or its first failure if it had none. Until then, `feeds.checked_at`
-- tells. Staleness lasts at least two minutes, so most polls compare two times only.
create view recorded_staleness as
select repo, workflow, from_at as stale_at, from_at as fresh_at from feed_states;

create trigger feeds_record_staleness after update of checked_at on feeds
when new.checked_at > strftime(
  '%Y-%m-%dT%H:%M:%SZ', coalesce(old.checked_at, old.error_at), '+120 seconds'
)
begin
  insert into recorded_staleness
  select new.repo, new.workflow, stale_at, new.checked_at
  from (
    select strftime(
      '%Y-%m-%dT%H:%M:%SZ', coalesce(old.checked_at, old.error_at),
      '+' || stale_seconds || ' seconds'
    ) as stale_at from settings
  )
  where stale_at < new.checked_at;
end;

create trigger recorded_staleness_record instead of insert on recorded_staleness
begin
  insert or ignore into feed_states
    (repo, workflow, from_at, is_watched, workflow_name, workflow_state, default_branch,
     error_kind, error, blocked_run_id, no_runs_at, schedule_seconds, schedule_from_at,
     is_stale)
  select
    s.repo, s.workflow, t.at, s.is_watched, s.workflow_name, s.workflow_state,
    s.default_branch, s.error_kind, s.error, s.blocked_run_id, s.no_runs_at,
    s.schedule_seconds, s.schedule_from_at, 0
  from (select new.stale_at as at union all select new.fresh_at) t
  join feed_states s
    on s.repo = new.repo and s.workflow = new.workflow and s.from_at = (
      select max(from_at) from feed_states
      where repo = new.repo and workflow = new.workflow and from_at < t.at
    );
  update feed_states set is_stale = 1
  where repo = new.repo and workflow = new.workflow
    and from_at >= new.stale_at and from_at < new.fresh_at;
end;
