-- Steps with their run, for filters: the view `steps` does not have their workflow.
create view step_history as
select
  s.job_id, s.run_id, r.run_number, s.run_attempt, r.repo, r.workflow, r.tile_branch,
  r.head_repo, r.event, r.head_sha, r.created_at as run_created_at, s.job_name, s.number,
  s.name, s.conclusion, s.started_at, s.completed_at, s.duration_seconds
from runs r join steps s using (run_id);
