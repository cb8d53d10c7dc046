"""The rows of each chart, computed slowly from all runs and jobs."""
# ruff: noqa: S608 (own names, and no value)

_RUNS = """
with chosen as (
  select * from run_days
  where day between :first_day and :last_day
    and (:repo = '' or repo = :repo) and (:workflow = '' or workflow = :workflow)
    and (:branch = '' or head_branch = :branch and head_repo = repo)
),
decisive as (
  select *, effective_conclusion <> 'success' as is_failure from chosen
  where effective_conclusion in ('success', 'failure', 'timed_out', 'startup_failure')
),
durations as (
  select *, duration_seconds as seconds from chosen
  where conclusion = 'success' and run_attempt = 1 and duration_seconds > 0
),
queues as (
  select *, queue_seconds as seconds from chosen
  where run_attempt = 1 and queue_seconds is not null and waited_for is null
),
days as (select day from local_days where day between :first_day and :last_day)
"""
# Central European Time, since the examples are all in winter.
_JOBS = """
with jobs_of_days as (
  select
    j.*, r.repo, r.workflow, r.head_branch, r.head_repo, a.triggering_actor as actor,
    strftime('%Y-%m-%d', coalesce(j.started_at, j.completed_at), '+1 hour') as day,
    cast(strftime('%H', j.started_at, '+1 hour') as integer) as hour,
    coalesce(j.duration_seconds, 0) as run_seconds,
    (coalesce(j.duration_seconds, 0) + 59) / 60 as started_minutes,
    case
      when a.cancel_cause = 'superseded' then 'superseded'
      when a.effective_conclusion = 'cancelled' then 'cancelled'
      when a.effective_conclusion in ('failure', 'timed_out', 'startup_failure')
        then 'failed'
      when j.run_attempt > 1 then 'rerun'
      else ''
    end as waste
  from jobs j join runs r using (run_id)
  join run_attempts a on a.run_id = j.run_id and a.run_attempt = j.run_attempt
),
chosen as (
  select
    *,
    (select group_concat(value, ', ') from json_each(labels)) as label,
    started_minutes * case labels
      when '["ubuntu-latest"]' then 1 when '["windows-2025"]' then 2
      when '["macos-15", "xlarge"]' then 10 else 0
    end as billed_minutes
  from jobs_of_days
  where day between :first_day and :last_day
    and (:repo = '' or repo = :repo) and (:workflow = '' or workflow = :workflow)
    and (:branch = '' or head_branch = :branch and head_repo = repo)
),
queues as (
  select *, queue_seconds as seconds from chosen
  where queue_seconds is not null and waited_for is null
),
days as (select day from local_days where day between :first_day and :last_day)
"""


def _percentiles(source: str, key: str = "", runs: str = "runs") -> str:
    """The number of values, and their percentiles, for each value of the key."""
    partition = f"partition by {key}" if key else ""
    group = f"group by {key}" if key else ""
    return f"""
    select {f"{key}," if key else ""} count(*) as {runs},
      min(seconds) filter (where 100 * place >= 50 * total) as p50_seconds,
      min(seconds) filter (where 100 * place >= 95 * total) as p95_seconds
    from (
      select *, row_number() over ({partition} order by seconds) as place,
        count(*) over ({partition}) as total
      from {source}
    ) {group}
    """


def _uses(key: str) -> str:
    return f"""
    select {key}, round(sum(run_seconds) / 60.0) as minutes,
      round(sum(billed_minutes)) as billed,
      round(
        coalesce(sum(run_seconds) filter (where waste = ''), 0) / 60.0
      ) as useful,
      round(
        coalesce(sum(run_seconds) filter (where waste <> ''), 0) / 60.0
      ) as wasted,
      count(*) as jobs
    from chosen group by 1 {",2" if "," in key else ""}
    """


