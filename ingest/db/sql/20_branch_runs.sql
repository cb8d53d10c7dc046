-- The runs that count for a branch, and the result of each.

-- The runs on a branch itself: of the repository (a deleted fork has no head repository),
-- not of a pull request, not on a branch of the merge queue. All tags count as one branch,
-- `refs/tags`. A deleted run no longer counts; one that is as old as GitHub's longest
-- default retention was not deleted, and still counts. A run that failed in zero seconds,
-- without a job, may be a phantom.
create view branch_runs as
select
  *,
  conclusion is 'failure' and duration_seconds is 0 and run_attempt = 1
    and not exists (select 1 from jobs where jobs.run_id = runs.run_id)
    as zero_duration
from runs
where head_repo = repo
  and event not like 'pull\_request%' escape '\'
  and head_branch not like 'gh-readonly-queue/%'
  and (
    gone_at is null
    or created_at <= strftime('%Y-%m-%dT%H:%M:%SZ', gone_at, '-{{retention_days}} days')
  );

-- The few runs that changed long after they were created: those that the wall of a past
-- time shows in another state than now, even if they are old.
create view late_runs as
select * from runs where {{is_late}};

-- The events that a workflow has on a branch, each with the runs that prove it: a run
-- with an attempt that took time. Ingest stores the events in the table `branch_events`.
create view timed_events as
select r.run_id, r.repo, r.workflow, r.tile_branch as branch, r.event
from branch_runs r
where exists (
  select 1 from run_attempts a where a.run_id = r.run_id and a.duration_seconds > 0
);

-- The runs that count for a tile: all but phantoms. GitHub creates runs that fail in zero
-- seconds, without a job, also for events that the workflow does not have. Such a run
-- is a phantom if no run of its event ever took time or is still open, while a run of
-- another event did.
create view tile_runs as
select *
from branch_runs r
where not zero_duration
  or (
    -- Null when no run ever took time.
    select max(e.event = r.event) from branch_events e
    where e.repo = r.repo and e.workflow = r.workflow and e.branch = r.tile_branch
  ) is not 0
  or exists (
    select 1 from branch_runs o
    where o.repo = r.repo and o.workflow = r.workflow
      and o.tile_branch = r.tile_branch and o.event = r.event
      and o.status <> 'completed'
  );

-- The jobs of each attempt, with those that a partial re-run kept from an earlier one.
create view attempt_jobs as
select
  a.run_id, a.run_attempt, j.job_id, j.name, j.conclusion, j.completed_at,
  j.duration_seconds, j.failed_step, j.is_timed_out
from run_attempts a
join jobs j
  on j.run_id = a.run_id
  and a.run_attempt between j.run_attempt and coalesce(j.last_attempt, j.run_attempt);

-- The attempts with a result. A cancelled attempt has one when a job ran into its time
-- limit, which GitHub reports as cancelled, or when one of its jobs is known to have
-- failed: a failed job may cancel the rest of its run.
create view decisive_attempts as
select
  a.*, case a.conclusion when 'success' then 'passing' else 'failing' end as result
from run_attempts a
where a.status = 'completed' and (
  a.conclusion in {{decisive}}
  or a.conclusion = 'cancelled' and (
    a.cancel_cause is 'timeout' or exists (
      select 1 from attempt_jobs j
      where j.run_id = a.run_id and j.run_attempt = a.run_attempt
        and j.conclusion in {{test_failures}}
    )
  )
);

-- When each attempt ended, or started if it has not ended.
create view attempt_ends as
select
  run_id, run_attempt, started_at,
  strftime(
    '%Y-%m-%dT%H:%M:%SZ', started_at, '+' || coalesce(duration_seconds, 0) || ' seconds'
  ) as ended_at
from run_attempts;

