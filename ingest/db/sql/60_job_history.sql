-- Jobs with their run, for filters: a job's own table does not have its workflow.
create view job_history as
select
  j.job_id, j.run_id, r.run_number, j.run_attempt, r.repo, r.workflow, r.tile_branch,
  r.head_repo, r.event, r.head_sha, j.name, j.status, j.conclusion,
  iif(j.is_timed_out, 'timed_out', j.conclusion) as effective_conclusion,
  r.created_at as run_created_at, j.created_at, j.started_at, j.completed_at,
  j.duration_seconds, j.queue_seconds, j.waited_for, j.labels, j.runner_name,
  j.failed_step, j.html_url
from runs r join jobs j using (run_id);