_BY_WORKFLOW = "repo, workflow"
_MINUTES = """
select count(*) as jobs, round(sum(run_seconds) / 60.0) as minutes,
  round(sum(billed_minutes)) as billed_minutes,
  round(sum(iif(waste <> '', run_seconds, 0)) / 60.0) as wasted_minutes,
  round(1.0 * sum(iif(waste <> '', run_seconds, 0)) / nullif(sum(run_seconds), 0), 4)
    as wasted_rate
from chosen
"""
# The rows of each chart, in any order. A chart by day
# or by hour has the other days and hours, too.
REFERENCES = {
    "runs": _RUNS
    + """
    select coalesce(sum(status = 'completed'), 0) as runs,
      coalesce(sum(effective_conclusion = 'success'), 0) as successes
    from chosen
    """,
    "failure-rate": _RUNS
    + """
    select count(*) as runs, sum(is_failure) as failures,
      round(avg(is_failure), 4) as failure_rate
    from decisive
    """,
    "median-duration": _RUNS
    + f"select runs, p50_seconds from ({_percentiles('durations')})",
    "rerun-rate": _RUNS
    + """
    select count(*) as runs, sum(run_attempt > 1) as reruns,
      round(avg(run_attempt > 1), 4) as rerun_rate
    from chosen where status = 'completed'
    """,
    "runs-by-day": _RUNS
    + """
    select day, sum(effective_conclusion is 'success') as success,
      sum(effective_conclusion is 'failure') as failure,
      sum(effective_conclusion is 'timed_out') as timed_out,
      sum(effective_conclusion is 'startup_failure') as startup_failure,
      sum(effective_conclusion is 'cancelled') as cancelled,
      sum(effective_conclusion is 'skipped') as skipped,
      sum(status = 'completed' and coalesce(effective_conclusion, '') not in (
        'success', 'failure', 'timed_out', 'startup_failure', 'cancelled', 'skipped'
      )) as other,
      sum(status <> 'completed') as unfinished, count(*) as runs
    from chosen group by day
    """,
    "failure-rate-by-day": _RUNS
    + """
    select day, coalesce(failures, 0) as failures, coalesce(runs, 0) as runs,
      round(1.0 * failures / runs, 4) as failure_rate,
      round(1.0 * sum(failures) over week / sum(runs) over week, 4) as week_failure_rate
    from days left join (
      select day, sum(is_failure) as failures, count(*) as runs
      from decisive group by day
    ) using (day)
    window week as (order by day rows between 6 preceding and current row)
    """,
    "duration-by-day": _RUNS + _percentiles("durations", "day"),
    "success-by-workflow": _RUNS
    + """
    select repo, workflow, round(avg(not is_failure), 4) as success_rate,
      sum(not is_failure) as successes, sum(is_failure) as failures, count(*) as runs
    from decisive group by repo, workflow
    """,
    "duration-by-workflow": _RUNS + _percentiles("durations", _BY_WORKFLOW),
    "flaky-by-workflow": _RUNS
    + """
    select repo, workflow, count(*) as flaky_commits,
      (
        select count(*) from decisive d
        where d.repo = f.repo and d.workflow = f.workflow
          and d.effective_conclusion <> 'startup_failure'
      ) as runs
    from (
      select r.repo, r.workflow, max(a.started_at) as last_started_at,
        max(r.run_id) as last_run_id
      from runs r join run_attempts a using (run_id)
      where r.event <> 'workflow_run' and a.status = 'completed'
        and a.effective_conclusion in ('success', 'failure', 'timed_out')
        and (:branch = '' or r.head_branch = :branch)
        and (:repo = '' or r.repo = :repo)
        and (:workflow = '' or r.workflow = :workflow)
      group by r.repo, r.workflow, r.head_branch, r.head_sha
      having sum(a.conclusion = 'success') > 0
        and sum(a.effective_conclusion in ('failure', 'timed_out')) > 0
    ) f
    where strftime('%Y-%m-%d', last_started_at, '+1 hour')
      between :first_day and :last_day
      and (:branch = '' or exists (
        select 1 from runs where run_id = last_run_id and head_repo = repo
      ))
    group by repo, workflow
    """,
    "queue-time": _RUNS
    + f"""
    select *, (select count(*) from chosen where status = 'completed') as completed_runs
    from ({_percentiles("queues")})
    """,
    "queue-by-day": _RUNS + _percentiles("queues", "day"),
    "queue-by-workflow": _RUNS + _percentiles("queues", _BY_WORKFLOW),
    "queue-by-hour": _JOBS + _percentiles("queues", "hour", "jobs"),
    "queue-by-label": _JOBS + _percentiles("queues", "label", "jobs"),
    "minutes": _JOBS + _MINUTES,
    "billed-minutes": _JOBS + _MINUTES,
    "wasted": _JOBS + _MINUTES,
    "minutes-by-day": _JOBS
    + """
    select day, round(sum(run_seconds) / 60.0) as minutes,
      round(sum(billed_minutes)) as billed,
      round(
        coalesce(sum(run_seconds) filter (where waste = ''), 0) / 60.0
      ) as useful,
      round(
        coalesce(sum(run_seconds) filter (where waste = 'failed'), 0) / 60.0
      ) as failed,
      round(
        coalesce(sum(run_seconds) filter (where waste = 'rerun'), 0) / 60.0
      ) as rerun,
      round(
        coalesce(sum(run_seconds) filter (where waste = 'cancelled'), 0) / 60.0
      ) as cancelled,
      round(
        coalesce(sum(run_seconds) filter (where waste = 'superseded'), 0) / 60.0
      ) as superseded,
      count(*) as jobs
    from chosen group by day
    """,
    "wasted-by-reason": _JOBS
    + """
    select
      case waste when 'superseded' then 'Superseded by a newer run'
        when 'rerun' then 'Ran again' when 'cancelled' then 'Cancelled' else 'Failed'
      end as label,
      round(sum(run_seconds) / 60.0) as minutes, round(sum(billed_minutes)) as billed,
      count(*) as jobs
    from chosen where waste <> '' group by waste
    """,
    "minutes-by-label": _JOBS + _uses("label"),
    "minutes-by-workflow": _JOBS + _uses(_BY_WORKFLOW),
    "minutes-by-actor": _JOBS + _uses("actor as label"),
}
