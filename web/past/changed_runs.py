"""SQL for the runs of a branch that were in another state at a past time.

`past_runs` has their ids; in the temporary table `runs` they have the values of then.
"""
# ruff: noqa: S608 (own names, and no value)

from ci_observer.web.past.attempts import IS_ENDED, OPEN_STATUS
from ci_observer.web.past.conditions import BRANCH, FEED, TILE, UNCHANGED

# Their last attempt had not begun or not ended, or GitHub has deleted them since.
_CHANGED = """(
  started_at > :at or gone_at > :at or status is not 'completed'
  or coalesce(
    strftime('%Y-%m-%dT%H:%M:%SZ', started_at, '+' || duration_seconds || ' seconds'),
    updated_at
  ) > :at
)"""
# Runs that are older than six hours and changed later are `late_runs`.
CHANGED_RUNS = f"""
insert or ignore into past_runs
select run_id, :repo, :workflow, :branch from main.runs
where {BRANCH} and {_CHANGED}
  and created_at >= strftime('%Y-%m-%dT%H:%M:%SZ', :at, '-21600 seconds')
union all
select run_id, :repo, :workflow, :branch from main.late_runs
where {BRANCH} and {_CHANGED}
"""
# Their attempts that had begun and not ended.
OPEN_ATTEMPTS = f"""
insert or ignore into open_attempts
select a.run_id, a.run_attempt, {OPEN_STATUS}
from past_runs p join main.run_attempts a on a.run_id = p.run_id
where p.repo = :repo and p.workflow = :workflow and p.branch = :branch
  and a.started_at <= :at and not {IS_ENDED}
"""
# The tile of another time, between which and now no run was in another state.
IS_KEPT = f"""
select 1 from tiles where {TILE} and not exists (select 1 from past_runs where {TILE})
"""
FORGET = (
    f"delete from tiles where {TILE}",
    f"delete from runs where {FEED} and tile_branch = :branch",
)
IS_PRESENT = f"""
select 1 where not exists (select 1 from past_runs where {TILE}) and not exists (
  select 1 from main.runs
  where {FEED} and tile_branch = :branch and created_at > :at
)
"""
# A branch has a tile from its first run on, even if GitHub has deleted its runs since.
HAS_TILE = f"""
select 1 where exists (select 1 from branch_runs where {BRANCH})
  or exists (select 1 from main.branch_runs where {BRANCH} and {UNCHANGED})
  or exists (
    select 1 from main.late_runs
    where {BRANCH} and gone_at is not null and head_repo = repo
      and event not like 'pull\\_request%' escape '\\'
  )
"""
# The last attempt that had begun. If none had, the run was new; if it is not stored, as
# GitHub no longer had it, nothing is known.
PAST_VALUES = {
    "run_attempt": "coalesce(a.run_attempt, 1)",
    "status": "coalesce(a.status, iif(exists ("
    " select 1 from main.run_attempts f where f.run_id = r.run_id and f.run_attempt = 1"
    "), 'queued', 'completed'))",
    "conclusion": "a.conclusion",
    "started_at": "coalesce(a.started_at, r.created_at)",
    "updated_at": "coalesce(a.updated_at, r.created_at)",
    "duration_seconds": "a.duration_seconds",
    "triggering_actor": "coalesce(a.triggering_actor, r.actor)",
    "cancel_cause": "a.cancel_cause",
    "cancelled_by": "a.cancelled_by",
    "queue_seconds": "a.queue_seconds",
    "waited_for": "a.waited_for",
    "gone_at": "iif(r.gone_at > :at, null, r.gone_at)",
}
COPY_CHANGED_RUNS = """
insert or ignore into runs ({columns})
select {values}
from past_runs p join main.runs r on r.run_id = p.run_id
left join run_attempts a on a.run_id = r.run_id and a.run_attempt = (
  select max(x.run_attempt) from main.run_attempts x
  where x.run_id = r.run_id and x.started_at <= :at
)
where p.repo = :repo and p.workflow = :workflow and p.branch = :branch
"""
RESULTS = f"""
from run_decisions
where {TILE} and run_id in (select run_id from past_runs where {TILE})
"""
