"""The grid of a workflow's jobs: a row for each job, a column for each of the runs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ci_observer.web.texts import display_text
from ci_observer.web.urls import run_path
from ci_observer.web.vocabulary import Result, result_of

# A larger grid has fewer runs, and then fewer jobs.
MAX_CELLS = 2000
MIN_RUNS = 10
MAX_ROWS = 200
# The attempts of a job that its cell shows.
MAX_ATTEMPTS = 3
# The result of a matrix is that of its worst job.
SEVERITY = ("bad", "held", "active", "other", "good")

NO_NAME = "(no name)"

Row = dict[str, Any]


@dataclass(frozen=True)
class Mark:
    """An attempt of a job in a cell, or the worst one of a matrix.

    `path` leads to the run's page on this attempt, `anchor` to the job there.
    """

    result: Result
    label: str
    path: str
    anchor: str = ""


@dataclass(frozen=True)
class Cell:
    """A job in a run. No marks: the run did not have it, or no jobs are stored."""

    run: Row
    marks: Sequence[Mark]
    is_rerun: bool = False


@dataclass(frozen=True)
class GridRow:
    """A job, or a matrix with its `members`, in the runs of the grid."""

    name: str
    cells: Sequence[Cell]
    is_group: bool = False
    is_member: bool = False
    members: int = 0


@dataclass(frozen=True)
class Grid:
    """The rows, and the runs, the oldest first.

    Each run has `has_jobs`, whether any jobs of it are stored, and `has_last_jobs`,
    whether those of its latest attempt are.
    """

    runs: Sequence[Row]
    rows: Sequence[GridRow]
    left_out: int


class JobGrid:
    """Builds the grid from the newest runs and their jobs, both newest first."""

    def __init__(self, runs: Sequence[Row], jobs: Sequence[Row]) -> None:
        self._jobs: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for job in jobs:
            self._jobs[job["run_id"], job["name"]].append(job)
        last = {job["run_id"]: job["last_attempt"] for job in jobs}
        for job in jobs:
            last[job["run_id"]] = max(last[job["run_id"]], job["last_attempt"])
        self._runs = [
            run
            | {
                "has_jobs": run["run_id"] in last,
                "has_last_jobs": last.get(run["run_id"], 0) >= run["run_attempt"],
            }
            for run in runs
        ]
        # As in the newest run that has the job: a job was created after those it needs.
        self.names = list(dict.fromkeys(job["name"] for job in jobs))

    def build(self, groups: Mapping[str, Sequence[str]], opened: str | None) -> Grid:
        """A row for each group, and for each member of `opened`, failed ones first."""
        rows: list[tuple[str, Sequence[str], bool]] = []
        for group, names in groups.items():
            rows.append((group, names, False))
            if group == opened and len(names) > 1:
                members = sorted(names, key=self._failures, reverse=True)
                rows += [(name, [name], True) for name in members]
        most = max(MIN_RUNS, MAX_CELLS // max(1, min(len(rows), MAX_ROWS)))
        runs = self._runs[:most][::-1]
        return Grid(
            runs,
            [self._row(runs, *row) for row in rows[:MAX_ROWS]],
            left_out=len(rows[MAX_ROWS:]),
        )

    def _failures(self, name: str) -> int:
        """The number of runs in which a job failed at last."""
        runs = (self._jobs.get((run["run_id"], name)) for run in self._runs)
        return sum(_result(jobs[-1]).css_class == "bad" for jobs in runs if jobs)

    def _row(
        self, runs: Sequence[Row], name: str, names: Sequence[str], is_member: bool
    ) -> GridRow:
        is_group = len(names) > 1
        cell = partial(self._group_cell, name) if is_group else self._job_cell
        return GridRow(
            name,
            [cell(run, names) for run in runs],
            is_group,
            is_member,
            len(names),
        )

    def _job_cell(self, run: Row, names: Sequence[str]) -> Cell:
        jobs = self._jobs.get((run["run_id"], names[0]), [])
        marks = [_mark(run, job) for job in jobs[-MAX_ATTEMPTS:]]
        return Cell(run, marks, is_rerun=len(jobs) > 1)

    def _group_cell(self, group: str, run: Row, names: Sequence[str]) -> Cell:
        """The worst result of a matrix after each attempt."""
        found = [jobs for n in names if (jobs := self._jobs.get((run["run_id"], n)))]
        attempts = sorted({job["run_attempt"] for jobs in found for job in jobs})
        marks = []
        for attempt in attempts[-MAX_ATTEMPTS:]:
            last = {
                job["name"]: job
                for jobs in found
                for job in jobs
                if job["run_attempt"] <= attempt
            }
            marks.append(_worst(group, run, list(last.values()), attempt))
        return Cell(run, marks, is_rerun=len(attempts) > 1)


def _mark(run: Row, job: Row) -> Mark:
    result, attempt = _result(job), job["run_attempt"]
    step = display_text(job["failed_step"])
    text = f"{result.label} at {step}" if step else result.label
    return Mark(
        result,
        _label(run, job["name"], attempt, text),
        _path(run, attempt),
        f"#job-{job['job_id']}",
    )


def _worst(group: str, run: Row, jobs: Sequence[Row], attempt: int) -> Mark:
    results = [_result(job) for job in jobs]
    worst = min(results, key=lambda result: SEVERITY.index(result.css_class))
    alike = sum(result.css_class == worst.css_class for result in results)
    text = f"{alike} of {len(results)} {worst.label}"
    return Mark(worst, _label(run, group, attempt, text), _path(run, attempt))


def _label(run: Row, name: str, attempt: int, text: str) -> str:
    suffix = f", attempt {attempt}" if attempt > 1 else ""
    return f"#{run['run_number']} {display_text(name) or NO_NAME}: {text}{suffix}"


def _path(run: Row, attempt: int) -> str:
    is_latest = attempt >= run["run_attempt"]
    return run_path(run["run_id"], attempt=None if is_latest else attempt)


def _result(job: Row) -> Result:
    cause = "timeout" if job["is_timed_out"] else None
    return result_of(job | {"cancel_cause": cause})
