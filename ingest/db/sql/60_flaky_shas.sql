-- Commits on which one workflow both failed and succeeded, so the failure was not the
-- commit's.

-- Defines the table `flaky_shas`, and reads every run unless `short_sha` is given.
-- Runs that another workflow triggered carry the head of the default branch instead of
-- their own commit, so they are left out.
create view counted_flaky_shas as
select
  f.run_id, f.repo, f.workflow, f.head_branch, f.head_sha, f.successes, f.failures,
  f.last_started_at, f.short_sha, coalesce(n.head_repo = n.repo, 0) as is_own
from (
  select
    max(r.run_id) as run_id, max(r.repo collate binary) as repo, r.workflow,
    r.head_branch, r.head_sha,
    sum(a.conclusion = 'success') as successes,
    sum(a.effective_conclusion in {{test_failures}}) as failures,
    max(a.started_at) as last_started_at,
    substr(r.head_sha, 1, 7) as short_sha
  from runs r join run_attempts a using (run_id)
  where a.status = 'completed' and a.effective_conclusion in {{tested}}
    and r.event <> 'workflow_run' and r.head_sha is not null
  group by r.repo, r.workflow, r.head_branch, r.head_sha, substr(r.head_sha, 1, 7)
  having successes > 0 and failures > 0
) f join runs n on n.run_id = f.run_id;

create view flaky_runs as
select
  f.repo, f.workflow, f.head_branch, f.head_sha, f.successes, f.failures,
  f.last_started_at, f.run_id, r.html_url, r.tile_branch
from flaky_shas f join runs r using (run_id);

-- Insert a commit here, and its row of `flaky_shas` is computed again.
create view changed_shas as
select repo, workflow, head_branch, head_sha from flaky_shas;

create trigger changed_shas_count instead of insert on changed_shas
begin
  -- `+` makes SQLite use the index of commits, not that of feeds.
  delete from flaky_shas
  where head_sha = new.head_sha and +repo = new.repo and +workflow = new.workflow
    and head_branch is new.head_branch;
  insert into flaky_shas
    (run_id, repo, workflow, head_branch, head_sha, successes, failures, last_started_at,
     is_own)
  select
    run_id, repo, workflow, head_branch, head_sha, successes, failures, last_started_at,
    is_own
  from counted_flaky_shas
  where short_sha = substr(new.head_sha, 1, 7) and head_sha = new.head_sha
    and repo = new.repo and workflow = new.workflow and head_branch is new.head_branch
  -- Not `replace`, which would run no trigger for the former row.
  on conflict (run_id) do update set
    repo = excluded.repo, workflow = excluded.workflow,
    head_branch = excluded.head_branch, head_sha = excluded.head_sha,
    successes = excluded.successes, failures = excluded.failures,
    last_started_at = excluded.last_started_at, is_own = excluded.is_own;
end;

-- Every change of a run or an attempt that can make a commit flaky, or flaky no longer.
create trigger run_attempts_insert_flaky after insert on run_attempts
when new.status = 'completed'
  and new.effective_conclusion in {{tested}}
begin
  insert into changed_shas
  select repo, workflow, head_branch, head_sha from runs where run_id = new.run_id;
end;

create trigger run_attempts_update_flaky
after update of run_id, status, conclusion, cancel_cause, started_at on run_attempts
when (old.run_id, old.status, old.effective_conclusion, old.started_at)
  is not (new.run_id, new.status, new.effective_conclusion, new.started_at)
begin
  insert into changed_shas
  select repo, workflow, head_branch, head_sha from runs
  where run_id in (old.run_id, new.run_id);
end;

create trigger run_attempts_delete_flaky after delete on run_attempts
when old.status = 'completed' and old.effective_conclusion in {{tested}}
begin
  insert into changed_shas
  select repo, workflow, head_branch, head_sha from runs where run_id = old.run_id;
end;

create trigger runs_insert_flaky after insert on runs
when exists (select 1 from run_attempts where run_id = new.run_id)
begin
  insert into changed_shas
  values (new.repo, new.workflow, new.head_branch, new.head_sha);
end;

create trigger runs_update_flaky
after update of run_id, repo, workflow, event, head_branch, head_sha, head_repo on runs
when (
  old.run_id, old.repo collate binary, old.workflow, old.event, old.head_branch,
  old.head_sha, old.head_repo
) is not (
  new.run_id, new.repo collate binary, new.workflow, new.event, new.head_branch,
  new.head_sha, new.head_repo
) and not {{is_paused}}
begin
  insert into changed_shas
  values
    (old.repo, old.workflow, old.head_branch, old.head_sha),
    (new.repo, new.workflow, new.head_branch, new.head_sha);
end;

create trigger runs_delete_flaky after delete on runs
begin
  insert into changed_shas
  values (old.repo, old.workflow, old.head_branch, old.head_sha);
end;
