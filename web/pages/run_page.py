"""The page of one run: its facts, its attempts, and the jobs of one of them."""

import json
from collections import defaultdict
from typing import Any

from datasette.app import Datasette

from ci_observer.web.database import fetch_rows, fetch_snapshot
from ci_observer.web.errors import BadRequest, NotFound
from ci_observer.web.pages.missing_jobs import why_missing
from ci_observer.web.pages.page import Content, PageParams
from ci_observer.web.pages.run_jobs import AttemptJobs, JobLayout
from ci_observer.web.pages.run_links import github_links
from ci_observer.web.pages.run_page_queries import MAX_JOBS, SNAPSHOT_SQL, STEPS_SQL
from ci_observer.web.pages.times import epoch, exact_duration, later
from ci_observer.web.texts import display_row, display_text
from ci_observer.web.urls import run_path
from ci_observer.web.vocabulary import label_of, result_of

# Of SQLite's integers.
MAX_ID = 2**63 - 1
MAX_DIGITS = len(str(MAX_ID))
# How often the bars of jobs that still run are drawn again.
REDRAW_SECONDS = 20
# What a job or a run waits for, except a runner.
WAITS = {"approval": "an approval", "concurrency": "its concurrency group"}
ICONS = {"good": "passing", "bad": "failing"}

Row = dict[str, Any]
Rows = dict[str, list[Row]]


async def fetch_run(datasette: Datasette, params: PageParams, run_id: str) -> Content:
    """The page's content, for the latest attempt or the one that the URL names.

    Raises `NotFound` for an unknown run or attempt, `BadRequest` for an argument that
    the page does not have.
    """
    number, named = _number(run_id), _attempt(params)
    snapshot = await fetch_snapshot(
        datasette, SNAPSHOT_SQL, {"run_id": number, "attempt": named}
    )
    rows = {name: [dict(row) for row in found] for name, found in snapshot.items()}
    if not rows["run"]:
        raise NotFound(f"There is no run {number} here. /runs lists the stored runs.")
    [run], [state] = rows["run"], rows["revision"]
    attempt = _chosen(rows["attempts"], named or run["run_attempt"], number)
    layout = JobLayout(rows["jobs"][:MAX_JOBS], attempt, epoch(state["now"]) or 0)
    jobs = layout.shown(await _fetch_steps(datasette, layout.step_jobs()))
    return Content(
        _context(rows, run, attempt, jobs),
        revision=int(state["revision"]),
        expires_at=later(state["now"], REDRAW_SECONDS) if jobs.has_moving else None,
        title=_title(run, attempt),
    )


def _number(text: str) -> int:
    number = _positive(text)
    if number is None:
        raise NotFound("The address of a run is /runs/ and its number on GitHub.")
    return number


def _attempt(params: PageParams) -> int | None:
    arguments = dict(params.pairs)
    unknown = [name for name in arguments if name != "attempt"]
    if unknown:
        raise BadRequest(f"Unknown argument {unknown[0]!r}. Allowed: attempt.")
    text = arguments.get("attempt")
    number = None if text is None else _positive(text)
    if text is not None and number is None:
        raise BadRequest(f"attempt={text} is not the number of an attempt, from 1 on.")
    return number


def _positive(text: str) -> int | None:
    """A positive integer that SQLite can store; None for any other text."""
    digits = text.lstrip("0")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > MAX_DIGITS:
        return None
    return number if (number := int(digits)) <= MAX_ID else None


def _chosen(attempts: list[Row], number: int, run_id: int) -> Row:
    for attempt in attempts:
        if attempt["run_attempt"] == number:
            return attempt | {"ended_at": _end_of(attempt)}
    known = ", ".join(str(attempt["run_attempt"]) for attempt in attempts)
    raise NotFound(
        f"Attempt {number} of run {run_id} is not stored. Stored: {known or 'none'}."
    )


def _end_of(attempt: Row) -> str | None:
    """When an attempt ended; None if it has not, or if that is not known."""
    seconds = attempt["duration_seconds"]
    if attempt["status"] != "completed" or seconds is None:
        return None
    return later(attempt["started_at"], seconds)


async def _fetch_steps(
    datasette: Datasette, job_ids: list[int]
) -> dict[int, list[Row]]:
    """The steps of some jobs, by job; an empty list for a job without any."""
    rows = await fetch_rows(datasette, STEPS_SQL, {"jobs": json.dumps(job_ids)})
    steps: dict[int, list[Row]] = {job_id: [] for job_id in job_ids}
    for row in rows:
        step = dict(row) | {"status": "completed", "name": display_text(row["name"])}
        steps[row["job_id"]].append(step)
    return steps


def _context(rows: Rows, run: Row, attempt: Row, jobs: AttemptJobs) -> dict[str, Any]:
    [fetching] = rows["fetching"]
    number, latest = attempt["run_attempt"], run["run_attempt"]
    return {
        "run": display_row(run) | github_links(run) | _addressed(run),
        "attempt": attempt | {"is_latest": number == latest},
        "attempts": [
            other
            | {
                "path": run_path(run["run_id"], attempt=None if n == latest else n),
                "is_current": n == number,
            }
            for other in rows["attempts"]
            for n in [other["run_attempt"]]
        ],
        "jobs": jobs,
        "has_more_jobs": len(rows["jobs"]) > MAX_JOBS,
        "missing": None if jobs.count else why_missing(run, attempt, fetching),
        "counts": _counts(jobs),
        "exact_duration": exact_duration,
        "waited": _waited,
        "icon": ICONS.get(result_of(attempt).css_class, "unknown"),
    }


def _addressed(run: Row) -> Row:
    """The values as links need them: not cut."""
    return {"branch": run["head_branch"], "actor_name": run["actor"]}


def _waited(row: Row) -> str:
    """How long a job or an attempt waited, and for what if not for a runner."""
    what = row["waited_for"]
    reason = f" for {WAITS.get(what) or label_of(what)}" if what else ""
    return exact_duration(row["queue_seconds"]) + reason


def _counts(jobs: AttemptJobs) -> list[tuple[str, int]]:
    """How many jobs have each result, failures first."""
    counts: dict[str, int] = defaultdict(int)
    ranks = {"bad": 0, "held": 1, "active": 2, "other": 3, "good": 4}
    shown = sorted(
        (*jobs.ran, *jobs.skipped), key=lambda job: ranks[job.result.css_class]
    )
    for job in shown:
        counts[job.result.label.partition(" after ")[0]] += 1
    return list(counts.items())


def _title(run: Row, attempt: Row) -> str:
    """The browser tab's title, with the result first."""
    number = attempt["run_attempt"]
    suffix = f" attempt {number}" if number > 1 else ""
    shown = display_row(run)
    parts = (
        result_of(attempt).label,
        f"#{run['run_number']}{suffix}",
        shown["workflow_name"] or shown["workflow"],
        run["repo"],
    )
    return " · ".join(parts)