-- The result of each run: that of its last decisive attempt. So a run keeps its former
-- result while a re-run is open, and after a re-run was cancelled. Ingest keeps the table
-- `decisions` equal to this, so that the last results of a branch are found by its key.
create view run_decisions as
select
  r.repo, r.workflow, r.tile_branch as branch, a.result, r.created_at, r.run_id,
  a.run_attempt,
  -- The start of the first of the last attempts that all have this result; null when
  -- it is created_at.
  nullif((
    select min(s.started_at) from decisive_attempts s
    where s.run_id = r.run_id and s.result = a.result and s.run_attempt > coalesce((
      select max(o.run_attempt) from decisive_attempts o
      where o.run_id = r.run_id and o.result <> a.result
    ), 0)
  ), r.created_at) as since_at,
  r.zero_duration,
  coalesce(
    a.conclusion in {{early_failures}}
      and a.duration_seconds = 0
      and r.workflow_name like '%.github/workflows/%',
    0
  ) as is_invalid_file,
  -- For a run that passed when it was run again: the start of the first of the failed
  -- attempts before.
  iif(a.result = 'passing' and a.run_attempt > 1, (
    select min(f.started_at) from decisive_attempts f
    where f.run_id = r.run_id and f.result = 'failing' and f.run_attempt > coalesce((
      select max(p.run_attempt) from decisive_attempts p
      where p.run_id = r.run_id and p.result = 'passing' and p.run_attempt < (
        select max(l.run_attempt) from decisive_attempts l
        where l.run_id = r.run_id and l.result = 'failing'
      )
    ), 0)
  ), null) as red_at,
  -- When the first of the last attempts that all have this result ended.
  (
    select min(e.ended_at) from decisive_attempts s
    join attempt_ends e on e.run_id = s.run_id and e.run_attempt = s.run_attempt
    where s.run_id = r.run_id and s.result = a.result and s.run_attempt > coalesce((
      select max(o.run_attempt) from decisive_attempts o
      where o.run_id = r.run_id and o.result <> a.result
    ), 0)
  ) as decided_at
from branch_runs r
join decisive_attempts a on a.run_id = r.run_id
where a.run_attempt = (
  select max(d.run_attempt) from decisive_attempts d where d.run_id = r.run_id
);

-- Some columns of `runs` are part of the key of `decisions`. When one of them changes, the
-- decision is deleted; ingest then writes the new one.
create trigger runs_drop_decision
after update of run_id, repo, workflow, head_branch, is_tag, created_at on runs
when (old.run_id, old.repo, old.workflow, old.tile_branch, old.created_at)
  is not (new.run_id, new.repo, new.workflow, new.tile_branch, new.created_at)
begin
  delete from decisions
  where repo = old.repo and workflow = old.workflow and branch = old.tile_branch
    and result in {{results}} and created_at = old.created_at
    and run_id = old.run_id;
end;

-- The results that count for a tile: those of its `tile_runs`.
create view tile_decisions as
select
  repo, workflow, branch, result, created_at, run_id, run_attempt,
  coalesce(since_at, created_at) as since_at, zero_duration, is_invalid_file, red_at,
  decided_at,
  -- When the attempt of `red_at` ended.
  (
    select e.ended_at from attempt_ends e
    where e.run_id = d.run_id and e.started_at = d.red_at
    order by e.run_attempt limit 1
  ) as failed_at,
  -- Sorts the runs by their creation.
  {{run_key}} as run_key
from decisions d
where not zero_duration
  or exists (select 1 from tile_runs t where t.run_id = d.run_id);

-- The runs with a result. `cross join` makes SQLite start with the runs, so that the
-- newest are found first.
create view decisive_runs as
select
  r.run_id, a.run_attempt, r.repo, r.workflow, r.head_branch, r.head_sha, r.event,
  r.created_at, a.started_at, a.updated_at, a.conclusion, a.duration_seconds, d.result,
  d.is_invalid_file, r.tile_branch
from runs r
cross join tile_decisions d
  on d.repo = r.repo and d.workflow = r.workflow and d.branch = r.tile_branch
  and d.result in {{results}} and d.created_at = r.created_at
  and d.run_id = r.run_id
join run_attempts a on a.run_id = d.run_id and a.run_attempt = d.run_attempt;

-- The finished runs whose conclusion alone decides nothing.
create view inconclusive_runs as
select * from branch_runs where {{is_undecided}};

-- The finished runs that decided nothing, although they were meant to test something, and
-- why. A run that made room for a newer one does not count: GitHub says that it was
-- superseded, and the newer one was created before it ended.
create view undecided_runs as
select
  r.*,
  case
    when conclusion = 'cancelled' then 'cancelled'
    when conclusion = 'stale' then 'stale'
    else 'unknown_conclusion'
  end as reason
from inconclusive_runs r
where not exists (select 1 from decisive_attempts a where a.run_id = r.run_id)
  and not (conclusion is 'cancelled' and cancel_cause is 'superseded' and exists (
    select 1 from branch_runs o
    where o.repo = r.repo and o.workflow = r.workflow
      and o.tile_branch = r.tile_branch
      and (o.created_at, o.run_id) > (r.created_at, r.run_id)
      and o.created_at <= strftime(
        '%Y-%m-%dT%H:%M:%SZ', r.started_at,
        '+' || coalesce(r.duration_seconds, 0) || ' seconds'
      )
      and coalesce(o.conclusion, '') not in {{skipped}}
  ));
