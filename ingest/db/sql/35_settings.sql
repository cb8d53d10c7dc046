-- What the settings say about feeds and tiles. Without the YAML file all of it is empty.

-- The branches that have tiles besides the default one: those that fit a pattern of their
-- repository, and none of those that begin with an exclamation mark.
create view chosen_tiles as
select t.repo, t.workflow, t.branch
from tiles t
where t.repo in (select repo from tile_branches)
  and t.newest_run_id is not null
  -- Tags have a tile where the default branch has no runs.
  and t.branch <> 'refs/tags'
  and exists (
    select 1 from tile_branches b
    where b.repo = t.repo and not b.is_excluded and t.branch glob b.pattern
  )
  and not exists (
    select 1 from tile_branches b
    where b.repo = t.repo and b.is_excluded and t.branch glob b.pattern
  );

-- The feeds whose settings say how often they run by their schedule, on the default
-- branch. A run may be late by half of that time, but at least by one hour and at most
-- by twelve.
create view expected_schedules as
select
  s.repo, s.workflow, s.schedule_from_at, last_at as last_scheduled_at,
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', coalesce(last_at, s.schedule_from_at),
    '+' || (s.schedule_seconds + max(3600, min(s.schedule_seconds / 2, 43200)))
      || ' seconds'
  ) as overdue_at
from (
  select f.*, (
    select r.created_at from tile_runs r
    where r.repo = f.repo and r.workflow = f.workflow
      and r.tile_branch = d.default_branch and r.event = 'schedule'
    order by r.created_at desc limit 1
  ) as last_at
  from feed_settings f
  join feeds d on d.repo = f.repo and d.workflow = f.workflow
  where f.schedule_seconds is not null
) s;
