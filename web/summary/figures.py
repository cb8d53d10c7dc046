"""The big numbers at the top of a summary."""

from dataclasses import dataclass

from ci_observer.web.pages.times import duration, exact_duration, percent
from ci_observer.web.summary.counts import Numbers
from ci_observer.web.summary.links import Links
from ci_observer.web.summary.words import number

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Figure:
    """One number: `base` has the number of runs behind it, `path` its rows."""

    name: str
    label: str
    text: str
    base: str
    path: str | None

    @property
    def has_value(self) -> bool:
        return self.text != NOTHING


def figures(total: Numbers, links: Links) -> list[Figure]:
    """The numbers of all workflows together."""
    return [
        Figure(
            "red_seconds",
            "Red time of main",
            _time(total["red_seconds"]) if total["recorded_seconds"] else NOTHING,
            _of_time(total["red_seconds"], total["recorded_seconds"]),
            links.red(total),
        ),
        Figure(
            "breaks",
            "Breaks",
            number(total["breaks"]) if total["recorded_seconds"] else NOTHING,
            f"{number(total['fixes'])} fixed",
            links.breaks(total),
        ),
        Figure(
            "fix_median_seconds",
            "Time to fix, median",
            duration(total["fix_median_seconds"]) or NOTHING,
            f"of {number(total['fixes'])}, longest"
            f" {_time(total['fix_longest_seconds'])}"
            if total["fixes"]
            else "no break was fixed",
            links.fixes(total),
        ),
        Figure(
            "failure_rate_percent",
            "Failure rate",
            _share(total["failed_runs"], total["decided_runs"]),
            _of(total["failed_runs"], total["decided_runs"], "runs"),
            links.failed(total),
        ),
        Figure(
            "duration_p50_seconds",
            "Median duration",
            _time(total["duration_p50_seconds"]),
            _counted(total["timed_runs"], "first attempts", "first attempt"),
            links.timed(total),
        ),
        Figure(
            "queue_p50_seconds",
            "Median queue time",
            _time(total["queue_p50_seconds"]),
            _counted(total["queued_runs"], "runs with jobs", "run with jobs"),
            links.queued(total),
        ),
        Figure(
            "rerun_percent",
            "Re-run",
            _share(total["rerun_runs"], total["finished_runs"]),
            _of(total["rerun_runs"], total["finished_runs"], "runs"),
            links.reruns(total),
        ),
        Figure(
            "wasted_percent",
            "Wasted minutes",
            wasted_share(total) or NOTHING,
            wasted_base(total),
            links.minutes(total),
        ),
    ]


def wasted_share(row: Numbers) -> str:
    """The share of wasted minutes as text; empty if it is not known."""
    share = row["wasted_percent"]
    return "" if share is None else percent(share / 100)


def wasted_base(row: Numbers) -> str:
    """The minutes behind the share, or why there is none."""
    if not row["jobs_complete"]:
        return "jobs are being fetched"
    if row["run_minutes"] and row["wasted_percent"] is None:
        return "only jobs of failed runs are stored"
    wasted, ran = (int(row[f"{name}_minutes"] + 0.5) for name in ("wasted", "run"))
    return _of(wasted, ran, "min of stored jobs") if ran else "no min"


def _share(part: float, base: float) -> str:
    return percent(part / base) if base else NOTHING


def _time(seconds: float | None) -> str:
    return NOTHING if seconds is None else exact_duration(seconds)


def _of_time(part: float, base: float) -> str:
    return f"{percent(part / base)} of {_time(base)}" if base else "nothing recorded"


def _of(part: int, base: int, unit: str) -> str:
    return f"{number(part)} of {number(base)} {unit}" if base else f"no {unit}"


def _counted(count: int, plural: str, singular: str) -> str:
    return f"of {number(count)} {singular if count == 1 else plural}"
