"""The rows of the table in the Markdown of a summary."""

from collections.abc import Callable

from ci_observer.web.pages.times import exact_duration, percent
from ci_observer.web.summary.counts import Numbers
from ci_observer.web.summary.figures import NOTHING, wasted_base, wasted_share
from ci_observer.web.summary.words import minutes_text, number

Text = Callable[[Numbers], str]


def _time(name: str) -> Text:
    def text(row: Numbers) -> str:
        return NOTHING if row[name] is None else exact_duration(row[name])

    return text


def _share(part: str, base: str, unit: str) -> Text:
    def text(row: Numbers) -> str:
        if not row[base]:
            return f"no {unit}"
        share = percent(row[part] / row[base])
        return f"{share} of {number(round(row[base]))} {unit}"

    return text


def _wasted(row: Numbers) -> str:
    share = wasted_share(row)
    ran = minutes_text(row["run_minutes"])
    return f"{share} of {ran}" if share else wasted_base(row)


def _number(name: str) -> Text:
    return lambda row: number(row[name])


def _red_time(row: Numbers) -> str:
    if not row["recorded_seconds"]:
        return NOTHING
    share = percent(row["red_seconds"] / row["recorded_seconds"])
    return f"{exact_duration(row['red_seconds'])}, {share}"


def _unknown_time(row: Numbers) -> str:
    if not row["recorded_seconds"]:
        return NOTHING
    share = percent(row["unknown_seconds"] / row["recorded_seconds"])
    return f"{exact_duration(row['unknown_seconds'])}, {share}"


def _run_time(row: Numbers) -> str:
    return minutes_text(row["run_minutes"])


# A label, the number whose change is shown, its text, and a section of the page.
ROWS: tuple[tuple[str, str, Text, str], ...] = (
    ("Red time of main", "red_seconds", _red_time, "main-over-time"),
    ("Not proved", "unknown_seconds", _unknown_time, "main-over-time"),
    ("Breaks", "breaks", _number("breaks"), "breaks"),
    *(
        (label, name, _time(name), "main-over-time")
        for label, name in (
            ("Time to fix, median", "fix_median_seconds"),
            ("Time to fix, longest", "fix_longest_seconds"),
        )
    ),
    (
        "Failure rate",
        "failure_rate_percent",
        _share("failed_runs", "decided_runs", "runs"),
        "failures",
    ),
    (
        "On default branches",
        "default_branch_failure_rate_percent",
        _share("default_branch_failed_runs", "default_branch_decided_runs", "runs"),
        "failures",
    ),
    ("Flaky commits", "flaky_commits", _number("flaky_commits"), "flaky"),
    (
        "Re-run",
        "rerun_percent",
        _share("rerun_runs", "finished_runs", "runs"),
        "reruns",
    ),
    (
        "Passed when run again",
        "rerun_passed_percent",
        _share("rerun_passed_runs", "rerun_runs", "re-runs"),
        "reruns",
    ),
    *(
        (label, name, _time(name), section)
        for label, name, section in (
            ("Duration p50", "duration_p50_seconds", "durations"),
            ("Duration p95", "duration_p95_seconds", "durations"),
            ("Queue time p50", "queue_p50_seconds", "queue"),
            ("Queue time p95", "queue_p95_seconds", "queue"),
        )
    ),
    ("Minutes", "run_minutes", _run_time, "minutes"),
    (
        "Wasted",
        "wasted_percent",
        _wasted,
        "minutes",
    ),
)
