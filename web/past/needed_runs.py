"""SQL for the runs of a branch that the views of a tile can read.

These are the runs that were in the same state at a past time as now. A branch may have
thousands, so only these are copied.
"""
# ruff: noqa: S608 (own names, and no value)

from typing import Any

from ci_observer.web.past.conditions import BRANCH, FEED, NEWEST, TILE, UNCHANGED

# The newest runs, and for which of the numbers below each counts.
NEWEST_RUNS = f"""
select
  not zero_duration as is_sure,
  not zero_duration and event is not 'workflow_run' as may_be_flaky,
  not zero_duration and queue_seconds is not null and waited_for is null as was_queued
from main.branch_runs where {BRANCH} and {UNCHANGED} {NEWEST} :limit
"""
# The views read the last 20 runs, the last 20 that may be flaky, and of the last 100
# those 20 that have waited for a runner.
SURE, FLAKY, QUEUED, MOST_QUEUED = 20, 20, 20, 100
FIRST_LIMIT = 30
_LAST_RESULT = f"""
(
  select max(created_at) from (
    select * from (
      select created_at from decisions
      where {TILE} and result = 'passing' and not zero_duration {NEWEST} 1
    )
    union all
    select * from (
      select created_at from decisions
      where {TILE} and result = 'failing' and not zero_duration {NEWEST} 1
    )
  )
)"""
# The other runs that the views read, by their ids: the newest of each result; those
# since then that decided nothing, and the runs that superseded them; those that failed
# at once, and may be phantoms; the newest one that is held; ten by a schedule.
OTHER_RUNS = f"""
with undecided as materialized (
  select run_id, created_at, started_at, duration_seconds, cancel_cause
  from main.inconclusive_runs
  where {BRANCH} and {UNCHANGED} and created_at >= coalesce({_LAST_RESULT}, '')
),
superseded as materialized (
  select created_at, started_at, duration_seconds from undecided
  where cancel_cause = 'superseded'
  union
  select created_at, started_at, duration_seconds from runs
  where {BRANCH} and cancel_cause = 'superseded'
)
select run_id from undecided
union
select o.run_id
from superseded s
join main.runs o
  on o.repo = :repo and o.workflow = :workflow and o.tile_branch = :branch
  and o.created_at >= s.created_at and o.created_at <= strftime(
    '%Y-%m-%dT%H:%M:%SZ', s.started_at,
    '+' || coalesce(s.duration_seconds, 0) || ' seconds'
  )
where o.created_at <= :at
union
select * from (
  select run_id from decisions
  where {TILE} and result = 'passing' and not zero_duration {NEWEST} 1
)
union
select * from (
  select run_id from decisions
  where {TILE} and result = 'failing' and not zero_duration {NEWEST} 1
)
union
select run_id from main.runs
where {FEED} and tile_branch = :branch and +created_at <= :at
  and (gone_at is not null or conclusion = 'failure' and duration_seconds = 0)
  and conclusion = 'failure' and duration_seconds = 0
union
select * from (
  select run_id from main.branch_runs
  where {BRANCH} and {UNCHANGED} and conclusion = 'action_required' {NEWEST} 1
)
union
select * from (
  select run_id from main.branch_runs
  where {BRANCH} and {UNCHANGED} and event = 'schedule' and not zero_duration
  {NEWEST} 10
)
"""
# What the span of the last result refers to: the run that broke it or fixed it, and the
# runs with the same error.
RUNS_OF_SPAN = f"""
select broken_run_id from tile_red_spans where {TILE}
union
select red_spans ->> 'fixed_run_id' from tile_red_spans where {TILE}
union
select x.run_id
from tile_red_spans s
join job_errors e on e.run_id = s.last_result_run_id
join job_errors x
  on x.error_id = e.error_id and x.repo = s.repo and x.workflow = s.workflow
where s.repo = :repo and s.workflow = :workflow and s.branch = :branch
  and s.last_result = 'failing'
"""
# The events whose runs took time, where a run failed at once. The view knows only the
# runs that were copied, so the others are looked for; a deleted run has proved it, too.
BRANCH_EVENTS = f"""
insert or ignore into branch_events (repo, workflow, branch, event)
select repo, workflow, branch, event from timed_events where {TILE}
union
select e.repo, e.workflow, e.branch, e.event from main.branch_events e
where {TILE} and exists (
  select 1 from main.runs r
  where r.repo = e.repo and r.workflow = e.workflow and r.tile_branch = e.branch
    and r.event = e.event and r.head_repo = r.repo and r.created_at <= :at
    and exists (
      select 1 from run_attempts a where a.run_id = r.run_id and a.duration_seconds > 0
    )
)
"""
HAS_FAILED_AT_ONCE = f"""
select 1 from runs
where {BRANCH} and conclusion = 'failure' and duration_seconds = 0 limit 1
"""
# The runs that the wall reads of a tile that is the same as now.
RUNS_OF_TILE = f"""
select run_id from main.runs where run_id in (
  select newest_run_id from main.tiles where {TILE}
  union select last_result_run_id from main.tiles where {TILE}
  union select untested_run_id from main.tiles where {TILE}
  union select * from (
    select run_id from main.tile_runs
    where {FEED} and tile_branch = :branch and event = 'schedule' {NEWEST} 1
  )
)
"""


def are_enough(rows: list[Any]) -> bool:
    """Whether older runs than these cannot change a tile's strip and numbers."""
    sure, may_be_flaky, was_queued = (sum(column) for column in zip(*rows, strict=True))
    has_queue_times = was_queued >= QUEUED or sure >= MOST_QUEUED
    return bool(sure >= SURE and may_be_flaky >= FLAKY and has_queue_times)
