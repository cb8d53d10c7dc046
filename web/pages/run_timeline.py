"""The jobs of an attempt as a timeline: bars of waiting and of running on one axis.

Positions are percentages of the axis, so that the SVG stretches without its text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ci_observer.web.pages.charts import nice_step
from ci_observer.web.pages.critical_path import JobTimes
from ci_observer.web.pages.times import epoch

TICKS = 5
# A bar of a second on an axis of a day can still be seen.
MIN_PERCENT = 0.3

Row = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """A part of a bar, in percent of the axis."""

    x: float
    width: float


@dataclass(frozen=True)
class Axis:
    """An axis of time, in seconds since 1970, with marks at round times from its start.

    `ticks` are pairs of a position in percent and the seconds since the start.
    """

    start: int
    end: int
    ticks: tuple[tuple[float, int], ...]

    def span(self, start: int | None, end: int | None) -> Span | None:
        """The part of the axis between two times; None if there is none."""
        if start is None or end is None or end < start or self.end <= self.start:
            return None
        first, last = self._percent(start), self._percent(end)
        width = max(MIN_PERCENT, last - first)
        return Span(round(min(first, 100 - width), 2), round(width, 2))

    def _percent(self, at: int) -> float:
        at = min(self.end, max(self.start, at))
        return 100 * (at - self.start) / (self.end - self.start)


@dataclass(frozen=True)
class Bar:
    """A job on the axis: the time it waited and the time it ran."""

    waited: Span | None
    ran: Span | None


def axis_of(times: Sequence[int | None]) -> Axis | None:
    """The axis that spans all known times; None if they span no second."""
    known = [time for time in times if time is not None]
    if not known or min(known) == max(known):
        return None
    start, end = min(known), max(known)
    step = int(nice_step((end - start) / TICKS))
    ticks = range(0, end - start + 1, step)
    return Axis(start, end, tuple((100 * t / (end - start), t) for t in ticks))


def job_times(job: Row) -> JobTimes | None:
    """The times of a job that a runner took; None for any other job."""
    started, ended = epoch(job["started_at"]), epoch(job["completed_at"])
    created = epoch(job["created_at"])
    is_over = job["status"] == "completed"
    has_run = job["conclusion"] != "skipped" and (
        job["queue_seconds"] is not None or created is None
    )
    if not has_run or started is None or (is_over and ended is None):
        return None
    return JobTimes(job, created, started, ended if is_over else None)


def bar(axis: Axis, job: Row, times: JobTimes | None, now: int) -> Bar:
    """A job's bar. A job that no runner took waited until it ended, or still waits."""
    created = epoch(job["created_at"])
    if times is not None:
        ended = now if times.ended is None else times.ended
        waited = axis.span(created, times.started)
        if created is not None and created >= times.started:
            waited = None
        return Bar(waited, axis.span(times.started, ended))
    left_at = epoch(job["completed_at"]) if job["status"] == "completed" else now
    is_skipped = job["conclusion"] == "skipped"
    return Bar(None if is_skipped else axis.span(created, left_at), None)
