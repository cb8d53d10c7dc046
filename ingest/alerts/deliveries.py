"""Writes `alert_deliveries`: the next message to an address, and what became of it.

A message is `sending` before it is sent. If the process is killed meanwhile, the next
one sends it again, with the same number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import uuid4

from sqlite_utils import Database

from ci_observer.ingest.alerts.deliver import REFUSED, SENT, Result
from ci_observer.ingest.alerts.messages import Fact
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.times import parse_instant, utc

# More alerts at once are one message, and so are several that were found late.
MAX_SINGLE = 5
LATE = timedelta(hours=1)
# How long a message waits for the jobs of its run, which say what failed.
FOR_JOBS = timedelta(minutes=2)
# The waits between tries grow from a minute to an hour; the last try is after a day.
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
MAX_TRIES = 29

OPEN_STATES = ("waiting", "sending", REFUSED)
_FACTS = ", ".join(f"f.{field.name}" for field in fields(Fact))


@dataclass(frozen=True)
class Batch:
    """The alerts of one message to an address. `tries` counts those before."""

    receiver: str
    message_id: str
    facts: tuple[Fact, ...]
    tries: int


@dataclass(frozen=True)
class _Row:
    """A delivery that has not ended."""

    state: str
    message_id: str | None
    tries: int
    next_at: str
    has_pending_jobs: int
    fact: Fact

    def is_ready(self, now: datetime) -> bool:
        found_at = parse_instant(self.fact.found_at)
        if not self.has_pending_jobs or found_at is None:
            return True
        return not found_at - FOR_JOBS < now < found_at + FOR_JOBS

    def is_due(self, now: datetime) -> bool:
        """Whether its time has come. Only a clock that was set back makes it later."""
        return not utc(now) < self.next_at <= utc(now + LONGEST_WAIT)

    @property
    def is_late(self) -> bool:
        at, found_at = parse_instant(self.fact.at), parse_instant(self.fact.found_at)
        return bool(at and found_at and found_at - at > LATE)


def next_batch(db: Database, receiver: str, now: datetime) -> Batch | None:
    """The next message to an address; None if none is due."""
    rows = _open_rows(db, receiver)
    interrupted = [row for row in rows if row.state == "sending"]
    waiting = [row for row in rows if row.state == "waiting"]
    if any(row.tries and not row.is_due(now) for row in waiting):
        # The receiver did not respond: all wait, so that their order stays.
        waiting = []
    refused = [row for row in rows if row.state == REFUSED]
    due = [row for row in (*waiting, *refused) if row.is_due(now)]
    again = interrupted or [row for row in due if row.message_id]
    if again:
        same = [row for row in again if row.message_id == again[0].message_id]
        return _batch(receiver, same, str(again[0].message_id))
    new = [row for row in due if row.is_ready(now)]
    if not new:
        return None
    if len(new) > MAX_SINGLE or sum(row.is_late for row in new) > 1:
        return _batch(receiver, new, uuid4().hex)
    return _batch(receiver, new[:1], new[0].fact.alert_id)


def save_sending(db: Database, batch: Batch) -> None:
    """Record that a message is about to be sent."""
    with transaction(db):
        _update(
            db,
            batch,
            "state = 'sending', message_id = :message_id, tries = tries + 1",
            {"message_id": batch.message_id},
        )


def save_result(db: Database, batch: Batch, result: Result, now: datetime) -> bool:
    """Record what became of a message. Returns whether it is given up."""
    tries = batch.tries + 1
    is_given_up = result.outcome != SENT and tries >= MAX_TRIES
    state = {SENT: SENT, REFUSED: REFUSED}.get(result.outcome, "waiting")
    is_over = is_given_up or result.outcome == SENT
    with transaction(db):
        _update(
            db,
            batch,
            "state = :state, error = :error, next_at = :next_at, ended_at = :ended_at",
            {
                "state": "given_up" if is_given_up else state,
                "error": result.reason or None,
                "next_at": utc(now + wait_after(tries)),
                "ended_at": utc(now) if is_over else None,
            },
        )
    return is_given_up


def wait_after(tries: int) -> timedelta:
    """The wait after a number of failed tries."""
    minutes = 2 ** min(tries - 1, MAX_TRIES)
    return min(FIRST_WAIT * int(minutes), LONGEST_WAIT)


def counts(db: Database, receiver: str | None = None) -> dict[str, int]:
    """How many messages there are in each state, for one address or for all."""
    rows = db.execute(
        "select state, count(*) from alert_deliveries"
        " where :receiver is null or receiver = :receiver group by state",
        {"receiver": receiver},
    )
    return dict(rows.fetchall())


def last_error(db: Database, receiver: str) -> str | None:
    """Why the last message that is not sent was not accepted."""
    row = db.execute(
        "select error from alert_deliveries where receiver = ? and error is not null"
        " and state <> 'sent' order by next_at desc limit 1",
        [receiver],
    ).fetchone()
    return row[0] if row else None


def due_receivers(db: Database, now: datetime) -> list[str]:
    """The addresses for which something may be due."""
    rows = db.execute(
        "select distinct receiver from alert_deliveries"
        " where ended_at is null"
        " and (next_at not between :now and :latest or next_at = :now"
        " or state = 'sending')",
        {"now": utc(now), "latest": utc(now + LONGEST_WAIT)},
    )
    return [receiver for (receiver,) in rows.fetchall()]


def _open_rows(db: Database, receiver: str) -> list[_Row]:
    rows = db.execute(
        f"""
        select d.state, d.message_id, d.tries, d.next_at, f.has_pending_jobs, {_FACTS}
        from alert_deliveries d
        join alerts a using (alert_id)
        join alert_facts f using (alert_id)
        where d.receiver = ? and d.ended_at is null
        order by a.rowid
        """,  # noqa: S608 (own names)
        [receiver],
    ).fetchall()
    return [
        _Row(state, message_id, tries, next_at, has_pending_jobs, Fact(*fact))
        for state, message_id, tries, next_at, has_pending_jobs, *fact in rows
    ]


def _batch(receiver: str, rows: Sequence[_Row], message_id: str) -> Batch:
    facts = tuple(row.fact for row in rows)
    return Batch(receiver, message_id, facts, max(row.tries for row in rows))


def _update(
    db: Database, batch: Batch, changes: str, values: dict[str, str | None]
) -> None:
    db.conn.executemany(
        f"update alert_deliveries set {changes}"  # noqa: S608 (own names)
        " where alert_id = :alert_id and receiver = :receiver",
        [
            values | {"alert_id": fact.alert_id, "receiver": batch.receiver}
            for fact in batch.facts
        ],
    )
