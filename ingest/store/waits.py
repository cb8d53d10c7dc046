"""Writes the table `waits`: when runs were seen waiting for something but a runner.

GitHub's API tells it only while a run waits, by the run's status: `waiting` for a
deployment protection rule, such as an approval; `pending` for another run of its
concurrency group. So it is recorded from poll to poll.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.github.rows import Row
from ci_observer.ingest.times import parse_instant

APPROVAL, CONCURRENCY = "approval", "concurrency"
# The status of a run, or the conclusion of one that never ran → what it waits for.
REASONS = {
    "waiting": APPROVAL,
    "action_required": APPROVAL,
    "pending": CONCURRENCY,
}
# The times of a run and of its jobs may differ by some seconds.
TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True)
class Wait:
    """An attempt was seen waiting at `from_at`, and for the last time at `until_at`."""

    run_attempt: int
    from_at: str
    reason: str
    until_at: str | None


def save(
    db: Database,
    changes: Iterable[tuple[Row | None, Row]],
    *,
    checked_at: str | None,
) -> None:
    """Record the attempts that begin or end to wait, in the caller's transaction.

    `changes` has the stored and the new row of each changed attempt. `checked_at` is
    when GitHub last responded for them before.
    """
    for before, now in changes:
        was, reason = _reason(before), _reason(now)
        key = [now["run_id"], now["run_attempt"]]
        if was and before and was != reason:
            seen_at = max(checked_at or "", before["updated_at"])
            # Our clock may be ahead of GitHub's.
            db.execute(
                "update waits set until_at = max(from_at, ?)"
                " where run_id = ? and run_attempt = ? and until_at is null",
                [min(seen_at, now["updated_at"]), *key],
            )
        if reason and was != reason:
            db.execute(
                "insert or ignore into waits (run_id, run_attempt, from_at, reason)"
                " values (?, ?, ?, ?)",
                [*key, now["updated_at"], reason],
            )


def of_run(db: Database, run_id: int) -> list[Wait]:
    """The waits of all attempts of a run."""
    found = db.execute(
        "select run_attempt, from_at, reason, until_at from waits where run_id = ?",
        [run_id],
    )
    return [Wait(*row) for row in found]


def reason(waits: Sequence[Wait], job: Row) -> str | None:
    """What a job waited for, if it was still in the queue when a wait was last seen."""
    if job["queue_seconds"] is None:
        return None
    return reason_of_span(
        waits, job["run_attempt"], job["created_at"], job["started_at"]
    )


def reason_of_span(
    waits: Sequence[Wait], run_attempt: int, start: str | None, end: str | None
) -> str | None:
    """The reason of a wait that ends within a span of time; an approval before others.

    A job that runs at once while another one waits ends its time in the queue earlier.
    """
    times = (parse_instant(start or ""), parse_instant(end or ""))
    found = {
        wait.reason
        for wait in waits
        if wait.run_attempt == run_attempt and _is_covered(wait, *times)
    }
    return min(found, default=None)


def _is_covered(wait: Wait, start: datetime | None, end: datetime | None) -> bool:
    """Whether a span contains a wait, or its end and half of the span lies in it."""
    first = parse_instant(wait.from_at)
    last = parse_instant(wait.until_at or wait.from_at)
    if not (start and end and first and last) or last > end + TOLERANCE:
        return False
    shared = min(end, last) - max(start, first)
    return start <= first + TOLERANCE or 2 * shared >= end - start


def _reason(attempt: Row | None) -> str | None:
    if attempt is None:
        return None
    return REASONS.get(attempt["status"]) or REASONS.get(attempt["conclusion"])
