"""Writes the timeouts that durations tell, where annotations do not.

Functions work within the caller's transaction.
"""

from collections.abc import Sequence

from sqlite_utils import Database

from ci_observer.ingest.github.annotations import TIMEOUT, Cancellation
from ci_observer.ingest.github.timeouts import FinishedRun, timed_out_run_ids
from ci_observer.ingest.store.pending import PendingItem

# The newest runs of a branch among which three in a row are looked for.
RUNS_IN_VIEW = 50

_CANCELLED_JOBS = """
select job_id, name, coalesce(duration_seconds, 0) as seconds from attempt_jobs
where run_id = :run_id and run_attempt = :run_attempt and conclusion = 'cancelled'
order by seconds desc, job_id
"""
# Jobs that a person cancels end together; one that ran into its own limit ends alone.
# So the longest job of each half minute comes first.
_JOBS_TO_ASK = """
select job_id from (
    select
        job_id, coalesce(duration_seconds, 0) as seconds, row_number() over (
            partition by unixepoch(completed_at) / 30
            order by duration_seconds desc, job_id
        ) as place
    from attempt_jobs
    where run_id = :run_id and run_attempt = :run_attempt
        and conclusion = 'cancelled'
)
order by place, seconds desc, job_id
"""

_FINISHED_RUNS = f"""
select
    r.run_id, r.run_attempt, r.conclusion, r.cancel_cause,
    -- Its cause is known, or no annotation will tell it for now.
    r.cancel_cause is not null or r.duration_seconds is 0
    or exists (
        select 1 from run_attempts a
        where a.run_id = r.run_id and a.run_attempt = r.run_attempt
            and a.annotations_at is not null
    )
    or exists (
        select 1 from pending p join repos on repos.repo = r.repo
        where p.kind = 'annotations' and p.run_id = r.run_id
            and p.run_attempt = r.run_attempt
            and p.requested_at >= repos.annotations_refused_at
    ) as is_settled
from runs of
join branch_runs r
    on r.repo = of.repo and r.workflow = of.workflow
    and r.tile_branch = of.tile_branch
where of.run_id = ? and r.status = 'completed'
    and r.conclusion in ('cancelled', 'success')
order by r.created_at desc, r.run_id desc limit {RUNS_IN_VIEW}
"""


def save(db: Database, run_id: int) -> list[int]:
    """Write the timeouts of a run's branch; return the runs that changed."""
    runs = _finished_runs(db, run_id)
    unknown = {run.run_id for run in runs if run.cancel_cause is None}
    found = sorted(timed_out_run_ids(runs) & unknown)
    for number in found:
        [[run_attempt]] = db.execute(
            "select run_attempt from runs where run_id = ?", [number]
        )
        set_cause(db, number, run_attempt, Cancellation(TIMEOUT))
    return found


def set_cause(db: Database, run_id: int, run_attempt: int, found: Cancellation) -> None:
    """Write why an attempt was cancelled, also to its run if it is the latest."""
    for table in ("run_attempts", "runs"):
        db.execute(
            f"update {table} set cancel_cause = ?, cancelled_by = ?"
            " where run_id = ? and run_attempt = ?",
            [found.cause, found.cancelled_by, run_id, run_attempt],
        )


def cancelled_job_ids(db: Database, item: PendingItem, limit: int) -> list[int]:
    """The cancelled jobs of an attempt, the longest first."""
    rows = db.execute(_JOBS_TO_ASK, vars(item)).fetchmany(limit)
    return [job_id for (job_id,) in rows]


def _finished_runs(db: Database, run_id: int) -> list[FinishedRun]:
    """The newest cancelled and successful runs of a run's branch, oldest first."""
    rows = db.execute(_FINISHED_RUNS, [run_id]).fetchall()
    return [
        FinishedRun(
            number,
            is_success=conclusion == "success",
            cancel_cause=cause,
            cancelled_jobs=_durations(db, number, run_attempt) if is_settled else None,
        )
        for number, run_attempt, conclusion, cause, is_settled in reversed(rows)
    ]


def _durations(db: Database, run_id: int, run_attempt: int) -> dict[str, Sequence[int]]:
    """The durations of an attempt's cancelled jobs, by their names."""
    durations: dict[str, list[int]] = {}
    params = {"run_id": run_id, "run_attempt": run_attempt}
    for _, name, seconds in db.execute(_CANCELLED_JOBS, params):
        durations.setdefault(name or "", []).append(seconds)
    return {**durations}
