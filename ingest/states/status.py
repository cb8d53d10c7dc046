"""The status of a run at a time: open, decided, deleted."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from ci_observer.ingest.states.history import Attempt, Run
from ci_observer.ingest.times import utc

# After every time.
NEVER = "~"


class Status(NamedTuple):
    """A run at some time."""

    is_present: bool = False
    is_open: bool = False
    attempt: Attempt | None = None
    decision: Attempt | None = None


def status_at(run: Run, at: str) -> Status:
    """The status of a run at a time."""
    if run.created_at > at or (run.removed_at or NEVER) <= at:
        return Status()
    latest = decision = None
    is_open = False
    for attempt in run.attempts:
        if attempt.started_at > at:
            break
        latest = attempt
        is_open = attempt.ended_at is None or attempt.ended_at > at
        if attempt.result and not is_open:
            decision = attempt
    if latest is None:
        # Its first attempt is still to begin; if it is not stored, nothing is known.
        is_open = bool(run.attempts) and run.attempts[0].number == 1
    return Status(True, is_open, latest, decision)


@lru_cache(maxsize=1000)
def later(text: str, by: timedelta) -> str:
    """A time some while after another one."""
    return utc(datetime.fromisoformat(text) + by)
