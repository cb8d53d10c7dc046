-- The contribution of each run and job to the rollups, the views that define those tables,
-- and the triggers that keep the tables equal to them. ingest/db/rollups.py has the columns.

-- The levels: days and months, each of one workflow and of all together.
create view rollup_levels as
select 'day' as unit, 0 as is_sum
union all select 'day', 1
union all select 'month', 0
union all select 'month', 1;

-- The contribution of a run, on the day of its latest attempt's start. Durations are those
-- of successful first attempts: a re-run may repeat a part, and 0 seconds is no duration.
-- Queue times are those of first attempts that waited for a runner.
create view run_contributions as
select
  r.run_id, r.repo, r.workflow,
  date(r.started_at, (
    select offset_seconds from timezone_offsets
    where from_at <= r.started_at order by from_at desc limit 1
  ) || ' seconds') as day,
  r.tile_branch as branch, r.is_own,
  coalesce(r.is_own and r.tile_branch = b.branch, 0) as is_default_branch,
  case
    when r.status is not 'completed' then 'unfinished'
    when r.effective_conclusion in {{own_conclusions}} then r.effective_conclusion
    else 'other'
  end as outcome,
  r.run_attempt, r.timed_seconds,
  (
    select bucket from duration_buckets
    where from_seconds <= r.timed_seconds order by from_seconds desc limit 1
  ) as duration_bucket,
  r.runner_seconds as queue_seconds,
  (
    select bucket from duration_buckets
    where from_seconds <= r.runner_seconds order by from_seconds desc limit 1
  ) as queue_bucket,
  1 as sign
