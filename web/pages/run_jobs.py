"""The jobs of an attempt as a run's page shows them: bars, critical path and steps."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ci_observer.web.pages.critical_path import CriticalPath, critical_path
from ci_observer.web.pages.run_timeline import Axis, Bar, axis_of, bar, job_times
from ci_observer.web.pages.times import epoch
from ci_observer.web.texts import display_text
from ci_observer.web.vocabulary import Result, result_of

NO_NAME = "(no name)"
# Up to this number of failed jobs are open at first.
MAX_OPEN = 3
# The jobs whose steps are on the page; those of the others are behind a link.
MAX_STEP_JOBS = 100

Row = dict[str, Any]


@dataclass(frozen=True)
class ShownJob:
    """A job of the page: `error` is its first one, `steps` None if behind a link."""

    row: Row
    result: Result
    bar: Bar | None
    is_critical: bool
    is_open: bool
    labels: Sequence[str]
    error: str | None
    steps: Sequence[Row] | None


@dataclass(frozen=True)
class AttemptJobs:
    """The jobs of an attempt: those that ran or waited in it, skipped ones, kept ones.

    `axis` is None if no times are known. `has_moving` is whether a bar grows with time.
    """

    ran: Sequence[ShownJob]
    skipped: Sequence[ShownJob]
    kept: Sequence[ShownJob]
    axis: Axis | None
    path: CriticalPath | None
    has_moving: bool

    @property
    def count(self) -> int:
        return len(self.ran) + len(self.skipped) + len(self.kept)


class JobLayout:
    """Lays out the jobs of one attempt; `now` ends the bars of jobs that still run."""

    def __init__(self, jobs: Sequence[Row], attempt: Row, now: int) -> None:
        self._jobs = [job | {"name": _name(job)} for job in jobs]
        self._now = now
        self._attempt = attempt["run_attempt"]
        start = epoch(attempt["started_at"])
        own = [job for job in self._jobs if not self._is_kept(job)]
        self._times = {job["job_id"]: job_times(job) for job in own}
        ran = [times for times in self._times.values() if times is not None]
        self._path = critical_path(ran, start)
        parts = self._path.parts if self._path else ()
        self._critical = {part.job.row["job_id"] for part in parts}
        self._open = [job["job_id"] for job in own if _is_failed(job)][:MAX_OPEN]
        waited = [job for job in own if not _is_skipped(job)]
        self._axis = axis_of([start, *(at for job in waited for at in self._at(job))])

    def step_jobs(self) -> list[int]:
        """The jobs whose steps say most: failed ones, and those of the path."""
        ids = [job["job_id"] for job in sorted(self._jobs, key=self._interest)]
        return ids[:MAX_STEP_JOBS]

    def shown(self, steps: Mapping[int, Sequence[Row]]) -> AttemptJobs:
        """The jobs with their steps; one that has none there gets a link instead."""
        kept = [job for job in self._jobs if self._is_kept(job)]
        own = [job for job in self._jobs if not self._is_kept(job)]
        ran = [job for job in own if not _is_skipped(job)]
        return AttemptJobs(
            ran=[self._show(job, steps) for job in ran],
            skipped=[self._show(job, steps) for job in own if _is_skipped(job)],
            kept=[self._show(job, steps) for job in kept],
            axis=self._axis,
            path=self._path,
            has_moving=any(job["status"] != "completed" for job in ran),
        )

    def _is_kept(self, job: Row) -> bool:
        return bool(job["run_attempt"] < self._attempt)

    def _at(self, job: Row) -> list[int | None]:
        """The times of a job that the axis must reach."""
        is_over = job["status"] == "completed"
        ended = epoch(job["completed_at"]) if is_over else self._now
        return [epoch(job["created_at"]), epoch(job["started_at"]), ended]

    def _show(self, job: Row, steps: Mapping[int, Sequence[Row]]) -> ShownJob:
        job_id = job["job_id"]
        drawn = None
        if self._axis is not None and job_id in self._times:
            drawn = bar(self._axis, job, self._times[job_id], self._now)
        return ShownJob(
            row=job,
            result=_result(job),
            bar=drawn,
            is_critical=job_id in self._critical,
            is_open=job_id in self._open,
            labels=_labels(job["labels"]),
            error=display_text(job["error_message"]),
            steps=steps.get(job_id),
        )

    def _interest(self, job: Row) -> tuple[bool, bool]:
        return not _is_failed(job), job["job_id"] not in self._critical


def _is_skipped(job: Row) -> bool:
    return bool(job["conclusion"] == "skipped")


def _name(job: Row) -> str:
    return display_text(job["name"]) or NO_NAME


def _is_failed(job: Row) -> bool:
    return _result(job).css_class == "bad"


def _result(job: Row) -> Result:
    cause = "timeout" if job["is_timed_out"] else None
    return result_of(job | {"cancel_cause": cause})


def _labels(text: str | None) -> list[str]:
    try:
        labels = json.loads(text or "[]")
    except ValueError:
        return []
    texts = [display_text(str(label)) for label in labels if isinstance(label, str)]
    return [text for text in texts if text]
