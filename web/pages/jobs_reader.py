"""Reads everything of the page of a workflow's jobs, in one transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from ci_observer.web.pages.job_grid import JobGrid
from ci_observer.web.pages.job_names import grouped
from ci_observer.web.pages.job_samples import JobSpan, read_spans, read_steps
from ci_observer.web.pages.job_statistics import (
    Sample,
    Statistics,
    by_name,
    statistics,
)
from ci_observer.web.pages.jobs_queries import (
    BRANCHES_SQL,
    DAYS_SQL,
    GRID_JOBS_SQL,
    GRID_SQL,
    MAX_GRID_JOBS,
    STATE_SQL,
)
from ci_observer.web.pages.red_spans import read_red_spans
from ci_observer.web.pages.workflow_selection import Selection

Row = dict[str, Any]


class JobsReader:
    """Reads and computes everything of the page, in one transaction."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._params: Row = {
            **selection.params,
            "default_branch": selection.feed["default_branch"],
            "days": selection.days,
        }

    def __call__(self, conn: Connection) -> None:
        self._read_times(conn)
        self.branches = [dict(row) for row in conn.execute(BRANCHES_SQL, self._params)]
        self.grid = self._read_grid(conn)
        self.span, before = read_spans(
            conn,
            self._params,
            from_at=self._from_at,
            before_at=self._before_at,
            until_at=self.until_at,
        )
        samples, former = by_name(self.span.samples), by_name(before.samples)
        self.names = list(dict.fromkeys([*self.grid.names, *samples]))
        self.groups = grouped(self.names)
        self.rows = [
            _compared(name, [n for n in names if n in samples], samples, former)
            for name, names in self.groups.items()
            if any(n in samples for n in names)
        ]
        self.red_spans = read_red_spans(conn, self._params, self._from_at)
        self.steps = self._read_steps(conn, before)

    def _read_times(self, conn: Connection) -> None:
        self.state = dict(conn.execute(STATE_SQL).fetchone())
        today, first, before = conn.execute(DAYS_SQL, self._params).fetchall()
        self._from_at, self._before_at = first["starts_at"], before["starts_at"]
        self.until_at = today["ends_at"]

    def _read_grid(self, conn: Connection) -> JobGrid:
        runs = [dict(row) for row in conn.execute(GRID_SQL, self._params)]
        ids = [run["run_id"] for run in runs]
        found = conn.execute(GRID_JOBS_SQL, {"runs": json.dumps(ids)}).fetchall()
        jobs = [dict(job) | {"name": job["name"] or ""} for job in found]
        last = jobs[-1]["run_id"] if jobs else 0
        if len(jobs) > MAX_GRID_JOBS and last != jobs[0]["run_id"]:
            # The jobs of the last run may not be complete.
            jobs = [job for job in jobs if job["run_id"] != last]
            runs = [run for run in runs if run["run_id"] > last]
        return JobGrid(runs, jobs)

    def _read_steps(self, conn: Connection, before: JobSpan) -> list[Statistics]:
        name = self._selection.others.get("job")
        self.steps_from_at = self.span.from_at
        if name is None:
            return []
        steps = read_steps(conn, self.span, name)
        self.steps_from_at = steps.from_at
        samples = by_name(steps.samples)
        former = by_name(read_steps(conn, before, name).samples)
        return [_compared(step, [step], samples, former) for step in samples]


def _compared(
    name: str,
    names: Sequence[str],
    samples: Mapping[str, list[Sample]],
    former: Mapping[str, list[Sample]],
) -> Statistics:
    """The statistics of one job or of a matrix, compared with the span before."""
    members: tuple[Statistics, ...] = ()
    if len(names) > 1 or names != [name]:
        members = tuple(_compared(n, [n], samples, former) for n in names)
    found = statistics(name, _joined(samples, names))
    before = statistics(name, _joined(former, names))
    return _with_members(found.compared(before), members)


def _with_members(row: Statistics, members: tuple[Statistics, ...]) -> Statistics:
    return Statistics(**(vars(row) | {"members": members}))


def _joined(samples: Mapping[str, list[Sample]], names: Iterable[str]) -> list[Sample]:
    return [sample for name in names for sample in samples.get(name, ())]
