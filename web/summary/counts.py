"""The counts of some workflows in one span, which add up to those of a repository.

Percentiles are those of all values together: an average of averages would be wrong.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

MEDIAN, P95 = 50, 95

Numbers = dict[str, Any]
T = TypeVar("T")


@dataclass
class Counts:
    """What happened in one span. `durations` and `queues` have the runs by seconds.

    `billed` are the minutes that GitHub bills, of the jobs whose labels are known;
    `unbilled_jobs` counts the others. `waste` has seconds of jobs by reason.
    """

    runs: int = 0
    finished: int = 0
    decided: int = 0
    failed: int = 0
    default_decided: int = 0
    default_failed: int = 0
    tested: int = 0
    reruns: int = 0
    reruns_passed: int = 0
    flaky_commits: int = 0
    timed: int = 0
    queued: int = 0
    jobs: int = 0
    seconds: int = 0
    billed: float = 0
    unbilled_jobs: int = 0
    durations: Counter[float] = field(default_factory=Counter)
    queues: Counter[float] = field(default_factory=Counter)
    waste: Counter[str] = field(default_factory=Counter)
    waste_jobs: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        for name in _NAMES:
            value = getattr(other, name)
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)

    @property
    def is_empty(self) -> bool:
        return not (self.runs or self.jobs or self.flaky_commits)

    @property
    def wasted(self) -> int:
        """Seconds of jobs."""
        return sum(self.waste.values())

    def numbers(self) -> Numbers:
        """The numbers as in the API; a rate or a time is None without a value."""
        return {
            "runs": self.runs,
            "finished_runs": self.finished,
            "decided_runs": self.decided,
            "failed_runs": self.failed,
            "failure_rate_percent": percent(self.failed, self.decided),
            "default_branch_decided_runs": self.default_decided,
            "default_branch_failed_runs": self.default_failed,
            "default_branch_failure_rate_percent": percent(
                self.default_failed, self.default_decided
            ),
            "tested_runs": self.tested,
            "flaky_commits": self.flaky_commits,
            "flaky_per_100_runs": percent(self.flaky_commits, self.tested),
            "rerun_runs": self.reruns,
            "rerun_percent": percent(self.reruns, self.finished),
            "rerun_passed_runs": self.reruns_passed,
            "rerun_passed_percent": percent(self.reruns_passed, self.reruns),
            "timed_runs": self.timed,
            "duration_p50_seconds": percentile(self.durations, MEDIAN),
            "duration_p95_seconds": percentile(self.durations, P95),
            "queued_runs": self.queued,
            "queue_p50_seconds": percentile(self.queues, MEDIAN),
            "queue_p95_seconds": percentile(self.queues, P95),
            "jobs": self.jobs,
            "run_minutes": minutes(self.seconds),
            "billed_minutes": round(self.billed, 1),
            "jobs_without_price": self.unbilled_jobs,
            "wasted_minutes": minutes(self.wasted),
            "wasted_percent": percent(self.wasted, self.seconds),
        }


_NAMES = tuple(f.name for f in fields(Counts))


def total(counts: Iterable[Counts]) -> Counts:
    """The counts of several workflows together."""
    found = Counts()
    for other in counts:
        found.add(other)
    return found


def percentile(values: Mapping[float, int], share: int) -> float | None:
    """The least of the values that `share` percent do not exceed; None without any.

    `values` has how many there are of each, as in the charts of the dashboards.
    """
    number = sum(values.values())
    place = 0
    for value in sorted(values):
        place += values[value]
        if 100 * place >= share * number > 0:
            return value
    return None


def percent(part: float, base: float) -> float | None:
    """The share of `base` in percent; None without a base."""
    return round(100 * part / base, 2) if base else None


def minutes(seconds: float) -> float:
    return round(seconds / 60, 1)
