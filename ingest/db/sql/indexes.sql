-- The indexes. A start replaces an index whose text here has changed. No index ends in
-- run_id, because SQLite appends the key of the row to every index.

-- All lists of runs are in the order of its first two columns: without run_id, SQLite
-- sorts the runs of each second, which doubles the time to find a page. The other columns
-- are those of the filters: a run that does not match is skipped without reading its row,
-- 20 times as fast. Runs are also counted by these columns.
create index runs_started on runs
  (started_at, run_id, repo, workflow, head_branch, event, actor, conclusion,
   cancel_cause);
-- A feed's runs, newest first, with the column that is filtered most.
create index runs_workflow on runs
  (repo, workflow, started_at, conclusion, cancel_cause);
-- A branch's runs in the order in which its tile counts them.
create index runs_branch on runs (repo, workflow, tile_branch, created_at);
-- Without this index, filtering by a rare actor would scan all runs.
create index runs_actor on runs (actor);
-- Commits are looked up by the 7 characters that git shows. All 40 would take three times
-- the space and find nothing more.
create index runs_commit on runs (substr(head_sha, 1, 7));

-- The few runs of a branch that a tile looks for.
create index runs_unfinished on runs
  (repo, workflow, tile_branch, created_at) where status <> 'completed';
create index runs_held on runs
  (repo, workflow, tile_branch, created_at) where conclusion = 'action_required';
create index runs_undecided on runs
  (repo, workflow, tile_branch, created_at) where {{is_undecided}};
-- The runs that rollups count and tiles may not: web/pages/workflow_rollups.py.
create index runs_left_out on runs
  (repo, workflow, tile_branch, started_at)
  where gone_at is not null or conclusion = 'failure' and duration_seconds = 0;
-- The view `late_runs`.
create index runs_late on runs
  (repo, workflow, tile_branch, created_at) where {{is_late}};
create index runs_scheduled on runs
  (repo, workflow, tile_branch, created_at) where event = 'schedule';

-- The few runs that passed only when they were run again.
create index decisions_mended on decisions
  (repo, workflow, branch, result, created_at) where red_at is not null;

-- The values that most runs have. A value of one run, as of many a branch, is found by
-- the primary key.
create index run_values_runs on run_values (name, runs desc, value) where runs > 1;

create index flaky_shas_sha on flaky_shas (head_sha);
-- The flaky commits of a feed, newest first, and of all.
create index flaky_shas_feed on flaky_shas (repo, workflow, last_started_at);
create index flaky_shas_started on flaky_shas (last_started_at);

create index jobs_run on jobs (run_id, run_attempt);
-- Has all that a group of equal errors is computed from.
create index job_errors_error on job_errors
  (error_id, repo, workflow, run_id, failed_at);
create index job_errors_run on job_errors (run_id);
-- The few tiles that fail now, by their error.
create index tiles_error on tiles (error_id) where error_id is not null;
create index pending_requested on pending (kind, requested_at) where gone_at is null;
create index repos_id on repos (repo_id);
create index payload_parts_hash on payload_parts (hash);

-- What the rollups do not have. The runs of tags, and those of pull requests within the
-- repository, by their branch; the condition is that of `runs_by_branch`.
create index runs_head_branch on runs (head_branch, started_at)
  where head_repo = repo
    and (is_tag or coalesce(event, 'pull_request') glob 'pull_request*');
-- Failed runs and re-runs, which are few.
create index runs_failed on runs (started_at, repo)
  where effective_conclusion in {{failures}};
create index runs_rerun on runs (started_at, repo, workflow, conclusion)
  where run_attempt > 1;
-- The longest runs of any time.
create index runs_duration on runs (duration_seconds)
  where conclusion = 'success' and run_attempt = 1;
-- The jobs whose queue times count.
create index jobs_queued on jobs (started_at)
  where queue_seconds is not null and waited_for is null;

-- The messages that are still to be sent.
create index alert_deliveries_open on alert_deliveries (receiver, next_at)
where ended_at is null;

-- Those that were given up.
create index alert_deliveries_given_up on alert_deliveries (ended_at)
where state = 'given_up';
