"""The page of a workflow's jobs: a grid of the newest runs, and their statistics."""

from collections.abc import Mapping
from typing import Any

from datasette.app import Datasette

from ci_observer.web.api.run_queries import TAGS
from ci_observer.web.database import fetch
from ci_observer.web.pages.job_links import JobLinks, StepLinks
from ci_observer.web.pages.job_statistics import MIN_COMPARED
from ci_observer.web.pages.job_table import (
    headings,
    more_points,
    more_seconds,
    order_of,
    sorted_rows,
)
from ci_observer.web.pages.jobs_reader import JobsReader
from ci_observer.web.pages.missing_jobs import why_none
from ci_observer.web.pages.page import Content, PageParams
from ci_observer.web.pages.times import exact_duration
from ci_observer.web.pages.workflow_selection import Selection, fetch_selection
from ci_observer.web.texts import display_name, display_row, display_text, display_title
from ci_observer.web.urls import jobs_path

ARGUMENTS = ("sort", "order", "group", "job")
# Rows of the table of jobs.
MAX_ROWS = 300
NO_NAME = "(no name)"

Row = dict[str, Any]


async def fetch_jobs_page(
    datasette: Datasette, params: PageParams, repo: str, workflow: str
) -> Content:
    """The page's content, for the branch, the days and the order that the URL names.

    Raises `BadRequest` for an unknown argument, `NotFound` for an unknown workflow.
    """
    selection = await fetch_selection(
        datasette, params, repo, workflow, others=ARGUMENTS
    )
    order = order_of(selection)
    read = JobsReader(selection)
    # Reads more than may run on the event loop's thread.
    await fetch(datasette, read, key="jobs page", inline=False)
    return Content(
        _context(read, selection, order),
        revision=int(read.state["revision"]),
        expires_at=read.until_at,
        title=f"Jobs · {_workflow_name(selection.feed)} · {selection.feed['repo']}",
    )


def _context(
    read: JobsReader, selection: Selection, order: tuple[str, str]
) -> dict[str, Any]:
    feed, others = selection.feed, selection.others
    opened = _opened(read, others)
    rows = sorted_rows(read.rows, order)
    links = JobLinks(selection, set(read.names), read.span.from_at, read.until_at)
    return {
        "feed": feed,
        "name": _workflow_name(feed),
        "branch": selection.branch,
        "tags": TAGS,
        "branches": selection.branches(read.branches),
        "days": selection.days,
        "periods": selection.periods(jobs_path),
        "links": links,
        "links_of_steps": StepLinks(
            selection, others.get("job"), read.steps_from_at, read.until_at
        ),
        "grid": read.grid.build(read.groups, opened),
        "opened": opened,
        "job": others.get("job"),
        "unknown_job": _unknown(read, others),
        "rows": [
            {"row": row, "members": sorted_rows(row.members, order)}
            for row in rows[:MAX_ROWS]
        ],
        "left_out": len(rows[MAX_ROWS:]),
        "steps": sorted_rows(read.steps, ("p50", "desc")),
        "headings": headings(links, order),
        "sort": order[0],
        "span": read.span,
        "red_spans": [display_row(span) for span in read.red_spans],
        "min_compared": MIN_COMPARED,
        "why_none": _why_none(read, selection),
        "shown": _shown,
        "display": display_title,
        "exact_duration": exact_duration,
        "more_seconds": more_seconds,
        "more_points": more_points,
    }


def _why_none(read: JobsReader, selection: Selection) -> str:
    feed, branch = selection.feed, selection.branch
    is_default = branch == feed["default_branch"]
    is_of_tile = bool(feed["has_tags_only"] if branch == TAGS else is_default)
    return why_none(read.state["fetch_jobs"] or "", is_of_tile=is_of_tile)


def _opened(read: JobsReader, others: Mapping[str, str]) -> str | None:
    """The matrix whose jobs are shown: the one of the URL, or of the job in it."""
    if "group" in others:
        return others["group"]
    job = others.get("job")
    return next((group for group, names in read.groups.items() if job in names), None)


def _unknown(read: JobsReader, others: Mapping[str, str]) -> str | None:
    """The job or the matrix of the URL, if these days have none of this name."""
    for argument, known in (("job", read.names), ("group", read.groups)):
        if argument in others and others[argument] not in known:
            return others[argument]
    return None


def _shown(text: str | None) -> str:
    return display_text(text) or NO_NAME


def _workflow_name(feed: Row) -> str:
    name = display_name(feed["workflow_name"] or feed["workflow"], feed["workflow"])
    # GitHub gives a workflow without a name its path as the name.
    return str(name).removeprefix(".github/workflows/")
