-- The indexes. A start replaces an index whose text here has changed. No index ends in
-- run_id, because SQLite appends the key of the row to every index.

-- All lists of runs are in this order. The other columns are those of the filters: a run
-- that does not match is skipped without reading its row, 20 times as fast. Runs are also
-- counted by these columns.
create index runs_started on runs
  (started_at, repo, workflow, head_branch, event, actor, conclusion, cancel_cause);
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
create index runs_scheduled on runs
  (repo, workflow, tile_branch, created_at) where event = 'schedule';

-- The few runs that passed only when they were run again.
create index decisions_mended on decisions
  (repo, workflow, branch, result, created_at) where red_at is not null;

-- The values that most runs have. A value of one run, as of many a branch, is found by
-- the primary key.
create index run_values_runs on run_values (name, runs desc, value) where runs > 1;

create index jobs_run on jobs (run_id, run_attempt);
create index pending_requested on pending (kind, requested_at) where gone_at is null;
create index repos_id on repos (repo_id);
create index payload_parts_hash on payload_parts (hash);
