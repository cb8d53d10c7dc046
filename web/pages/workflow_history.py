"""The history on a workflow's page: runs by branch, charts, attempts."""

from datetime import date, timedelta
from itertools import groupby
from typing import Any

from ci_observer.web.pages.charts import Bar, Chart, chart, top_of_seconds
from ci_observer.web.pages.workflow_links import Links
from ci_observer.web.urls import run_path
from ci_observer.web.vocabulary import result_of

# Up to this number of days a bar is a day, else a week.
MAX_DAILY_BARS = 31
WIDE_RUNS = 12
AXIS_PERCENT = (10, 25, 50, 100)

Row = dict[str, Any]


def branch_rows(feed: Row, branch: str | None, runs: list[Row]) -> list[Row]:
    """The runs by branch: first the default one and `branch`, then by newest run.

    `runs` are the newest first; those of a row are the oldest first, as in the charts.
    A branch of a fork is another branch, although it may have the same name.
    """
    first = [(feed["repo"], name) for name in (feed["default_branch"], branch) if name]
    by_branch: dict[tuple[str | None, str | None], list[Row]] = {b: [] for b in first}
    for run in runs:
        by_branch.setdefault((run["head_repo"], run["head_branch"]), []).append(run)
    return [
        {
            "branch": name,
            "fork": None if repo == feed["repo"] else repo or "deleted fork",
            "is_current": (repo, name) == (feed["repo"], branch),
            "is_wide": (repo, name) in first or len(branch_runs) > WIDE_RUNS,
            "runs": branch_runs[::-1],
        }
        for (repo, name), branch_runs in by_branch.items()
    ]


def duration_chart(newest_first: list[Row], durations: Row) -> Chart:
    """A bar per run, oldest first, with lines at the median and the 95th percentile."""
    bars = [_run_bar(run) for run in reversed(newest_first)]
    lines = {name: durations[f"{name}_seconds"] for name in ("median", "p95")}
    known = [bar.value for bar in bars if bar.value is not None]
    usual = durations["p95_seconds"]
    return chart(bars, top_of_seconds([*known, usual or 0], usual), lines)


def _run_bar(run: Row) -> Bar:
    return Bar(
        run,
        run["duration_seconds"],
        key=str(run["run_id"]),
        css_class=result_of(run).css_class,
        href=run_path(run["run_id"]),
        is_counted=bool(run["is_counted"]),
    )


def failure_rate(feed: Row, rows: list[Row], links: Links) -> Row:
    """The share of failures among the decisive runs, by day or by week.

    `spans` are the days or weeks, newest first; `percent` is None without such a run.
    """
    spans = _spans(feed["first_day"], feed["last_day"], rows)
    for span in spans:
        decided, failed = span["decided"], span["failed"]
        span["percent"] = 100 * failed / decided if decided else None
    highest = max((span["percent"] or 0 for span in spans), default=0)
    top = next(n for n in AXIS_PERCENT if n >= highest)
    decided, failed = (sum(span[n] for span in spans) for n in ("decided", "failed"))
    return {
        "decided": decided,
        "failed": failed,
        "percent": 100 * failed / decided if decided else None,
        "spans": spans[::-1],
        "chart": chart([_span_bar(span, links) for span in spans], top),
    }


def _span_bar(span: Row, links: Links) -> Bar:
    runs_path = links.failed if span["failed"] else links.decided
    return Bar(
        span,
        span["percent"],
        key=span["first"],
        css_class="bad" if span["failed"] else "good",
        href=runs_path(span["first"], span["last"]),
    )


def _spans(first_day: str, last_day: str, rows: list[Row]) -> list[Row]:
    """The days, or the weeks from Monday, with their counts, zeros included."""
    counts = {row["day"]: row for row in rows}
    first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    is_daily = len(days) <= MAX_DAILY_BARS
    weeks = groupby(days, key=lambda day: day if is_daily else day.isocalendar()[:2])
    spans = []
    for _, group in weeks:
        span = [day.isoformat() for day in group]
        counted = [counts[day] for day in span if day in counts]
        spans.append(
            {
                "first": span[0],
                "last": span[-1],
                "decided": sum(row["decided"] for row in counted),
                "failed": sum(row["failed"] for row in counted),
            }
        )
    return spans


def by_run(attempts: list[Row]) -> list[Row]:
    """The attempts grouped by run: `[{"run_id": …, "attempts": [...]}]`."""
    runs = groupby(attempts, key=lambda attempt: attempt["run_id"])
    return [{"run_id": run_id, "attempts": list(group)} for run_id, group in runs]
