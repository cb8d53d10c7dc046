"""The selects of a run's page; each finds its rows by `run_id`."""
# ruff: noqa: S608 (own names, and no value)

from ci_observer.web.cache import REVISION_AND_NOW_SQL
from ci_observer.web.columns import RUN_COLUMNS

# Few workflows have as many jobs; the page says when it leaves some out.
MAX_JOBS = 500

# The latest attempt unless `attempt` is given.
_ATTEMPT = "coalesce(:attempt, (select run_attempt from runs where run_id = :run_id))"

# All are read at one revision.
SNAPSHOT_SQL = {
    "revision": REVISION_AND_NOW_SQL,
    "run": f"select {', '.join(RUN_COLUMNS)} from runs where run_id = :run_id",
    "attempts": """
select
  run_attempt, status, conclusion, started_at, updated_at, duration_seconds,
  triggering_actor, cancel_cause, cancelled_by, queue_seconds, waited_for, has_jobs
from run_attempts where run_id = :run_id order by run_attempt
""",
    # `last_attempt` is null in rows that old versions wrote.
    "jobs": f"""
select
  j.job_id, run_attempt, name, status, conclusion, created_at, started_at, completed_at,
  duration_seconds, queue_seconds, waited_for, labels, runner_name, runner_group,
  failed_step, is_timed_out, html_url, e.message as error_message
from jobs j left join job_errors e on e.job_id = j.job_id
where j.run_id = :run_id
  and {_ATTEMPT} between run_attempt and coalesce(last_attempt, run_attempt)
order by coalesce(started_at, created_at, completed_at), j.job_id
limit {MAX_JOBS + 1}
""",
    # Why jobs may be missing: whether FETCH_JOBS selects the run, as a run of its
    # tile's branch or as a failed one, and the state of their request.
    "fetching": f"""
select
  (select value from instance where key = 'fetch_jobs') as fetch_jobs,
  exists (
    select 1 from branch_runs b where b.run_id = r.run_id
  ) and r.tile_branch in (
    f.default_branch,
    (
      select t.branch from feed_tiles x cross join tiles t on t.rowid = x.tile_id
      where x.repo = r.repo and x.workflow = r.workflow
    )
  ) as is_of_tile,
  r.started_at <= b.jobs_kept_from as is_too_old,
  p.run_id is not null as is_pending, p.requested_at, p.gone_at
from runs r
left join feeds f on f.repo = r.repo and f.workflow = r.workflow
left join feed_backfills b on b.repo = r.repo and b.workflow = r.workflow
left join pending p
  on p.kind in ('jobs', 'more_jobs') and p.run_id = r.run_id
  and p.run_attempt = {_ATTEMPT}
where r.run_id = :run_id
order by p.kind limit 1
""",
}

STEPS_SQL = """
select job_id, number, name, conclusion, started_at, completed_at, duration_seconds
from steps where job_id in (select value from json_each(:jobs))
"""
