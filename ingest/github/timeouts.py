"""Which cancelled runs ran into a time limit, judged by how long their jobs took.

For runs whose annotations say nothing, or may not be read. A job that hits its limit
takes as long each time: a whole number of minutes, and the seconds until it has ended.
Pure functions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ci_observer.ingest.github.annotations import PERSON, SUPERSEDED

# This many runs in a row must look alike.
RUNS_IN_A_ROW = 3
# How far the durations of such jobs may lie apart, in seconds.
MAX_SPREAD = 15
MINUTE = 60
# The seconds above a whole minute that a job may take to end.
MAX_SECONDS_TO_END = 45
# "Each job in a workflow can run for up to 6 hours": a job's longest duration without
# `timeout-minutes`, and the longest of one that was cancelled then.
# https://docs.github.com/en/actions/reference/limits
SIX_HOURS = 6 * 60 * 60
SIX_HOURS_AND_END = SIX_HOURS + 120


@dataclass(frozen=True)
class FinishedRun:
    """A cancelled run of a branch, or a successful one, which ends a row.

    `cancelled_jobs` has the durations of its cancelled jobs by name, None while the
    cause may still become known, and `cancel_cause` the known cause.
    """

    run_id: int
    is_success: bool = False
    cancel_cause: str | None = None
    cancelled_jobs: Mapping[str, Sequence[int]] | None = None

    @property
    def was_replaced(self) -> bool:
        """Whether it made room for another run: superseded, or before any job began."""
        if self.is_success:
            return False
        jobs = self.cancelled_jobs
        never_started = jobs is not None and not any(map(any, jobs.values()))
        return never_started or self.cancel_cause == SUPERSEDED


def timed_out_run_ids(runs: Iterable[FinishedRun]) -> set[int]:
    """The runs that ran into a limit. `runs` are those of a branch in their order.

    A single job is enough at six hours, the limit of GitHub's own runners. Otherwise
    three runs in a row, without a success between them, have a job of the same name
    that took as long in each of them.
    """
    tried = [run for run in runs if not run.was_replaced]
    found = {run.run_id for run in tried if _can_time_out(run) and _has_six_hours(run)}
    for start in range(len(tried) - RUNS_IN_A_ROW + 1):
        row = tried[start : start + RUNS_IN_A_ROW]
        if all(map(_can_time_out, row)) and _have_same_duration(row):
            found |= {run.run_id for run in row}
    return found


def _can_time_out(run: FinishedRun) -> bool:
    return not run.is_success and run.cancel_cause != PERSON


def _has_six_hours(run: FinishedRun) -> bool:
    return any(
        SIX_HOURS <= seconds <= SIX_HOURS_AND_END
        for durations in (run.cancelled_jobs or {}).values()
        for seconds in durations
    )


def _have_same_duration(row: Sequence[FinishedRun]) -> bool:
    """Whether all runs have a job of one name that may have hit the same limit."""
    return any(
        all(
            any(shortest <= seconds <= shortest + MAX_SPREAD for seconds in durations)
            for durations in _at_a_limit(name, row)
        )
        for name in row[0].cancelled_jobs or {}
        for shortest in sorted(set().union(*_at_a_limit(name, row)))
    )


def _at_a_limit(name: str, row: Sequence[FinishedRun]) -> list[list[int]]:
    """The durations of each run's jobs of this name that may have hit a limit."""
    return [
        [
            seconds
            for seconds in (run.cancelled_jobs or {}).get(name, [])
            if seconds >= MINUTE and seconds % MINUTE <= MAX_SECONDS_TO_END
        ]
        for run in row
    ]
