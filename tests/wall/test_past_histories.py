"""The wall of a past time equals that of a database with only what existed then."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archive import save_runs, set_clock, watch
from factories import run_payload
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from job_objects import job_object, save_error, save_jobs
from sqlite_utils import Database
from tiles import FEED

from ci_observer.ingest.db import schema
from ci_observer.ingest.store import feeds
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc
from ci_observer.web.columns import TILE_COLUMNS
from ci_observer.web.past.wall import fill
from ci_observer.web.read_connection import ReadConnection

START = datetime(2026, 2, 1, tzinfo=UTC)
END = 100_000
# Minutes after START.
Minute = int
CONCLUSIONS = (
    *("success",) * 5,
    *("failure",) * 4,
    *("timed_out", "cancelled", "cancelled", "cancelled", "skipped", "skipped"),
    *("action_required", "stale", "startup_failure", None),
)
EVENTS = ("push", "push", "schedule", "workflow_run", "pull_request")
SELECT = f"select {', '.join(TILE_COLUMNS)} from wall_branches order by branch"  # noqa: S608


@dataclass(frozen=True)
class Attempt:
    """An attempt; `cause` is why it was cancelled, `failed_job` has its conclusion."""

    start: Minute
    end: Minute
    conclusion: str | None
    queued: int = 0
    cause: str | None = None
    failed_job: str | None = None


@dataclass(frozen=True)
class Run:
    id: int
    created: Minute
    attempts: tuple[Attempt, ...]
    event: str = "push"
    branch: str = "main"
    is_fork: bool = False
    sha: int = 1
    gone: Minute | None = None


def moment(minute: float) -> str:
    return utc(START + timedelta(minutes=minute))


def payload(run: Run, number: int, attempt: Attempt, at: Minute) -> dict[str, Any]:
    is_ended = attempt.end <= at
    began = attempt.start + attempt.queued
    status = "in_progress" if began <= at else "queued"
    head = {"id": 9, "full_name": "someone/api"} if run.is_fork else {}
    return run_payload(
        run.id,
        run_attempt=number,
        event=run.event,
        head_branch=run.branch,
        head_sha=f"{run.sha:040x}",
        status="completed" if is_ended else status,
        conclusion=attempt.conclusion if is_ended else None,
        created_at=moment(run.created),
        run_started_at=moment(attempt.start),
        updated_at=moment(attempt.end if is_ended else max(attempt.start, began)),
        triggering_actor={"login": f"starter-{number}"},
        **({"head_repository": head} if run.is_fork else {}),
    )


def save_history(db: Database, history: list[Run], at: Minute) -> None:
    """Store what GitHub had at a time, attempt by attempt."""
    for run in history:
        for number, attempt in enumerate(run.attempts, 1):
            if run.created <= at and attempt.start <= at:
                save_runs(
                    db,
                    payload(run, number, attempt, at),
                    now=START + timedelta(minutes=at),
                )
                if attempt.end <= at:
                    save_end(db, run, number, attempt)
        if run.created <= at and run.gone is not None and run.gone <= at:
            with transaction(db):
                db["runs"].update(run.id, {"gone_at": moment(run.gone)})
                update_tiles(db, [run.id])


def save_end(db: Database, run: Run, number: int, attempt: Attempt) -> None:
    """Store what GitHub tells when an attempt has ended."""
    if attempt.cause:
        cause = {"cancel_cause": attempt.cause}
        with transaction(db):
            db["run_attempts"].update((run.id, number), cause)
            db["runs"].update(run.id, cause)
            update_tiles(db, [run.id])
    if attempt.end > attempt.start:
        seconds = 60 * (attempt.end - attempt.start)
        start = START + timedelta(minutes=attempt.start)
        job = job_object(
            10 * run.id + number,
            conclusion=attempt.failed_job or "success",
            start=start,
            queued=60 * attempt.queued,
            ran=seconds - 60 * attempt.queued,
            run_attempt=number,
        )
        save_jobs(db, run.id, job, attempt=number)
        if attempt.failed_job:
            save_error(db, job["id"], "No space left on device")
            db.execute(
                "update job_errors set error_id = 1, failed_at = ? where job_id = ?",
                [moment(attempt.end), job["id"]],
            )
            with transaction(db):
                update_tiles(db, [run.id])


@st.composite
def histories(draw: st.DrawFn) -> list[Run]:
    """Runs in the order of their creation; some run at the same time or at once."""
    runs, now = [], 0
    for run_id in range(1, draw(st.integers(1, 14)) + 1):
        now += draw(st.sampled_from((0, 1, 3, 10, 60, 1000, 3000)))
        start, attempts = now, []
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
            lasts = draw(st.sampled_from((0, 1, 5, 20, 400)))
            attempt = Attempt(
                start,
                start + lasts,
                draw(st.sampled_from(CONCLUSIONS)),
                queued=draw(st.integers(0, min(lasts, 4))),
            )
            if attempt.conclusion == "cancelled":
                causes = ("timeout", "superseded", "person", None)
                attempt = replace(attempt, cause=draw(st.sampled_from(causes)))
            if attempt.conclusion in ("failure", "cancelled") and draw(st.booleans()):
                attempt = replace(attempt, failed_job="failure")
            attempts.append(attempt)
            start += lasts + draw(st.sampled_from((1, 10, 2000)))
        runs.append(
            Run(
                run_id,
                now,
                tuple(attempts),
                event=draw(st.sampled_from(EVENTS)),
                branch=draw(st.sampled_from(("main", "main", "main", "dev"))),
                is_fork=draw(st.sampled_from((False,) * 9 + (True,))),
                sha=draw(st.integers(1, 3)),
                gone=draw(st.sampled_from((None,) * 6 + (start + 100, start + 9000))),
            )
        )
    return runs


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that has watched the feed from the start and has no runs."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        set_clock(db, START)
        watch(db, FEED, now=START)
        db.execute(
            "insert into errors (error_id, text) values (1, 'No space left on device')"
        )
        db.execute("pragma wal_checkpoint(truncate)")
    return path


def stored(empty: Path, name: str, history: list[Run], at: Minute) -> Path:
    """A database at a time, with the runs that GitHub had then."""
    path = empty.with_name(name)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(empty, path)
    with closing(schema.connect(path)) as db:
        db.execute("pragma synchronous = off")
        now = START + timedelta(minutes=at)
        set_clock(db, now)
        save_history(db, history, at)
        [feed] = feeds.watched(db)
        feeds.save_checked(db, feed, now)
        # It was polled all the time.
        db.execute("update feed_states set is_stale = 0")
    return path


def tiles_of(conn: sqlite3.Connection) -> list[dict[str, Any]]:
    cursor = conn.execute(SELECT)
    names = [name for name, *_ in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return [row | {"strip": json.loads(row["strip"])} for row in rows]


# To shrink a failing history takes minutes.
@settings(max_examples=8, phases=(Phase.reuse, Phase.generate))
@given(histories(), st.data())
def test_the_past_wall_is_the_wall_of_then(
    empty: Path, history: list[Run], data: st.DataObject
) -> None:
    whole = stored(empty, "whole.db", history, END)
    events = {run.created for run in history}
    for run in history:
        events |= {run.gone or 0}
        for attempt in run.attempts:
            events |= {attempt.start, attempt.end, attempt.start + attempt.queued}
    times = sorted({max(0, event + step) for event in events for step in (-1, 0, 1)})
    uri = f"file:{whole}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, factory=ReadConnection)) as conn:
        for at in data.draw(st.lists(st.sampled_from(times), min_size=1, max_size=4)):
            fill(conn, moment(at), ["dev"])
            then = stored(empty, "then.db", history, at)
            with closing(sqlite3.connect(then)) as other:
                assert tiles_of(conn) == tiles_of(other), at
