"""When the jobs of an attempt are queued, started and completed.

Jobs run in parallel, and after those that they need. Their queue and run times fill
the time of the attempt, so that its critical path is as long as the attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log

from ci_observer.demo.seeded_random import stable_int
from ci_observer.demo.server.model import JobSpec

SATURDAY = 5
BUSY_HOURS = (9, 10, 13, 14, 15)
# How much longer jobs are queued in busy hours, and of 40 jobs one that is unlucky.
BUSY_FACTOR, UNLUCKY_FACTOR, UNLUCKY = 5, 12, 40
LONGEST_QUEUE = 1_800.0
# At most this share of an attempt's time is spent in queues.
QUEUE_SHARE = 0.45
# Steps until the lengths of jobs fit; each finds a longer path through the jobs.
FITTING_STEPS = 12
PRECISION = 1e-9


@dataclass(frozen=True, slots=True)
class JobTimes:
    """Seconds from the start of the attempt's jobs."""

    created: float
    started: float
    completed: float


def queue_seconds(spec: JobSpec, at: datetime, name: str) -> float:
    """A random queue time of a job; `name` gives the same one every time."""
    if not spec.queue:
        return 0
    chance = stable_int(f"queue {name}", 1, 10_000) / 10_000
    seconds = spec.queue * (0.4 - 0.9 * log(chance))
    if at.weekday() < SATURDAY and at.hour in BUSY_HOURS:
        seconds *= 1 + (BUSY_FACTOR - 1) * chance
    if stable_int(f"unlucky {name}", 0, UNLUCKY) == 0:
        seconds *= UNLUCKY_FACTOR
    return min(seconds, LONGEST_QUEUE)


def job_times(
    specs: Sequence[JobSpec],
    needs: Mapping[str, Sequence[str]],
    queues: Mapping[str, float],
    seconds: float,
) -> dict[str, JobTimes]:
    """The times of jobs whose last one ends after `seconds`.

    `needs` and `queues` are the needed jobs and the queue times by the name of a job.
    """
    if not specs:
        return {}
    queued = _last_end(specs, needs, queues, 0)
    shrink = min(1.0, QUEUE_SHARE * seconds / queued) if queued else 1.0
    queues = {name: queue * shrink for name, queue in queues.items()}
    scale = seconds / min(spec.share for spec in specs)
    for _ in range(FITTING_STEPS):
        # The longest path at this scale: its queue times stay, its run times shrink.
        times = _times(specs, needs, queues, scale)
        last = max(times, key=lambda name: times[name].completed)
        queue, share = _path(last, times, needs, {s.name: s.share for s in specs})
        fitting = (seconds - queue) / share
        if abs(fitting - scale) < PRECISION:
            break
        scale = fitting
    return _times(specs, needs, queues, scale)


def _last_end(
    specs: Sequence[JobSpec],
    needs: Mapping[str, Sequence[str]],
    queues: Mapping[str, float],
    scale: float,
) -> float:
    times = _times(specs, needs, queues, scale)
    return max(each.completed for each in times.values())


def _times(
    specs: Sequence[JobSpec],
    needs: Mapping[str, Sequence[str]],
    queues: Mapping[str, float],
    scale: float,
) -> dict[str, JobTimes]:
    times: dict[str, JobTimes] = {}
    for spec in specs:
        before = [times[name].completed for name in needs[spec.name] if name in times]
        created = max(before, default=0.0)
        started = created + queues[spec.name]
        times[spec.name] = JobTimes(created, started, started + scale * spec.share)
    return times


def _path(
    last: str,
    times: Mapping[str, JobTimes],
    needs: Mapping[str, Sequence[str]],
    shares: Mapping[str, float],
) -> tuple[float, float]:
    """The queue times and the shares on the path that ends with the job `last`."""
    queue = share = 0.0
    name: str | None = last
    while name is not None:
        queue += times[name].started - times[name].created
        share += shares[name]
        before = [other for other in needs[name] if other in times]
        name = max(before, key=lambda n: times[n].completed) if before else None
    return queue, share
