"""The drawings on the page of a summary: bars, and the hours of a week."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from ci_observer.web.pages.charts import Bar, chart, top_of_seconds
from ci_observer.web.pages.times import duration
from ci_observer.web.summary.counts import Numbers
from ci_observer.web.summary.links import Links
from ci_observer.web.summary.report import Report
from ci_observer.web.summary.words import number, span_text

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_NAMES = (
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
)
# The bars of each of the two spans.
MAX_BARS = 31
AXIS_PERCENT = (10, 25, 50, 100)
HOURS = range(24)
# The shades of the hours.
STEPS = 5
# Up to this number of days, an hour of a weekday is one hour.
WEEK = 7


def charts_of(report: Report, links: Links) -> dict[str, Any]:
    """The charts of the page, and the functions that describe their bars."""
    data = report.data
    return {
        "failure_chart": _failure_chart(report, links),
        "describe_day": _describe_days,
        "before_first": data["before"]["first_day"],
        "span_last": data["span"]["last_day"],
        "queue_chart": _queue_chart(data["queue_hours"], links),
        "describe_hour": _describe_hour,
    }


def _failure_chart(report: Report, links: Links) -> Any:
    """A bar for each day, or for some, of the span before and of the span."""
    first = report.data["span"]["first_day"]
    groups = [
        *_groups([row for row in report.data["days"] if row["day"] < first]),
        *_groups([row for row in report.data["days"] if row["day"] >= first]),
    ]
    highest = max((group["percent"] or 0 for group in groups), default=0)
    bars = [
        Bar(
            group,
            group["percent"],
            key=group["first_day"],
            css_class="bad" if group["failed"] else "good",
            href=links.days(group),
            is_counted=group["first_day"] >= first,
        )
        for group in groups
    ]
    return chart(bars, next(top for top in AXIS_PERCENT if top >= highest))


def _groups(days: list[Numbers]) -> list[Numbers]:
    """The days in at most `MAX_BARS` groups of the same length, the last ones full."""
    size = -(-len(days) // MAX_BARS)
    rest = len(days) % size if size else 0
    starts = [*([0] if rest else []), *range(rest, len(days), size or 1)]
    ends = [*starts[1:], len(days)]
    return [_group(days[a:b]) for a, b in zip(starts, ends, strict=True) if b > a]


def _group(days: list[Numbers]) -> Numbers:
    failed, decided = (
        sum(day[name] for day in days) for name in ("failed_runs", "decided_runs")
    )
    return {
        "first_day": days[0]["day"],
        "last_day": days[-1]["day"],
        "failed": failed,
        "decided": decided,
        "percent": 100 * failed / decided if decided else None,
    }


def _describe_days(group: Numbers) -> str:
    failed, decided = number(group["failed"]), number(group["decided"])
    return f"{span_text(group)}: {failed} of {decided} failed"


def _queue_chart(hours: Iterable[Numbers], links: Links) -> Any:
    rows = {row["hour"]: row for row in hours}
    bars = [
        Bar(
            rows.get(hour),
            rows[hour]["queue_p95_seconds"] if hour in rows else None,
            key=str(hour),
            css_class="other",
            href=links.dashboard("jobs", "queue-by-hour"),
        )
        for hour in HOURS
    ]
    return chart(bars, top_of_seconds([bar.value or 0 for bar in bars], None))


def _describe_hour(row: Numbers) -> str:
    jobs = f"{number(row['jobs'])} job{'' if row['jobs'] == 1 else 's'}"
    p50, p95 = (duration(row[f"queue_{name}_seconds"]) for name in ("p50", "p95"))
    return f"{row['hour']:02}:00, {p95} p95, {p50} p50 of {jobs}"


def heat(report: Report, links: Links) -> dict[str, Any]:
    """The runs of each hour of the week, with the steps of their shades."""
    runs = {(row["weekday"], row["hour"]): row["runs"] for row in report.data["hours"]}
    most = max(runs.values(), default=0)
    days = _days_by_weekday(report)
    rows = [
        {
            "weekday": WEEKDAYS[weekday - 1],
            "hours": [
                {
                    "hour": hour,
                    "runs": (found := runs.get((weekday, hour), 0)),
                    "step": -(-STEPS * found // most) if most else 0,
                    "path": _hour_path(report, links, days.get(weekday), weekday, hour)
                    if found
                    else None,
                }
                for hour in HOURS
            ],
        }
        for weekday in range(1, WEEK + 1)
    ]
    return {"rows": rows, "most": most, **_busiest(report, runs)}


def _days_by_weekday(report: Report) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for day in report.spans.span.all_days:
        found.setdefault(date.fromisoformat(day).isoweekday(), []).append(day)
    return found


def _hour_path(
    report: Report, links: Links, days: list[str] | None, weekday: int, hour: int
) -> str | None:
    """The runs of an hour of the week; in `/runs` where that is one hour of one day."""
    data = report.data
    match days:
        case [day] if not data["triggers_are_cut"]:
            bounds = report.hours.bounds(day, hour)
            if bounds:
                return links.between(*bounds)
    since = data["triggers_since"] if data["triggers_are_cut"] else None
    return links.hour(weekday, hour, since)


def _busiest(report: Report, runs: dict[tuple[int, int], int]) -> dict[str, str]:
    """The weekday with most runs a day, and the hour with most runs."""
    if not runs:
        return {}
    days = _days_by_weekday(report)
    by_day = {
        weekday: sum(n for (day, _), n in runs.items() if day == weekday)
        / len(days.get(weekday, [""]))
        for weekday in {weekday for weekday, _ in runs}
    }
    by_hour = {
        hour: sum(n for (_, at), n in runs.items() if at == hour)
        for hour in {hour for _, hour in runs}
    }
    weekday = max(by_day, key=lambda day: (by_day[day], -day))
    hour = max(by_hour, key=lambda at: (by_hour[at], -at))
    return {
        "busiest_day": DAY_NAMES[weekday - 1],
        "busiest_hour": f"{hour:02}:00",
    }
