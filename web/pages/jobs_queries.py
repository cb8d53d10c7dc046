"""The selects of the page of a workflow's jobs.

The statistics count rows of the view `job_history`, so that the links behind the
numbers can select exactly those rows by Datasette's filters.
"""
# ruff: noqa: S608 (own names, and no value)

# The newest jobs of a span that the statistics read.
MAX_JOBS = 5000
# The newest runs of a span among which their jobs are looked for.
MAX_RUNS = 10_000
GRID_RUNS = 40
# The jobs of the grid's runs that are read; runs beyond are left out.
MAX_GRID_JOBS = 4000
MAX_BRANCHES = 500
# The newest executions of a job whose steps are read.
MAX_STEP_JOBS = 500

_FEED = "repo = :repo and workflow = :workflow"
# The runs of the repository itself on the branch. Those of pull requests count, except
# on the default branch: it may be the head of one into another branch.
_RUNS = """
r.repo = :repo and r.workflow = :workflow and r.tile_branch = :branch
  and r.head_repo = r.repo and (
    :branch is not :default_branch or r.event not like 'pull\\_request%' escape '\\'
  )
"""

BRANCHES_SQL = f"""
select branch from tiles where {_FEED}
order by newest_run_id desc limit {MAX_BRANCHES}
"""

STATE_SQL = """
select
  now, (select value from instance where key = 'revision') as revision,
  (select value from instance where key = 'fetch_jobs') as fetch_jobs
from clock
"""

# Today, the first day of the span, and the first one of the span before.
DAYS_SQL = """
select days, starts_at, ends_at from local_days where days in (1, :days, 2 * :days)
order by days
"""

# When the run was created that is one too many.
RUN_LIMIT_SQL = f"""
select created_at from runs
where {_FEED} and tile_branch = :branch
  and created_at >= :from_at and created_at < :until_at
order by created_at desc limit 1 offset :max_runs
"""

# Newest runs first. `cross join` makes SQLite read them in the order of the index.
# Runs that another workflow triggered carry the head of the default branch instead of
# their own commit: each tests something else.
JOBS_SQL = f"""
select
  j.job_id, j.name, r.run_id, r.created_at,
  iif(r.event = 'workflow_run', 'run ' || r.run_id, r.head_sha) as tested,
  iif(j.is_timed_out, 'timed_out', j.conclusion) as conclusion,
  j.duration_seconds, iif(j.waited_for is null, j.queue_seconds, null) as queue_seconds
from runs r cross join jobs j on j.run_id = r.run_id
where {_RUNS} and r.created_at >= :from_at and r.created_at < :until_at
order by r.created_at desc, r.run_id desc limit :max_jobs + 1
"""

STEPS_SQL = """
select job_id, name, conclusion, duration_seconds
from steps where job_id in (select value from json_each(:jobs))
"""

GRID_SQL = f"""
select
  run_id, run_number, run_attempt, display_title, status, conclusion, cancel_cause,
  cancelled_by, created_at, started_at, duration_seconds, gone_at
from runs r where {_RUNS}
order by created_at desc, run_id desc limit {GRID_RUNS}
"""

GRID_JOBS_SQL = f"""
select
  job_id, run_id, run_attempt, coalesce(last_attempt, run_attempt) as last_attempt,
  name, status, conclusion, is_timed_out, duration_seconds, failed_step
from jobs where run_id in (select value from json_each(:runs))
order by run_id desc, run_attempt, coalesce(created_at, started_at), job_id
limit {MAX_GRID_JOBS + 1}
"""
