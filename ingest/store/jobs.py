"""Writes the jobs of attempts, their steps and how long they were queued."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.github.job_rows import job_row
from ci_observer.ingest.github.rows import Row
from ci_observer.ingest.github.step_rows import step_texts
from ci_observer.ingest.store import pending, waits
from ci_observer.ingest.store.database import page_transaction, upsert_all
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.tiles import update_tiles

Json = Mapping[str, Any]

# The columns that come from GitHub's object, and those that are found here.
JOB_COLUMNS = (
    *job_row({"id": 1}, run_id=1, run_attempt=1),
    "last_attempt",
    "waited_for",
)


def save_jobs(db: Database, item: PendingItem, jobs: Sequence[Json]) -> None:
    """Write GitHub's job objects of an attempt, and remove the item."""
    save_all(db, [(item, jobs)])


def save_all(
    db: Database, fetched: Sequence[tuple[PendingItem, Sequence[Json]]]
) -> None:
    """Write GitHub's job objects of several attempts, and remove the items.

    A job that a partial re-run kept belongs to several attempts. Updates the tiles too:
    a cancelled run with a failed job counts as failed. In one transaction, which
    readers see as one change.
    """
    with page_transaction(db):
        for item, jobs in fetched:
            _save(db, item, jobs)
            pending.remove(db, item)
        ids = sorted({item.run_id for item, _ in fetched})
        _save_queue_times(db, ids)
        update_tiles(db, ids)
        bump_revision(db)


def save_without_jobs(db: Database, item: PendingItem) -> None:
    """Record that GitHub has no jobs of an attempt, or no longer."""
    with page_transaction(db):
        _set_has_jobs(db, item.run_id, item.run_attempt, has_jobs=False)
        if item.kind != "jobs":
            pending.remove(db, item)


def _save(db: Database, item: PendingItem, jobs: Sequence[Json]) -> None:
    ids = {"run_id": item.run_id, "run_attempt": item.run_attempt}
    rows = [job_row(job, **ids) for job in jobs]
    # GitHub lists the jobs of the latest attempt, which may be newer than the item.
    latest = max([item.run_attempt, *(row["run_attempt"] for row in rows)])
    stored = _stored(db, item.run_id)
    numbers = _move_kept_jobs(db, rows, stored)
    known_waits = waits.of_run(db, item.run_id)
    for row in rows:
        before = stored.get(row["job_id"], {})
        # The jobs of an earlier attempt may come last.
        row["last_attempt"] = max(latest, before.get("last_attempt") or 0)
        row["waited_for"] = waits.reason(known_waits, row)
    unique = {row["job_id"]: row for row in rows}.values()
    changed = [row for row in unique if row != stored.get(row["job_id"])]
    upsert_all(db, "jobs", changed, ["job_id"])
    _save_steps(db, zip(numbers, jobs, strict=True))
    _set_has_jobs(db, item.run_id, latest, has_jobs=bool(rows))


def _stored(db: Database, run_id: int) -> dict[int, Row]:
    rows = db.query(
        f"select {', '.join(JOB_COLUMNS)} from jobs where run_id = ?",
        [run_id],
    )
    return {row["job_id"]: row for row in rows}


def _move_kept_jobs(
    db: Database, rows: Sequence[Row], stored: Mapping[int, Row]
) -> list[int]:
    """Move the jobs that a partial re-run kept to the attempt in which they ran.

    GitHub may list such a job with the number of the new attempt, an id of its own, and
    a `created_at` after its end, which is no queue time. The row of a job that is
    stored already keeps its id. Returns the ids of the rows.
    """
    if stored or any(row["run_attempt"] > 1 for row in rows):
        starts = dict(
            db.execute(
                "select run_attempt, started_at from run_attempts where run_id = ?",
                [rows[0]["run_id"] if rows else 0],
            ).fetchall()
        )
        known = {_execution(row): job_id for job_id, row in stored.items()}
        for row in rows:
            is_kept = _move_kept_job(row, starts)
            if row["job_id"] not in stored:
                row["job_id"] = known.pop(_execution(row), row["job_id"])
            if is_kept and (before := stored.get(row["job_id"])):
                row.update({k: v for k, v in before.items() if v is not None})
    return [row["job_id"] for row in rows]


