"""Reads the executions of a workflow's jobs and their steps, within limits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from ci_observer.web.pages.job_statistics import Sample
from ci_observer.web.pages.jobs_queries import (
    JOBS_SQL,
    MAX_JOBS,
    MAX_RUNS,
    MAX_STEP_JOBS,
    RUN_LIMIT_SQL,
    STEPS_SQL,
)
from ci_observer.web.pages.times import epoch, later

Row = dict[str, Any]


@dataclass(frozen=True)
class JobSpan:
    """The executions of the runs created from `from_at` on, before `until_at`.

    `is_cut` is whether older ones were left out, so that `from_at` is later than asked.
    """

    rows: Sequence[Row]
    from_at: str
    until_at: str
    is_cut: bool

    @property
    def runs(self) -> int:
        return len({row["run_id"] for row in self.rows})

    @property
    def samples(self) -> list[Sample]:
        return [
            Sample(
                name=row["name"],
                run_id=row["run_id"],
                tested=row["tested"] or f"run {row['run_id']}",
                conclusion=row["conclusion"],
                duration_seconds=row["duration_seconds"],
                queue_seconds=row["queue_seconds"],
            )
            for row in self.rows
        ]


def read_spans(
    conn: Connection, params: Row, *, from_at: str, before_at: str, until_at: str
) -> tuple[JobSpan, JobSpan]:
    """The span since `from_at` and the one before it, since `before_at`.

    When the first one is cut, the other is as long, and ends where it begins.
    """
    span = _read(conn, params, from_at, until_at)
    if span.is_cut:
        seconds = (epoch(until_at) or 0) - (epoch(span.from_at) or 0)
        before_at = later(span.from_at, -seconds)
    return span, _read(conn, params, before_at, span.from_at)


def _read(conn: Connection, params: Row, from_at: str, until_at: str) -> JobSpan:
    bounds = {"from_at": from_at, "until_at": until_at}
    limits = params | bounds | {"max_jobs": MAX_JOBS, "max_runs": MAX_RUNS}
    too_many = conn.execute(RUN_LIMIT_SQL, limits).fetchone()
    if too_many is not None:
        from_at = limits["from_at"] = later(too_many["created_at"], 1)
    found = conn.execute(JOBS_SQL, limits)
    rows = [dict(row) | {"name": row["name"] or ""} for row in found]
    is_full = len(rows) > MAX_JOBS
    if is_full:
        from_at = _first_whole(rows, MAX_JOBS)
        rows = [row for row in rows[:MAX_JOBS] if row["created_at"] >= from_at]
    return JobSpan(rows, from_at, until_at, is_full or too_many is not None)


def _first_whole(rows: Sequence[Row], limit: int) -> str:
    """The creation of the oldest run of which no row is beyond the limit.

    The rows of the last run may not be complete, unless it is the only one.
    """
    newest, last = str(rows[0]["created_at"]), str(rows[limit]["created_at"])
    return newest if newest == last else later(last, 1)


@dataclass(frozen=True)
class StepSpan:
    """The steps of a job's newest executions, of the runs created from `from_at` on."""

    samples: list[Sample]
    from_at: str


def read_steps(conn: Connection, span: JobSpan, name: str) -> StepSpan:
    """The steps of a job in a span, of its newest executions."""
    found = [row for row in span.rows if row["name"] == name]
    from_at = span.from_at
    if len(found) > MAX_STEP_JOBS:
        from_at = _first_whole(found, MAX_STEP_JOBS)
        found = [row for row in found if row["created_at"] >= from_at]
    newest = {row["job_id"]: row for row in found}
    rows = conn.execute(STEPS_SQL, {"jobs": json.dumps(list(newest))})
    samples = [
        Sample(
            name=row["name"] or "",
            run_id=newest[row["job_id"]]["run_id"],
            tested=newest[row["job_id"]]["tested"] or f"job {row['job_id']}",
            conclusion=row["conclusion"],
            duration_seconds=row["duration_seconds"],
        )
        for row in rows
    ]
    return StepSpan(samples, from_at)
