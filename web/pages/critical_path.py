"""The critical path of a run: the chain of jobs that its duration comes from.

GitHub's API does not say which jobs a job needs. It creates a job when those that it
needs have ended, so the path is derived from times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# GitHub's clocks differ by up to a second.
TOLERANCE_SECONDS = 1


@dataclass(frozen=True)
class JobTimes:
    """A job that ran in an attempt, with its times in seconds since 1970.

    `created` is None in rows that versions before 0.2 wrote. `ended` is None for a job
    that still runs.
    """

    row: dict[str, Any]
    created: int | None
    started: int
    ended: int | None


@dataclass(frozen=True)
class PathPart:
    """A job on the path: how long it waited after the one before it, and how it ran."""

    job: JobTimes
    waited_seconds: int
    seconds: int


@dataclass(frozen=True)
class CriticalPath:
    """The parts, the first job first, and their sum."""

    parts: tuple[PathPart, ...]
    seconds: int


def critical_path(jobs: Sequence[JobTimes], start: int | None) -> CriticalPath | None:
    """The path through jobs that have ended, from the attempt's `start` on.

    From the job that ended last, back to the job that ended last before this one was
    created, and so on. None without an ended job whose creation is known.
    """
    ended = [job for job in jobs if job.ended is not None]
    last = max(ended, key=_end, default=None)
    if last is None or last.created is None:
        return None
    chain = [last]
    while before := _job_before(chain[-1], ended):
        chain.append(before)
    chain.reverse()
    return _path(chain, chain[0].created if start is None else start)


def _job_before(job: JobTimes, ended: Sequence[JobTimes]) -> JobTimes | None:
    """The job that ended last before a job was created; None for one of the first."""
    if job.created is None:
        return None
    # A needed job was created earlier, so that the chain has an end.
    earlier = [
        other
        for other in ended
        if other.created is not None and other.created < job.created
    ]
    for tolerance in (0, TOLERANCE_SECONDS):
        limit = job.created + tolerance
        found = [other for other in earlier if _end(other)[0] <= limit]
        if found:
            return max(found, key=_end)
    return None


def _path(chain: Sequence[JobTimes], start: int | None) -> CriticalPath:
    parts = []
    free_at = start if start is not None else chain[0].started
    for job in chain:
        end = _end(job)[0]
        waited = max(0, job.started - free_at)
        parts.append(PathPart(job, waited, max(0, end - job.started)))
        free_at = max(free_at, end)
    return CriticalPath(
        tuple(parts), sum(part.waited_seconds + part.seconds for part in parts)
    )


def _end(job: JobTimes) -> tuple[int, int]:
    """The end of a job; the greater id decides between two that end together."""
    return job.ended or 0, job.row["job_id"]
