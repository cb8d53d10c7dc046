"""The change of a number since the span before, and whether it is better or worse."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ci_observer.web.pages.times import SPACE, exact_duration, signed

# Fewer values than this, in either span, say little about a change.
MIN_COMPARED = 10
# Of breaks there are few.
MIN_FIXES = 3
# A change below this share of the former value is no change worth a word.
SAME_BELOW = 0.05

BETTER, WORSE, SAME, FEW = "better", "worse", "about the same", "too few to compare"


@dataclass(frozen=True)
class Measure:
    """How a number changes: its unit, and the number of values that it comes from.

    Fewer than `least` values say little; `base` is empty for a count. A number that is
    neither good nor bad `is_neutral`. A number `of_jobs` is only compared when all jobs
    of both spans are fetched, and a sum when all of their runs are stored.
    """

    unit: str
    base: str = ""
    least: int = MIN_COMPARED
    is_neutral: bool = False
    of_jobs: bool = False
    is_sum: bool = False


MEASURES = {
    "red_seconds": Measure("seconds", "recorded_seconds", is_sum=True),
    "breaks": Measure("count", "recorded_seconds", is_sum=True),
    "fix_median_seconds": Measure("seconds", "fixes", least=MIN_FIXES),
    "failure_rate_percent": Measure("points", "decided_runs"),
    "default_branch_failure_rate_percent": Measure(
        "points", "default_branch_decided_runs"
    ),
    "flaky_per_100_runs": Measure("number", "tested_runs"),
    "flaky_commits": Measure("count", is_sum=True),
    "rerun_percent": Measure("points", "finished_runs"),
    "rerun_passed_percent": Measure("points", "rerun_runs", is_neutral=True),
    "duration_p50_seconds": Measure("seconds", "timed_runs"),
    "duration_p95_seconds": Measure("seconds", "timed_runs"),
    "queue_p50_seconds": Measure("seconds", "queued_runs", of_jobs=True),
    "queue_p95_seconds": Measure("seconds", "queued_runs", of_jobs=True),
    "runs": Measure("share", is_neutral=True, is_sum=True),
    "run_minutes": Measure("share", "jobs", is_neutral=True, of_jobs=True, is_sum=True),
    "billed_minutes": Measure(
        "share", "jobs", is_neutral=True, of_jobs=True, is_sum=True
    ),
    "wasted_minutes": Measure("share", "jobs", of_jobs=True, is_sum=True),
    "wasted_percent": Measure("points", "jobs", of_jobs=True),
}


@dataclass(frozen=True)
class Change:
    """A change: `text` has the difference, `verdict` a word such as "better" or ""."""

    text: str
    verdict: str

    @property
    def words(self) -> str:
        """Both, as "+2.1 points, worse"."""
        return ", ".join(filter(None, (self.text, self.verdict)))


def change_of(
    name: str, now: Mapping[str, Any], before: Mapping[str, Any] | None
) -> Change | None:
    """The change of a number; None if one of the two spans has none."""
    measure = MEASURES[name]
    value, former = now.get(name), (before or {}).get(name)
    if value is None or former is None or before is None:
        return None
    if not _can_compare(measure, now, before):
        return None
    # The queue times by labels and hours are those of jobs.
    base = measure.base if measure.base in now else "jobs"
    counts = (now[base], before[base]) if measure.base else ()
    return compare(measure, value, former, counts)


def _can_compare(
    measure: Measure, now: Mapping[str, Any], before: Mapping[str, Any]
) -> bool:
    needed = {"jobs_complete": measure.of_jobs, "runs_complete": measure.is_sum}
    return all(
        row.get(name, True)
        for name, is_needed in needed.items()
        if is_needed
        for row in (now, before)
    )


def compare(
    measure: Measure, value: float, former: float, counts: Iterable[int] = ()
) -> Change:
    """The change of a value; `counts` has the numbers of values behind both."""
    if min(counts, default=measure.least) < measure.least:
        return Change("", FEW)
    return Change(
        _text(measure.unit, value - former, former),
        "" if measure.is_neutral else _verdict(value, former),
    )


def changes_of(
    now: Mapping[str, Any], before: Mapping[str, Any] | None
) -> dict[str, Change]:
    """The changes of all numbers that have one."""
    found = {name: change_of(name, now, before) for name in MEASURES}
    return {name: change for name, change in found.items() if change is not None}


def _verdict(value: float, former: float) -> str:
    if abs(value - former) < SAME_BELOW * former or value == former:
        return SAME
    return BETTER if value < former else WORSE


def _text(unit: str, change: float, former: float) -> str:
    if unit == "seconds":
        seconds = int(abs(change) + 0.5)
        return signed(seconds and change, exact_duration(seconds))
    if unit == "share":
        share = round(100 * abs(change) / former) if former else 0
        return signed(share and change, f"{share:,}{SPACE}%") if former else ""
    digits = round(abs(change), 1)
    ending = f"{SPACE}point{'' if digits == 1 else 's'}" if unit == "points" else ""
    return signed(digits and change, f"{digits:g}{ending}")
