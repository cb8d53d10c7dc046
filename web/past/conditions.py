"""SQL conditions on the rows of one branch. `:repo` and the others are parameters."""

FEED = "repo = :repo and workflow = :workflow"
TILE = f"{FEED} and branch = :branch"
BRANCH = f"{FEED} and tile_branch = :branch and created_at <= :at"
UNCHANGED = "run_id not in (select run_id from past_runs)"
NEWEST = "order by created_at desc, run_id desc limit"
