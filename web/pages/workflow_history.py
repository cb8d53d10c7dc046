"""The history on a workflow's page: rows per branch, charts, attempts."""

from datetime import date, timedelta
from itertools import groupby
from typing import Any

from ci_observer.web.pages.charts import Bar, Chart, chart, top_of_seconds
from ci_observer.web.pages.workflow_links import Links
from ci_observer.web.urls import web_address
from ci_observer.web.vocabulary import result_of

# Up to here a bar is a day, beyond a week.
MAX_BARS = 31
WIDE_RUNS = 12
TOPS_PERCENT = (10, 25, 50, 100)

Row = dict[str, Any]


def branch_rows(feed: Row, branch: str | None, runs: list[Row]) -> list[Row]:
    """The runs by branch: the default one, the one that is asked for, then the newest.

    A fork's branch is another one, although it may have the same name.
    """
    first = [(feed["repo"], name) for name in (feed["default_branch"], branch) if name]
    places: dict[tuple[str | None, str | None], list[Row]] = {p: [] for p in first}
    for run in runs:
        places.setdefault((run["head_repo"], run["head_branch"]), []).append(run)
    return [
        {
            "branch": name,
            "fork": None if repo == feed["repo"] else repo or "deleted fork",
            "is_current": (repo, name) == (feed["repo"], branch),
            # A line of its own for what is looked at, and for what needs the room.
            "is_wide": (repo, name) in first or len(some) > WIDE_RUNS,
            "runs": some,
        }
        for (repo, name), some in places.items()
    ]


def duration_chart(newest_first: list[Row], durations: Row) -> Chart:
    """A bar per run, oldest first; the lines are of the runs whose durations count."""
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
        look=result_of(run).look,
        href=web_address(run["html_url"]),
        is_counted=bool(run["is_counted"]),
    )


def failure_rate(feed: Row, rows: list[Row], links: Links) -> Row:
    """How many of the runs that decided something failed, by day or by week."""
    spans = _spans(feed["first_day"], feed["last_day"], rows)
    for span in spans:
        decided, failed = span["decided"], span["failed"]
        span["percent"] = 100 * failed / decided if decided else None
    highest = max((span["percent"] or 0 for span in spans), default=0)
    top = next(n for n in TOPS_PERCENT if n >= highest)
    decided, failed = (sum(span[n] for span in spans) for n in ("decided", "failed"))
    return {
        "decided": decided,
        "failed": failed,
        "percent": 100 * failed / decided if decided else None,
        "spans": spans[::-1],
        "chart": chart([_span_bar(span, links) for span in spans], top),
    }


def _span_bar(span: Row, links: Links) -> Bar:
    find = links.failed if span["failed"] else links.decided
    return Bar(
        span,
        span["percent"],
        key=span["first"],
        look="bad" if span["failed"] else "good",
        href=find(span["first"], span["last"]),
    )


def _spans(first_day: str, last_day: str, rows: list[Row]) -> list[Row]:
    """The days, or the weeks from Monday on, with their counts; empty ones as well."""
    counts = {row["day"]: row for row in rows}
    first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    is_daily = len(days) <= MAX_BARS
    weeks = groupby(days, key=lambda day: day if is_daily else day.isocalendar()[:2])
    spans = []
    for _, group in weeks:
        span = [day.isoformat() for day in group]
        found = [counts[day] for day in span if day in counts]
        spans.append(
            {
                "first": span[0],
                "last": span[-1],
                "decided": sum(row["decided"] for row in found),
                "failed": sum(row["failed"] for row in found),
            }
        )
    return spans


def by_run(attempts: list[Row]) -> list[Row]:
    """Runs with more than one attempt, each with those that are known."""
    runs = groupby(attempts, key=lambda attempt: attempt["run_id"])
    return [{"run_id": run_id, "attempts": list(group)} for run_id, group in runs]
