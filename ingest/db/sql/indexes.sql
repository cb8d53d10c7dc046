-- The indexes of the database. Each is made anew at the start when its text here has
-- changed. None ends in run_id: an index ends in the row's key by itself.

-- The runs in the order of all lists of them, with all that they are filtered by: what
-- does not match is passed over here, 20 times as fast as by reading its row. It also
-- counts the runs by any of these columns.
create index runs_started on runs
  (started_at, repo, workflow, head_branch, event, actor, conclusion);
-- A feed's runs, newest first, with what is asked of them most.
create index runs_workflow on runs (repo, workflow, started_at, conclusion);
-- A branch's runs in the order in which its tile counts them.
create index runs_branch on runs (repo, workflow, head_branch, created_at);
-- Somebody who has few runs would else be looked for among all of them.
create index runs_actor on runs (actor);
-- A commit is looked up by the 7 characters that git shows: all 40 would take three
-- times the space, and tell no more.
create index runs_commit on runs (substr(head_sha, 1, 7));

-- The few of a branch that a tile asks for.
create index runs_unfinished on runs
  (repo, workflow, head_branch, created_at) where status <> 'completed';
create index runs_held on runs
  (repo, workflow, head_branch, created_at) where conclusion = 'action_required';
create index runs_cancelled on runs
  (repo, workflow, head_branch, created_at) where conclusion = 'cancelled';
create index runs_scheduled on runs
  (repo, workflow, head_branch, created_at) where event = 'schedule';

-- The values that most runs have. Those of one run, as of many a branch, are in the
-- order of the table.
create index run_values_runs on run_values (name, runs desc, value) where runs > 1;

create index jobs_run on jobs (run_id, run_attempt);
create index pending_requested on pending (kind, requested_at) where gone_at is null;
create index repos_id on repos (repo_id);
create index payload_parts_hash on payload_parts (hash);
