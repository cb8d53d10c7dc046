"""The facts about red spans equal those of a plain computation, for any history."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from archive import NOW, save_runs, set_clock, watch
from factories import run_payload
from hypothesis import given, settings
from hypothesis import strategies as st
from tiles import FEED

from ci_observer.ingest.db import schema
from ci_observer.ingest.times import utc

BROKEN = ("broken_run_id", "broken_run_attempt", "broken_actor", "broken_at")
FIXED = ("fixed_run_id", "fixed_run_attempt", "fixed_actor", "fixed_at", "red_seconds")
NOBODY = (None,) * 4
NOT_RED = (None,) * 5

START = datetime(2026, 2, 1, tzinfo=UTC)
RESULTS = {"success": "passing", "failure": "failing", "timed_out": "failing"}


@dataclass
class Attempt:
    number: int
    start: int
    end: int
    conclusion: str
    starter: str

    @property
    def result(self) -> str | None:
        return RESULTS.get(self.conclusion)


@dataclass
class Run:
    id: int
    created: int
    actor: str
    attempts: list[Attempt] = field(default_factory=list)

    def phases(self) -> list[Attempt]:
        """The first attempt of each row of attempts with the same result."""
        decisive = [attempt for attempt in self.attempts if attempt.result]
        return [
            attempt
            for before, attempt in zip([None, *decisive], decisive, strict=False)
            if before is None or before.result != attempt.result
        ]

    def actor_of(self, attempt: Attempt) -> str:
        return attempt.starter if attempt.number > 1 else self.actor


def moment(minute: int) -> str:
    return utc(START + timedelta(minutes=minute))


def payloads(run: Run) -> list[dict[str, Any]]:
    return [
        run_payload(
            run.id,
            run_attempt=attempt.number,
            conclusion=attempt.conclusion,
            created_at=moment(run.created),
            run_started_at=moment(attempt.start),
            updated_at=moment(attempt.end),
            actor={"login": run.actor},
            triggering_actor={"login": run.actor_of(attempt)},
        )
        for attempt in run.attempts
    ]


@st.composite
def histories(draw, *, overlapping: bool) -> list[Run]:
    """Runs in the order of their creation, each with some attempts.

    A run has one result for a tile. Without overlaps that is what the wall has shown,
    so no run is run again that has passed.
    """
    runs: list[Run] = []
    now = 0
    for run_id in range(1, draw(st.integers(1, 9)) + 1):
        now += draw(st.integers(0 if overlapping else 1, 20))
        run = Run(run_id, now, draw(st.sampled_from(("ada", "tomasz"))))
        start = now
        for number in range(1, draw(st.sampled_from((1, 1, 1, 2, 3))) + 1):
            end = start + draw(st.integers(1, 40))
            conclusion = draw(
                st.sampled_from(("success", "failure", "timed_out", "skipped"))
            )
            run.attempts.append(Attempt(number, start, end, conclusion, f"again-{end}"))
            if conclusion == "success" and not overlapping:
                break
            start = end + draw(st.integers(1, 60))
        if not overlapping:
            now = run.attempts[-1].end
        runs.append(run)
    return runs


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that watches the feed and has no runs."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    db = schema.connect(path)
    schema.migrate(db)
    set_clock(db, NOW)
    watch(db, FEED)
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    return path


def stored_tile(empty: Path, runs: list[Run]) -> dict[str, Any]:
    path = empty.with_name("runs.db")
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(empty, path)
    db = schema.connect(path)
    for run in runs:
        save_runs(db, *payloads(run))
    assert db.execute("select * from tiles").fetchall() == (
        db.execute("select * from tile_facts").fetchall()
    )
    [row] = db.query("select * from wall")
    db.close()
    return row


Failure = tuple[Run, Attempt]


def failures_of(run: Run) -> list[Failure]:
    """A run's last failure: that of its result, or the one before a green re-run."""
    last = [phase for phase in run.phases()[-2:] if phase.result == "failing"]
    return [(run, phase) for phase in last[-1:]]


def is_passing(run: Run) -> bool:
    return [phase.result for phase in run.phases()[-1:]] == ["passing"]


def expected_spans(runs: list[Run]) -> tuple[list[Any], list[Failure]]:
    """(first passing run, its attempt, length, is whole) of each, and the open span."""
    ended: list[Any] = []
    failing: list[Failure] = []
    is_whole = False
    for index, run in enumerate(runs):
        failing += failures_of(run)
        if not is_passing(run):
            continue
        if failing:
            ended.append(span(failing, runs[index:], is_whole=is_whole))
        failing, is_whole = [], True
    return [found for found in ended if found], failing


def span(failing: list[Failure], later: list[Run], *, is_whole: bool) -> Any:
    fixer = min(
        filter(is_passing, later), key=lambda run: (run.phases()[-1].end, run.id)
    )
    fix = fixer.phases()[-1]
    starts = [phase.start for _, phase in failing if phase.end < fix.end]
    newer = [
        failure for run in later if run.id > fixer.id for failure in failures_of(run)
    ]
    if not starts or any(phase.end < fix.end for _, phase in newer):
        return None
    return fixer, fix, fix.end - min(starts), is_whole


@settings(max_examples=25)
@given(histories(overlapping=True))
def test_the_facts_are_those_of_all_runs(empty, runs):
    row = stored_tile(empty, runs)
    ended, failing = expected_spans(runs)

    broken = min(
        failing, key=lambda f: (f[1].start, f[0].created, f[0].id), default=None
    )
    assert tuple(row[name] for name in BROKEN) == (
        (
            broken[0].id,
            broken[1].number,
            broken[0].actor_of(broken[1]),
            moment(broken[1].start),
        )
        if broken
        else NOBODY
    )
    assert row["broken_at"] == (row["since_at"] if broken else None)
    if row["last_result"] == "passing" and ended:
        fixer, fix, minutes, _ = ended[-1]
        expected = (
            fixer.id,
            fix.number,
            fixer.actor_of(fix),
            moment(fix.end),
            minutes * 60,
        )
    else:
        expected = NOT_RED
    assert tuple(row[name] for name in FIXED) == expected
    lengths = [minutes * 60 for _, _, minutes, is_whole in ended if is_whole]
    assert row["usual_fix_seconds"] == (
        round(median(lengths)) if len(lengths) > 1 else None
    )


@settings(max_examples=25)
@given(histories(overlapping=False))
def test_the_recovery_is_what_the_wall_has_shown(empty, runs):
    """While one run follows the other: the last change from red to green."""
    row = stored_tile(empty, runs)
    result, red_since, recovery = None, 0, None
    for run in runs:
        for attempt in run.attempts:
            if attempt.result == "failing" and result != "failing":
                red_since = attempt.start
            if attempt.result == "passing" and result == "failing":
                recovery = (moment(attempt.end), 60 * (attempt.end - red_since))
            result = attempt.result or result

    shown = recovery if result == "passing" else None
    assert (row["fixed_at"], row["red_seconds"]) == (shown or (None, None))
