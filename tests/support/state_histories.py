"""Random histories of a feed, written as polls see them, and the wall at past times.

The oracle writes only what was true at a time to a database of its own, whose clock
stands at that time, and reads the view `wall`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from archive import set_clock, watch
from factories import run_payload
from sqlite_utils import Database

from ci_observer.ingest.store import gone_runs, runs
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import get
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc

REPO, FILE = "acme/api", "ci.yml"
START = datetime(2026, 2, 1, tzinfo=UTC)
WAITING = 10_000


def minute(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def text(minutes: int) -> str:
    return utc(minute(minutes))


@dataclass(frozen=True)
class Attempt:
    """Begins some minutes after the start. `minutes` is None while it is open."""

    starts: int
    minutes: int | None
    conclusion: str = "success"
    cause: str | None = None

    def end(self) -> int | None:
        return None if self.minutes is None else self.starts + self.minutes


@dataclass(frozen=True)
class Run:
    """A run as GitHub had it. Times are minutes after the start."""

    run_id: int
    attempts: tuple[Attempt, ...]
    event: str = "push"
    branch: str = "main"
    is_tag: bool = False
    gone: int | None = None
    is_invalid: bool = False

    @property
    def created(self) -> int:
        return self.attempts[0].starts

    def payload(self, number: int, at: int) -> dict[str, Any]:
        """An attempt as GitHub had it at a time."""
        attempt = self.attempts[number - 1]
        end = attempt.end()
        is_over = (end is not None and end <= at) or number < len(
            [a for a in self.attempts if a.starts <= at]
        )
        updated = end if is_over and end is not None else attempt.starts
        return run_payload(
            self.run_id,
            run_attempt=number,
            event=self.event,
            head_branch=self.branch,
            status="completed" if is_over else "in_progress",
            conclusion=attempt.conclusion if is_over else None,
            created_at=text(self.created),
            run_started_at=text(attempt.starts),
            updated_at=text(updated),
            **({"name": ".github/workflows/ci.yml"} if self.is_invalid else {}),
        )

    def seen_at(self, at: int) -> int:
        """When GitHub last had the run, up to a time."""
        return at if self.gone is None else min(at, self.gone)

    def numbers(self, at: int) -> list[int]:
        return [
            number
            for number, attempt in enumerate(self.attempts, 1)
            if attempt.starts <= at
        ]


@dataclass(frozen=True)
class Fact:
    """A change of a column of the feed, or of the blocked run of its repository.

    Or of the schedule that the settings expect: its seconds, and since when.
    """

    at: int
    column: str
    value: str | int | tuple[int, str] | None


@dataclass(frozen=True)
class History:
    runs: tuple[Run, ...]
    facts: tuple[Fact, ...]
    end: int

    def times(self) -> list[int]:
        """All minutes at which something happens, and one after each."""
        found = {fact.at for fact in self.facts} | {self.end}
        for run in self.runs:
            found |= {run.gone} if run.gone else set()
            for attempt in run.attempts:
                found |= {attempt.starts, attempt.end() or self.end}
        found |= {time + 1 for time in found} | {time - 1 for time in found}
        return sorted(time for time in found if 0 <= time <= self.end)


def write_feed(db: Database) -> None:
    set_clock(db, START)
    watch(db, (REPO, FILE), now=START)


def write_fact(db: Database, fact: Fact) -> None:
    with transaction(db):
        if fact.column == "blocked_run_id":
            db.execute("insert or ignore into repos (repo) values (?)", [REPO])
            db.execute("update repos set blocked_run_id = ?", [fact.value])
        elif fact.column == "schedule":
            write_schedule(db, fact)
        else:
            db.execute(f"update feeds set {fact.column} = ?", [fact.value])  # noqa: S608


def write_schedule(db: Database, fact: Fact) -> None:
    if fact.value is None:
        db.execute("delete from feed_settings")
        return
    seconds = fact.value
    seconds, since = seconds if isinstance(seconds, tuple) else (seconds, text(fact.at))
    row = {"schedule_seconds": seconds, "schedule_from_at": since}
    db["feed_settings"].upsert(
        {"repo": REPO, "workflow": FILE} | row, pk=("repo", "workflow")
    )


def write_attempt(db: Database, run: Run, number: int, at: int) -> None:
    payload = run.payload(number, at)
    with transaction(db):
        runs.save_run(db, get(db, REPO, FILE), payload, now=minute(at))
        if run.is_tag:
            db.execute("update runs set is_tag = 1 where run_id = ?", [run.run_id])
            update_tiles(db, [run.run_id])
        cause = run.attempts[number - 1].cause
        if cause and payload["status"] == "completed":
            db.execute(
                "update run_attempts set cancel_cause = ?"
                " where run_id = ? and run_attempt = ?",
                [cause, run.run_id, number],
            )
            db.execute(
                "update runs set cancel_cause = ? where run_id = ? and run_attempt = ?",
                [cause, run.run_id, number],
            )
            update_tiles(db, [run.run_id])


def write_gone(db: Database, run: Run) -> None:
    with transaction(db):
        gone_runs._set_gone(db, run.run_id, text(run.gone or 0))


def facts_at(db: Database, at: int) -> list[Fact]:
    """The recorded facts of the feed at a time; of before, only the default branch."""
    names = (
        "is_watched",
        "workflow_state",
        "default_branch",
        "error_kind",
        "blocked_run_id",
        "no_runs_at",
        "iif(schedule_seconds, json_array(schedule_seconds, schedule_from_at), null)",
    )
    rows = db.execute(
        f"select {', '.join(names)} from feed_states where from_at <= ?"  # noqa: S608
        " order by from_at desc limit 1",
        [text(at)],
    ).fetchall()
    *values, schedule = rows[0]
    facts = [Fact(at, *pair) for pair in zip(names[:-1], values, strict=True)]
    return [*facts, Fact(at, "schedule", schedule and tuple(json.loads(schedule)))]


def wall_at(
    db: Database, history: History, facts: list[Fact], at: int
) -> tuple[str | None, str, str | None]:
    """The branch, state and reason that the wall had; `db` is empty."""
    write_feed(db)
    for run in history.runs:
        for number in run.numbers(run.seen_at(at)):
            write_attempt(db, run, number, run.seen_at(at))
        if run.gone is not None and run.created <= run.gone <= at:
            write_gone(db, run)
    set_clock(db, minute(at))
    for fact in facts:
        write_fact(db, fact)
    db.execute("update feeds set checked_at = ?", [text(at)])
    rows = db.execute(
        "select iif(tag is null, branch, 'refs/tags'), tile_state, untested_reason"
        " from wall"
    ).fetchall()
    return state_of(*rows[0]) if rows else (None, "unknown", "unwatched")


def state_of(
    branch: str | None, tile_state: str, untested: str | None
) -> tuple[str | None, str, str | None]:
    colors = {"passing": "green", "failing": "red"}
    if tile_state in colors:
        return branch, colors[tile_state], None
    return branch, "unknown", "no_result" if tile_state == "unknown" else tile_state


def span_at(db: Database, at: int) -> tuple[str | None, str, str | None]:
    row = db.execute(
        "select branch, state, reason from state_spans where from_at <= ?"
        " and (to_at is null or to_at > ?)",
        [text(at), text(at)],
    ).fetchall()
    assert len(row) == 1, row
    return tuple(row[0])


def spans(db: Database) -> list[tuple[Any, ...]]:
    return db.execute(
        "select from_at, to_at, branch, state, reason, run_id, run_attempt"
        " from state_spans order by from_at"
    ).fetchall()


def write_as_polled(db: Database, history: History, polls: list[int]) -> None:
    """Write the history as polls at some minutes see it; the last one sees the end."""
    write_feed(db)
    seen: dict[tuple[int, int], Any] = {}
    since = -1
    for at in sorted({*polls, history.end}):
        timed = [(f.at, write_fact, (f,)) for f in history.facts if since < f.at <= at]
        timed += [
            (r.gone, write_gone, (r,))
            for r in history.runs
            if r.gone is not None and since < r.gone <= at
        ]
        for run in history.runs:
            seen_at = run.seen_at(at)
            # The newest attempt is listed; older ones are fetched afterwards.
            for number in reversed(run.numbers(seen_at)):
                payload = run.payload(number, seen_at)
                if seen.get((run.run_id, number)) != payload:
                    seen[run.run_id, number] = payload
                    when = at if seen_at == at else seen_at - 0.5
                    timed.append((when, write_attempt, (run, number, seen_at)))
        for when, write, args in sorted(timed, key=lambda item: item[0]):
            set_clock(db, minute(int(when)))
            write(db, *args)
        since = at


CONCLUSIONS = (
    *("success", "success", "failure", "failure", "cancelled", "skipped"),
    *("stale", "timed_out", "neutral", "action_required"),
)
EVENTS = ("push", "push", "schedule", "schedule", "workflow_dispatch", "pull_request")
CAUSES = (None, "superseded", "superseded", "timeout", "person")
FACT_VALUES: tuple[tuple[str, tuple[str | int | None, ...]], ...] = (
    ("workflow_state", ("active", "disabled_manually", "deleted")),
    ("error_kind", (None, "not_found", "forbidden", "unavailable")),
    ("default_branch", ("main", "trunk")),
    ("no_runs_at", (None, text(3))),
    ("is_watched", (0, 1)),
    ("blocked_run_id", (None, 1)),
    ("schedule", (None, 900, 6 * 3600, 86_400)),
    ("schedule", (900, 3600)),
)


def random_history(random: Random) -> History:
    """A few runs and facts whose states are hard to tell."""
    created = random.randint(0, 60)
    runs = []
    for run_id in range(1, random.randint(2, 10)):
        created += random.choice((0, 1, 3, 10, 30, 400, 1500))
        runs.append(_random_run(random, run_id, created))
    ends = [attempt.end() or 0 for run in runs for attempt in run.attempts]
    end = max([created, *ends, *(run.gone or 0 for run in runs)])
    end += random.choice((1, 30, 1000, 5000))
    facts = []
    for _ in range(random.choice((0, 0, 1, 2, 4))):
        column, values = random.choice(FACT_VALUES)
        facts.append(Fact(random.randint(1, end), column, random.choice(values)))
    facts.sort(key=lambda fact: fact.at)
    return History(tuple(runs), tuple(facts), end)


def _random_run(random: Random, run_id: int, created: int) -> Run:
    is_tag = random.random() < 0.12
    attempts = _random_attempts(random, created)
    is_instant = attempts[0].minutes == 0
    gone = created + random.choice((1, 7, 50, 700))
    return Run(
        run_id,
        attempts,
        event=random.choice(EVENTS),
        branch="v1" if is_tag else random.choice(("main",) * 6 + ("trunk",)),
        is_tag=is_tag,
        gone=gone if random.random() < 0.15 else None,
        is_invalid=is_instant and random.random() < 0.5,
    )


def _random_attempts(random: Random, starts: int) -> tuple[Attempt, ...]:
    attempts: list[Attempt] = []
    for number in range(1, random.choice((1, 1, 1, 2, 3)) + 1):
        conclusion = random.choice(CONCLUSIONS)
        cause = random.choice(CAUSES) if conclusion == "cancelled" else None
        minutes: int | None = random.choice((1, 5, 5, 20, 30, 500))
        if conclusion == "failure" and number == 1 and random.random() < 0.25:
            minutes = 0
        if random.random() < 0.08:
            minutes = None
        attempts.append(Attempt(starts, minutes, conclusion, cause))
        if minutes is None:
            break
        starts += minutes + random.choice((0, 1, 10, 600))
    return tuple(attempts)
