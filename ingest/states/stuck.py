"""Which run of a branch is stuck, and when: it takes far longer than usual.

The rules are those of `tile_facts` and `wall_branches`.
"""
# ruff: noqa: S608 (own names, and no value)

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from ci_observer.ingest.github.rows import LONGEST_RUN
from ci_observer.ingest.states.durations import (
    later_ends,
    p95_seconds,
    present_p95_seconds,
)
from ci_observer.ingest.states.history import Attempt, History
from ci_observer.ingest.states.status import NEVER, later

# A run is stuck after this time, or five times the usual duration.
STUCK_AFTER = timedelta(hours=6)
STUCK_TIMES = 5

# A run and the attempt that makes it unknown, if there is one.
RunKey = tuple[int, int | None]
# The open attempt of each run.
OpenAttempts = dict[int, Attempt]


def stuck_runs(
    history: History, attempts: OpenAttempts, now: str, end: str
) -> dict[str, RunKey | None]:
    """The run that is stuck from each time on, from now until `end`.

    No run begins or ends in between.
    """
    first = min((attempt.started_at for attempt in attempts.values()), default=NEVER)
    if first == NEVER or later(first, STUCK_AFTER) >= end:
        return {now: None}
    began = sorted((a.started_at, run_id) for run_id, a in attempts.items())
    long = {i: attempts[i] for at, i in began if later(at, STUCK_AFTER) < end}
    open_runs = _OpenRuns(history, long, _waits(history, long))
    found: dict[str, RunKey | None] = {}
    # Older runs that end in between change the usual duration.
    starts = [now, *later_ends(history, now, end)]
    for start, until in pairwise([*starts, end]):
        after = _stuck_after(history, start, is_present=until == NEVER)
        for at in {start, *open_runs.edges(after)}:
            if start <= at < until:
                found[at] = open_runs.stuck(at, after)
    return found


@dataclass(frozen=True)
class _OpenRuns:
    """Runs that may be stuck: their attempts, the first one first, and their waits."""

    history: History
    attempts: OpenAttempts
    waits: dict[int, list[tuple[str, str]]]

    def edges(self, after: timedelta) -> Iterable[str]:
        """The times at which another run may be stuck."""
        for run_id, attempt in self.attempts.items():
            yield later(attempt.started_at, after)
            yield later(attempt.started_at, LONGEST_RUN)
            yield from (time for wait in self.waits[run_id] for time in wait)

    def stuck(self, at: str, after: timedelta) -> RunKey | None:
        """The run that began first of those that wait for nobody, if it is stuck."""
        for run_id, attempt in self.attempts.items():
            if any(start <= at < end for start, end in self.waits[run_id]):
                continue
            is_stuck = (
                later(attempt.started_at, after)
                <= at
                < later(attempt.started_at, LONGEST_RUN)
            )
            return (run_id, attempt.number) if is_stuck else None
        return None


def _stuck_after(history: History, at: str, *, is_present: bool) -> timedelta:
    """After which time a run is stuck."""
    seconds = present_p95_seconds(history) if is_present else p95_seconds(history, at)
    return max(STUCK_AFTER, timedelta(seconds=STUCK_TIMES * seconds))


def _waits(
    history: History, attempts: OpenAttempts
) -> dict[int, list[tuple[str, str]]]:
    """When each run waited for an approval or another run: from, and to before."""
    waits: dict[int, list[tuple[str, str]]] = {run_id: [] for run_id in attempts}
    ids = ", ".join(str(run_id) for run_id in attempts)
    for run_id, number, from_at, until_at in history.select(
        "select run_id, run_attempt, from_at, until_at from waits"
        f" where run_id in ({ids})"
    ):
        if attempts[run_id].number == number:
            end = later(until_at, timedelta(seconds=1)) if until_at else NEVER
            waits[run_id].append((from_at, end))
    for run_id, attempt in attempts.items():
        if attempt.waited_for and attempt.queue_seconds is not None:
            queued = timedelta(seconds=attempt.queue_seconds)
            end = later(attempt.started_at, queued)
            waits[run_id].append((attempt.started_at, end))
    return waits