from (
  select
    *,
    coalesce(head_repo = repo and event not like 'pull\_request%' escape '\', 0)
      as is_own,
    iif(
      status = 'completed' and conclusion = 'success' and run_attempt = 1
      and duration_seconds > 0, duration_seconds, null
    ) as timed_seconds,
    iif(run_attempt = 1 and waited_for is null, queue_seconds, null) as runner_seconds
  from runs
) r
left join default_branches b on b.repo = r.repo;

-- The contribution of a job, on the day of its start, or of its end if it has none. It
-- counts once, for the attempt in which it ran. A job that no runner took counts with 0 minutes,
-- although GitHub sends two times: it has no queue time. Older versions stored none; of
-- their jobs, those did not run that were skipped, or cancelled without a runner.
create view job_contributions as
select
  j.job_id, j.run_id, j.run_attempt, r.repo, r.workflow,
  substr(j.local_time, 1, 10) as day,
  cast(substr(j.local_time, 12, 2) as integer) as hour,
  r.branch, r.is_own, r.is_default_branch,
  coalesce(j.labels, '') as labels,
  case
    when a.conclusion = 'cancelled' and a.cancel_cause = 'superseded' then 'superseded'
    when a.effective_conclusion = 'cancelled' then 'cancelled'
    when a.effective_conclusion in {{failures}} then 'failed'
    when j.run_attempt > 1 then 'rerun'
    else ''
  end as waste,
  coalesce(a.triggering_actor, '') as actor,
  j.seconds, (j.seconds + 59) / 60 as minutes,
  j.runner_seconds as queue_seconds,
  (
    select bucket from duration_buckets
    where from_seconds <= j.runner_seconds order by from_seconds desc limit 1
  ) as queue_bucket,
  1 as sign
from (
  select
    *,
    iif(
      queue_seconds is not null or created_at is null and conclusion is not 'skipped'
        and (conclusion is not 'cancelled' or runner_name is not null),
      coalesce(duration_seconds, 0), 0
    ) as seconds,
    iif(waited_for is null, queue_seconds, null) as runner_seconds,
    datetime(coalesce(started_at, completed_at), (
      select offset_seconds from timezone_offsets
      where from_at <= coalesce(jobs.started_at, jobs.completed_at)
      order by from_at desc limit 1
    ) || ' seconds') as local_time
  from jobs
) j
join run_attempts a on a.run_id = j.run_id and a.run_attempt = j.run_attempt
join run_contributions r on r.run_id = j.run_id;

-- The contribution of a flaky commit, on the day of its newest attempt.
create view flaky_contributions as
select
  f.run_id, f.repo, f.workflow,
  date(f.last_started_at, (
    select offset_seconds from timezone_offsets
    where from_at <= f.last_started_at order by from_at desc limit 1
  ) || ' seconds') as day,
  f.head_branch as branch, f.is_own,
  coalesce(f.is_own and f.head_branch = b.branch, 0) as is_default_branch,
  1 as sign
from flaky_shas f
left join default_branches b on b.repo = f.repo;

{{rollup_views}}

-- The default branch of each repository: that of its first feed that has one. The table
-- `default_branches` is kept equal to this.
create view feed_default_branches as
select repo, default_branch as branch from feeds f
where default_branch is not null and not exists (
  select 1 from feeds o
  where o.repo = f.repo and o.workflow < f.workflow and o.default_branch is not null
);

-- Counting a run or a job: insert its contribution, with -1 as sign to take it away.
create trigger run_contributions_add instead of insert on run_contributions
when new.day is not null
begin
  {{add_run}}
end;

create trigger job_contributions_add instead of insert on job_contributions
when new.day is not null
begin
  {{add_job}}
end;

create trigger flaky_contributions_add instead of insert on flaky_contributions
when new.day is not null
begin
  {{add_flaky}}
end;

{{rollup_delete_empty}}

-- A run is subtracted before a change of its contribution, and added after it. Jobs are
-- counted for their run's repository, workflow and branch, so they follow.
create trigger runs_count_new after insert on runs
when {{is_new_run_counted}}
begin
  insert into run_contributions ({{run_columns}}, sign)
  select {{run_columns}}, 1 from run_contributions where run_id = new.run_id;
end;

-- Jobs are rarely written before their run or attempt: one search is cheaper than the view.
create trigger runs_count_new_jobs after insert on runs
when {{is_new_run_counted}}
  and exists (select 1 from jobs where run_id = new.run_id)
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, 1 from job_contributions where run_id = new.run_id;
end;

create trigger runs_uncount_deleted before delete on runs
when {{is_old_run_counted}}
begin
  insert into run_contributions ({{run_columns}}, sign)
  select {{run_columns}}, -1 from run_contributions where run_id = old.run_id;
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, -1 from job_contributions where run_id = old.run_id;
end;

create trigger runs_uncount_changed
before update of
  {{counted_run_columns}}
on runs
when {{have_counted_run_columns_changed}} and {{is_old_run_counted}}
begin
  insert into run_contributions ({{run_columns}}, sign)
  select {{run_columns}}, -1 from run_contributions where run_id = old.run_id;
end;

create trigger runs_count_changed
after update of
  {{counted_run_columns}}
on runs
when {{have_counted_run_columns_changed}} and {{is_new_run_counted}}
begin
  insert into run_contributions ({{run_columns}}, sign)
  select {{run_columns}}, 1 from run_contributions where run_id = new.run_id;
end;

create trigger runs_uncount_jobs
before update of
  {{job_branch_columns}}
on runs
when {{have_job_branch_columns_changed}} and {{is_old_run_counted}}
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, -1 from job_contributions where run_id = old.run_id;
end;

create trigger runs_count_jobs
after update of
  {{job_branch_columns}}
on runs
when {{have_job_branch_columns_changed}} and {{is_new_run_counted}}
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, 1 from job_contributions where run_id = new.run_id;
end;

-- An attempt decides whether the time of its jobs was wasted, and whose it is.
create trigger run_attempts_count_new after insert on run_attempts
when {{is_new_run_counted}} and exists (
  select 1 from jobs where run_id = new.run_id and run_attempt = new.run_attempt
)
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, 1 from job_contributions
  where run_id = new.run_id and run_attempt = new.run_attempt;
end;

create trigger run_attempts_uncount_deleted before delete on run_attempts
when {{is_old_run_counted}}
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, -1 from job_contributions
  where run_id = old.run_id and run_attempt = old.run_attempt;
end;

create trigger run_attempts_uncount_changed
before update of
  {{counted_attempt_columns}}
on run_attempts
when {{have_counted_attempt_columns_changed}} and {{is_old_run_counted}}
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, -1 from job_contributions
  where run_id = old.run_id and run_attempt = old.run_attempt;
end;

create trigger run_attempts_count_changed
after update of
  {{counted_attempt_columns}}
on run_attempts
when {{have_counted_attempt_columns_changed}} and {{is_new_run_counted}}
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, 1 from job_contributions
  where run_id = new.run_id and run_attempt = new.run_attempt;
end;

create trigger jobs_count_new after insert on jobs
when {{is_new_run_counted}}
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, 1 from job_contributions where job_id = new.job_id;
end;

create trigger jobs_uncount_deleted before delete on jobs
when {{is_old_run_counted}}
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, -1 from job_contributions where job_id = old.job_id;
end;

create trigger jobs_uncount_changed
before update of
  {{counted_job_columns}}
on jobs
when {{have_counted_job_columns_changed}} and {{is_old_run_counted}}
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, -1 from job_contributions where job_id = old.job_id;
end;

create trigger jobs_count_changed
after update of
  {{counted_job_columns}}
on jobs
when {{have_counted_job_columns_changed}} and {{is_new_run_counted}}
begin
  insert into job_contributions ({{job_columns}}, sign)
  select {{job_columns}}, 1 from job_contributions where job_id = new.job_id;
end;

create trigger flaky_shas_count_new after insert on flaky_shas
when {{is_new_run_counted}}
begin
  insert into flaky_contributions ({{flaky_columns}}, sign)
  select {{flaky_columns}}, 1 from flaky_contributions where run_id = new.run_id;
end;

create trigger flaky_shas_uncount_deleted before delete on flaky_shas
when {{is_old_run_counted}}
begin
  insert into flaky_contributions ({{flaky_columns}}, sign)
  select {{flaky_columns}}, -1 from flaky_contributions where run_id = old.run_id;
end;

create trigger flaky_shas_uncount_changed before update on flaky_shas
when {{is_old_run_counted}}
begin
  insert into flaky_contributions ({{flaky_columns}}, sign)
  select {{flaky_columns}}, -1 from flaky_contributions where run_id = old.run_id;
end;

create trigger flaky_shas_count_changed after update on flaky_shas
when {{is_new_run_counted}}
begin
  insert into flaky_contributions ({{flaky_columns}}, sign)
  select {{flaky_columns}}, 1 from flaky_contributions where run_id = new.run_id;
end;

-- The default branch of a repository moves runs between the two values of
-- is_default_branch.
create trigger feeds_insert_default_branch after insert on feeds
when not {{is_paused}}
begin
  {{set_new_default_branch}}
end;

create trigger feeds_delete_default_branch after delete on feeds
when not {{is_paused}}
begin
  {{set_old_default_branch}}
end;

create trigger feeds_update_default_branch
after update of repo, workflow, default_branch on feeds
when (old.repo, old.workflow, old.default_branch)
  is not (new.repo, new.workflow, new.default_branch)
  and not {{is_paused}}
begin
  {{set_old_default_branch}}
  {{set_new_default_branch}}
end;

create trigger default_branches_uncount before update of branch on default_branches
begin
  {{subtract_branches}}
end;

create trigger default_branches_count after update of branch on default_branches
begin
  {{add_branches}}
end;

-- A change of the time zone that moves a counted day starts all over. The zone's changes
-- in the coming years move none.
create trigger timezone_offsets_insert after insert on timezone_offsets
begin
  {{restart_from_new}}
end;

create trigger timezone_offsets_delete after delete on timezone_offsets
begin
  {{restart_from_old}}
end;

create trigger timezone_offsets_update after update on timezone_offsets
when (old.from_at, old.offset_seconds) <> (new.from_at, new.offset_seconds)
begin
  {{restart_from_both}}
end;

-- Setting from_run_id to null empties the rollups; ingest then builds them again.
create trigger rollup_progress_restart after update of from_run_id on rollup_progress
when new.from_run_id is null
begin
  {{delete_rollups}}
  update rollup_progress set
    from_run_id = (select coalesce(max(max(run_id), 0) + 1, 0) from runs),
    runs_done = 0,
    runs_total = (
      select coalesce(sum(runs), 0) from run_values where name = 'workflow'
    );
end;

-- The triggers read the row of the table, so there is always one.
create trigger rollup_progress_keep before delete on rollup_progress
begin
  select raise(abort, 'set rollup_progress.from_run_id to null to count all runs again');
end;

create trigger rollup_progress_no_other before insert on rollup_progress
begin
  select raise(abort, 'rollup_progress has one row');
end;
