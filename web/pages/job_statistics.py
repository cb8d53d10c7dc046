"""Statistics of jobs and of steps: durations, failures, flakiness and queue times.

Percentiles are exact: the median is the middle value or the mean of the two in the
middle, the 95th percentile is the least value that 95 % of all do not exceed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ci_observer.web.vocabulary import DECISIVE, FAILURES, TIMED_OUT

# Fewer values than this, in either span, say little about a change.
MIN_COMPARED = 10

Row = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """One execution of a job or of a step.

    `tested` identifies the tested code: the same for all executions for one commit.
    """

    name: str
    run_id: int
    tested: str
    conclusion: str | None
    duration_seconds: float | None
    queue_seconds: float | None = None

    @property
    def has_failed(self) -> bool:
        return self.conclusion in FAILURES


@dataclass(frozen=True)
class Measure:
    """A statistic of `count` values, None without any.

    `change` is its difference to the span before, None if too few values tell.
    """

    value: float | None
    count: int
    change: float | None = None

    def compared(self, before: "Measure | None") -> "Measure":
        counts = (self.count, before.count if before else 0)
        if before is None or min(counts) < MIN_COMPARED:
            return self
        if self.value is None or before.value is None:
            return self
        return Measure(self.value, self.count, self.value - before.value)


@dataclass(frozen=True)
class Statistics:
    """The statistics of the executions of one job, of a matrix or of one step.

    `runs` counts the executions that have ended and were not skipped. Durations are
    those of successes. `failures` is the share of failures among the executions with a
    result, `flaky` the share of commits on which it both failed and passed.
    """

    name: str
    runs: int
    p50: Measure
    p95: Measure
    failures: Measure
    failed: int
    flaky: Measure
    flaky_commits: int
    flaky_run_ids: tuple[int, ...]
    queue_p50: Measure
    queue_p95: Measure
    members: tuple["Statistics", ...] = field(default=())

    def compared(self, before: "Statistics | None") -> "Statistics":
        """The same with the changes since the span before."""
        measures = {
            name: getattr(self, name).compared(before and getattr(before, name))
            for name in MEASURES
        }
        return Statistics(**(vars(self) | measures))


MEASURES = ("p50", "p95", "failures", "flaky", "queue_p50", "queue_p95")


def statistics(name: str, samples: Iterable[Sample]) -> Statistics:
    """The statistics of some executions, under one name."""
    ended = [s for s in samples if s.conclusion not in (None, "skipped")]
    durations = _known(s.duration_seconds for s in ended if s.conclusion == "success")
    queued = _known(s.queue_seconds for s in ended)
    decided = [s for s in ended if s.conclusion in DECISIVE]
    failed = sum(s.has_failed for s in decided)
    commits, flaky, run_ids = _flaky(decided)
    return Statistics(
        name=name,
        runs=len(ended),
        p50=Measure(median(durations), len(durations)),
        p95=Measure(percentile_95(durations), len(durations)),
        failures=_share(failed, len(decided)),
        failed=failed,
        flaky=_share(flaky, commits),
        flaky_commits=flaky,
        flaky_run_ids=run_ids,
        queue_p50=Measure(median(queued), len(queued)),
        queue_p95=Measure(percentile_95(queued), len(queued)),
    )


def by_name(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """The executions by their name, in the order in which the names appear."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.name].append(sample)
    return dict(found)


def median(ordered: Sequence[float]) -> float | None:
    """The median of values in ascending order; None without any."""
    if not ordered:
        return None
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def percentile_95(ordered: Sequence[float]) -> float | None:
    """The least of ascending values that 95 % do not exceed; None without any."""
    return ordered[-(-95 * len(ordered) // 100) - 1] if ordered else None


def _known(values: Iterable[float | None]) -> list[float]:
    return sorted(value for value in values if value is not None)


def _share(part: int, total: int) -> Measure:
    return Measure(part / total if total else None, total)


def _flaky(decided: Iterable[Sample]) -> tuple[int, int, tuple[int, ...]]:
    """The number of commits, of those with both results, and the runs of these.

    The jobs of a matrix are told apart: one that fails where another passes is not
    flaky.
    """
    results: dict[tuple[str, str], set[bool]] = defaultdict(set)
    run_ids: dict[str, set[int]] = defaultdict(set)
    for sample in decided:
        results[sample.tested, sample.name].add(sample.has_failed)
        run_ids[sample.tested].add(sample.run_id)
    flaky = {tested for (tested, _), found in results.items() if len(found) > 1}
    of_flaky = sorted(run_id for tested in flaky for run_id in run_ids[tested])
    return len(run_ids), len(flaky), tuple(of_flaky)


def effective(conclusion: str | None, *, is_timed_out: bool) -> str | None:
    """The conclusion, with our word for a job that ran into its time limit."""
    return TIMED_OUT if is_timed_out else conclusion
