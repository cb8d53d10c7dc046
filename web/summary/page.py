"""The page of a summary: the questions of a lead, each number with its rows."""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from datasette.app import Datasette

from ci_observer.web.database import fetch
from ci_observer.web.pages.page import Content, PageParams
from ci_observer.web.pages.times import exact_duration, zone_of
from ci_observer.web.parameters import MAX_LIMIT, PARAMETERS
from ci_observer.web.summary.changes import MIN_COMPARED, WORSE, changes_of
from ci_observer.web.summary.counts import Numbers
from ci_observer.web.summary.definitions import DEFINITIONS, LISTS
from ci_observer.web.summary.drawings import charts_of, heat
from ci_observer.web.summary.figures import figures
from ci_observer.web.summary.headline import headline, icon
from ci_observer.web.summary.links import Links
from ci_observer.web.summary.lists import WASTE
from ci_observer.web.summary.queries import MOST_LISTED
from ci_observer.web.summary.report import Report, read_report
from ci_observer.web.summary.span import Request
from ci_observer.web.summary.words import (
    STATE_WORDS,
    label_text,
    minutes_text,
    number,
    recorded_text,
    span_text,
    states_text,
)
from ci_observer.web.texts import display_text

ALARM_WORDS = {
    "stuck": "stuck",
    "overdue": "overdue",
    "disabled": "disabled",
    "no_schedule": "no scheduled run",
}
# Rows of a table, unless the URL has a limit.
LISTED = 8
LIMIT = "limit"
WEEK = 7
PERIODS = (WEEK, 30, 90, 365)


async def fetch_report(datasette: Datasette, request: Request) -> Report:
    """The numbers of a summary; raises `BadRequest` and `Unavailable`."""
    # Reads more than may run on the event loop's thread.
    return await fetch(
        datasette, partial(read_report, request=request), key="summary", inline=False
    )


async def fetch_summary(datasette: Datasette, params: PageParams) -> Content:
    """The page's content, for the days and the filters that the URL names."""
    limits = [value for name, value in params.pairs if name == LIMIT]
    listed = PARAMETERS[LIMIT].parse(limits) if limits else LISTED
    request = Request.from_pairs(pair for pair in params.pairs if pair[0] != LIMIT)
    report = await fetch_report(datasette, request)
    zone = zone_of(params.tz) or zone_of(report.spans.timezone) or ZoneInfo("UTC")
    return Content(
        _context(report, zone, listed),
        revision=report.revision,
        expires_at=report.expires_at,
        title=f"{report.data['main']['state']} · Summary,"
        f" {span_text(report.data['span'])}",
    )


def _context(report: Report, zone: ZoneInfo, listed: int) -> dict[str, Any]:
    data = report.data
    links = report.links
    workflows = [with_changes(row) for row in data["workflows"]]
    total = with_changes(data["total"])
    places = _places(report, workflows, links)
    return {
        "data": data,
        "today": report.spans.today,
        "span_text": span_text(data["span"]),
        "before_text": span_text(data["before"]),
        "total": total,
        "links": links,
        "periods": _periods(report, links),
        "fields": report.choices,
        "is_filtered": bool(report.request.filters or report.request.since),
        "warnings": report.warnings,
        "stored_jobs": report.stored_jobs,
        "headline": headline(data, total),
        "icon": icon(data["main"]),
        "alarm_words": ALARM_WORDS,
        "pairs": report.pairs,
        "places": places,
        "is_one_repo": len(data["repositories"]) == 1,
        "state_words": STATE_WORDS,
        "most_listed": MOST_LISTED,
        "bars": [(row, report.bar(row, zone)) for row in places[:listed]],
        "figures": figures(total, links),
        "is_rounded": report.is_rounded,
        "failing": top(workflows, "failed_runs"),
        "slowest": top(workflows, "duration_p50_seconds"),
        "slower": slower(workflows),
        "flaky": top(workflows, "flaky_commits"),
        "rerun": top(workflows, "rerun_runs"),
        "minutes": top(workflows, "run_minutes"),
        "queue_labels": [
            with_changes(row) | {"label": label_text(row["labels"])}
            for row in report.queue_labels[:listed]
        ],
        "events": data["events"][:listed],
        "actors": data["actors"][:listed],
        **charts_of(report, links),
        "heat": heat(report, links),
        "waste_labels": WASTE,
        "definitions": DEFINITIONS | LISTS,
        "min_compared": MIN_COMPARED,
        "listed": listed,
        "all_rows": links.summary(limit=MAX_LIMIT),
        "states_text": states_text,
        "recorded": recorded_text(total, data["span"] | {"now": data["now"]}),
        "number": number,
        "minutes_text": minutes_text,
        "exact_duration": exact_duration,
        "display": display_text,
    }


def with_changes(row: Numbers) -> Numbers:
    """A row with the changes of its numbers since the span before."""
    return row | {"changes": changes_of(row, row["before"])}


def top(rows: Iterable[Numbers], name: str) -> list[Numbers]:
    """The rows with the highest numbers above 0."""
    found = [row for row in rows if row[name]]
    found.sort(key=lambda row: -row[name])
    return found


def _places(
    report: Report, workflows: list[Numbers], links: Links
) -> list[dict[str, Any]]:
    """The repositories with a state, or the workflows of the only one.

    Those that were red for the longest time come first.
    """
    repositories = report.data["repositories"]
    if len(repositories) == 1:
        found = [
            row | {"name": row["workflow_name"], "path": links.workflow(row)}
            for row in workflows
        ]
    else:
        found = [
            with_changes(row)
            | {"name": row["repo"], "path": links.summary(repo=row["repo"])}
            for row in repositories
        ]
    found = [row for row in found if row["recorded_seconds"]]
    found.sort(key=lambda row: (-row["red_seconds"], -row["breaks"]))
    return found


def slower(workflows: Iterable[Numbers]) -> list[Numbers]:
    """The workflows whose median got worse, the largest change of it first."""
    name = "duration_p50_seconds"
    found = [
        row
        for row in workflows
        if (change := row["changes"].get(name)) and change.verdict == WORSE
    ]
    found.sort(key=lambda row: -(row[name] / row["before"][name]))
    return found


def _periods(report: Report, links: Links) -> list[Numbers]:
    """The usual spans: the last days, the last week from Monday, the last month."""
    today = date.fromisoformat(report.spans.today)
    monday = today - timedelta(days=today.weekday() + WEEK)
    month = today.replace(day=1) - timedelta(days=1)
    spans: dict[str, dict[str, Any]] = {
        f"{days} days": {"days": None if days == WEEK else days} for days in PERIODS
    }
    spans["Last week"] = _between(monday, monday + timedelta(days=WEEK - 1))
    spans["Last month"] = _between(month.replace(day=1), month)
    current = dict(report.request.pairs)
    names = ("days", "since", "until")
    return [
        {
            "label": label,
            "path": links.summary(**(dict.fromkeys(names) | span)),
            "is_current": all(
                current.get(name) == (str(span[name]) if span.get(name) else None)
                for name in names
            ),
        }
        for label, span in spans.items()
    ]


def _between(first: date, last: date) -> dict[str, Any]:
    return {"since": first.isoformat(), "until": last.isoformat()}
