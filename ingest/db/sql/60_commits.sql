-- Commits and their runs.

-- The runs that tested a commit, on every branch and for pull requests, each with its
-- result: that of its last decisive attempt, as in `run_decisions`. A run that another
-- workflow triggered carries the head of the default branch instead of its own commit, so
-- it is left out, as in `flaky_runs`. Read it for one commit, by the index `runs_commit`.
create view commit_runs as
select
  r.repo, r.head_sha, r.workflow, r.workflow_name, r.run_id, r.run_number, r.run_attempt,
  r.event, r.event like 'pull\_request%' escape '\' as is_pull_request,
  r.head_repo, r.head_branch, r.tile_branch, r.pr_number, r.display_title, r.actor,
  r.status, r.conclusion, r.cancel_cause, r.cancelled_by, r.created_at, r.started_at,
  r.duration_seconds, r.html_url, r.gone_at,
  (
    select d.result from decisive_attempts d
    where d.run_id = a.run_id and d.run_attempt = a.run_attempt
  ) as result,
  a.run_attempt as result_attempt, a.conclusion as result_conclusion,
  a.cancel_cause as result_cancel_cause, a.started_at as result_started_at,
  a.duration_seconds as result_duration_seconds,
  -- Why the run does not count, by the rules of `branch_runs` and `tile_runs`.
  case
    when r.gone_at is not null and r.created_at
      > strftime('%Y-%m-%dT%H:%M:%SZ', r.gone_at, '-{{retention_days}} days')
      then 'deleted'
    when r.duration_seconds is 0
      and exists (select 1 from branch_runs b where b.run_id = r.run_id)
      and not exists (select 1 from tile_runs t where t.run_id = r.run_id)
      then 'phantom'
  end as ignored_reason,
  -- Finished without a result, although the run was meant to test something.
  a.run_id is null and r.status = 'completed'
    and coalesce(r.conclusion, '') not in {{understood}} and (
    r.cancel_cause is not 'superseded'
    or exists (select 1 from undecided_runs u where u.run_id = r.run_id)
  ) as is_undecided,
  (
    select count(*) from run_attempts s
    where s.run_id = r.run_id and s.status = 'completed' and s.conclusion = 'success'
  ) as successes,
  (
    select count(*) from run_attempts f
    where f.run_id = r.run_id and f.status = 'completed'
      and f.effective_conclusion in {{test_failures}}
  ) as failures
from runs r
left join run_attempts a
  on a.run_id = r.run_id and a.run_attempt = (
    select max(d.run_attempt) from decisive_attempts d where d.run_id = r.run_id
  )
where r.event is not 'workflow_run';