def _move_kept_job(row: Row, starts: Mapping[int, str]) -> bool:
    """Set the attempt of a job that ended before the attempt that lists it began.

    Returns whether it is such a job: GitHub created it in this attempt, after its end.
    """
    times = (row["created_at"], row["completed_at"], row["started_at"])
    listed_from = starts.get(row["run_attempt"])
    if row["run_attempt"] == 1 or row["conclusion"] == "skipped" or not listed_from:
        return False
    if not all(times) or max(times[1:]) > min(listed_from, row["created_at"]):
        return False
    earlier = [
        number
        for number, start in starts.items()
        if number < row["run_attempt"] and start <= row["started_at"]
    ]
    row["run_attempt"] = max(earlier, default=1)
    row["created_at"] = row["queue_seconds"] = None
    return True


def _execution(row: Row) -> tuple[Any, ...]:
    """What is the same for all ids of a job; a skipped one has no times of its own."""
    has_times = row["conclusion"] != "skipped" and row["completed_at"]
    own_id = None if has_times else row["job_id"]
    return (row["name"], row["started_at"], row["completed_at"], own_id)


def _save_steps(db: Database, jobs: Iterable[tuple[int, Json]]) -> None:
    """Write the steps; a list of names that is stored already is shared."""
    texts = {job_id: found for job_id, job in jobs if (found := step_texts(job))}
    db.conn.executemany(
        "insert into step_names (names) values (?) on conflict do nothing",
        {(names,) for names, _ in texts.values()},
    )
    db.conn.executemany(
        """
        insert into job_steps (job_id, names_id, steps)
        select ?, names_id, ? from step_names where names = ?
        on conflict do update set names_id = excluded.names_id, steps = excluded.steps
        where (names_id, steps) is not (excluded.names_id, excluded.steps)
        """,
        [(job_id, steps, names) for job_id, (names, steps) in texts.items()],
    )


def _set_has_jobs(
    db: Database, run_id: int, run_attempt: int, *, has_jobs: bool
) -> None:
    db.execute(
        "update run_attempts set has_jobs = ? where run_id = ? and run_attempt = ?"
        " and has_jobs is not ?",
        [int(has_jobs), run_id, run_attempt, int(has_jobs)],
    )


def _save_queue_times(db: Database, ids: Sequence[int]) -> None:
    """Write how long each attempt waited for its first job to run, and for what."""
    for run_id in ids:
        known_waits = waits.of_run(db, run_id)
        found = db.execute(
            """
            select
                run_attempt, max(0, unixepoch(first_at) - unixepoch(started_at)),
                started_at, first_at
            from (
                select a.*, (
                    select min(j.started_at) from jobs j
                    where j.run_id = a.run_id and j.run_attempt = a.run_attempt
                        -- Old servers do not send when a job was created.
                        and (j.queue_seconds is not null
                            or j.created_at is null and j.duration_seconds > 0)
                ) as first_at
                from run_attempts a where a.run_id = ?
            )
            """,
            [run_id],
        ).fetchall()
        db.conn.executemany(
            "update run_attempts set queue_seconds = ?, waited_for = ?"
            " where run_id = ? and run_attempt = ?"
            " and (queue_seconds, waited_for) is not (?, ?)",
            [
                (seconds, reason, run_id, attempt, seconds, reason)
                for attempt, seconds, start, first_at in found
                for reason in [
                    waits.reason_of_span(known_waits, attempt, start, first_at)
                ]
            ],
        )
    db.conn.executemany(
        """
        update runs set (queue_seconds, waited_for) = (
            select a.queue_seconds, a.waited_for from run_attempts a
            where a.run_id = runs.run_id and a.run_attempt = runs.run_attempt
        ) where run_id = ?
        """,
        [(run_id,) for run_id in ids],
    )
