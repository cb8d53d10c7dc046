"""Rows of `runs`, `run_attempts` and `jobs` from GitHub's objects, and their merging.

Pure functions: no clock, no input or output. Any mix of nulls and unknown words gives a
row; only an object without an integer `id` is refused.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.texts import one_line
from ci_observer.ingest.times import parse_instant, utc

Row = dict[str, Any]

# "Each workflow run is limited to 35 days":
# https://docs.github.com/en/actions/reference/limits
LONGEST_RUN = timedelta(days=35)
# A run without any time sorts as the oldest. GitHub has always sent `created_at`.
NO_TIME = "1970-01-01T00:00:00Z"

# "A workflow run can be re-run a maximum of 50 times":
# https://docs.github.com/en/actions/reference/limits
MAX_ATTEMPTS = 100
MAX_VALUE_LENGTH = 60
CLOCK_TOLERANCE = timedelta(days=1)

ATTEMPT_COLUMNS = (
    "run_id",
    "run_attempt",
    "status",
    "conclusion",
    "started_at",
    "updated_at",
    "duration_seconds",
    "triggering_actor",
)


def run_row(payload: Mapping[str, Any], *, repo: str, workflow: str) -> Row:
    """The row of `runs` for one of GitHub's run objects.

    `repo` and `workflow` are the watched names; the object may carry a newer name of
    the repository. Raises `InvalidResponse` for an object without an integer `id`.
    https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run
    """
    run_id = _positive(payload.get("id"))
    if run_id is None:
        raise InvalidResponse(f"A run of {repo} {workflow} has no id.")
    status = _text(payload.get("status"))
    created_at = _first_time(payload, "created_at", "run_started_at", "updated_at")
    started_at = _first_time(payload, "run_started_at", "created_at", "updated_at")
    updated_at = _first_time(payload, "updated_at", "run_started_at", "created_at")
    actor = _text(_at(payload, "actor", "login"))
    is_completed = status == "completed"
    return {
        "run_id": run_id,
        "repo": repo,
        "workflow": workflow,
        "workflow_name": _text(payload.get("name")),
        "run_number": _integer(payload.get("run_number")),
        "run_attempt": _attempt(payload) or 1,
        "event": _text(payload.get("event")),
        "display_title": _text(payload.get("display_title")),
        "status": status,
        # A run that is running again may still carry its former conclusion.
        "conclusion": _text(payload.get("conclusion")) if is_completed else None,
        "head_branch": _text(payload.get("head_branch")),
        "head_sha": _text(payload.get("head_sha")),
        "head_repo": _head_repo(payload, repo),
        "actor": actor,
        "triggering_actor": _text(_at(payload, "triggering_actor", "login")) or actor,
        "pr_number": _pr_number(payload),
        "created_at": created_at,
        "started_at": started_at,
        "updated_at": updated_at,
        # None without an end: 0 would be kept, because the shortest duration wins.
        "duration_seconds": (
            duration_seconds(started_at, updated_at)
            if is_completed and _time(payload.get("updated_at"))
            else None
        ),
        "html_url": _text(payload.get("html_url")),
    }


def refusal_of(payload: Mapping[str, Any], *, now: datetime | None) -> str | None:
    """Why a run object cannot be stored; None if it can.

    A run of the future would stay the newest one of its tile for years.
    """
    run_id, attempt = (payload.get(name) for name in ("id", "run_attempt"))
    if _positive(run_id) is None:
        return f"a run has no id ({one_line(repr(run_id), MAX_VALUE_LENGTH)})"
    if isinstance(attempt, int) and attempt > MAX_ATTEMPTS:
        shown = attempt if _integer(attempt) else "enormous"
        return (
            f"run {run_id} has the attempt {shown}, and more than {MAX_ATTEMPTS} are "
            "not stored"
        )
    created = parse_instant(created_at(payload) or NO_TIME)
    if now and created and created > now + CLOCK_TOLERANCE:
        return f"run {run_id} was created in the future, at {utc(created)}"
    return None


def has_id(payload: Mapping[str, Any]) -> bool:
    """Whether an object has an id that can be stored."""
    return _positive(payload.get("id")) is not None


def created_at(payload: Mapping[str, Any]) -> str | None:
    """When a run was created; None for a time that cannot be."""
    return _time(payload.get("created_at"))


def job_row(payload: Mapping[str, Any], *, run_id: int, run_attempt: int) -> Row:
    """The row of `jobs` for one of GitHub's job objects.

    A job that a partial re-run kept carries its own, earlier `run_attempt`. Raises
    `InvalidResponse` for an object without an integer `id`.
    https://docs.github.com/en/rest/actions/workflow-jobs#get-a-job-for-a-workflow-run
    """
    job_id = _positive(payload.get("id"))
    if job_id is None:
        raise InvalidResponse(f"A job of run {run_id} has no id.")
    started_at = _text(payload.get("started_at"))
    completed_at = _text(payload.get("completed_at"))
    return {
        "job_id": job_id,
        "run_id": run_id,
        "run_attempt": _attempt(payload) or run_attempt,
        "name": _text(payload.get("name")),
        "status": _text(payload.get("status")),
        "conclusion": _text(payload.get("conclusion")),
        "started_at": started_at,
        "completed_at": completed_at,
        "duration_seconds": (
            duration_seconds(started_at, completed_at)
            if started_at and completed_at
            else None
        ),
        "runner_name": _text(payload.get("runner_name")),
        "failed_step": _failed_step(payload),
        "html_url": _text(payload.get("html_url")),
    }


def duration_seconds(started_at: str, ended_at: str) -> int | None:
    """Wall time of an attempt, in whole seconds.

    0 if the clock went backwards. None if a time is invalid, or if the span is longer
    than a run may last: then `updated_at` has moved after the end.
    """
    start, end = parse_instant(started_at), parse_instant(ended_at)
    if start is None or end is None:
        return None
    if end - start > LONGEST_RUN:
        return None
    return max(0, int((end - start).total_seconds()))


def attempt_row(run: Row) -> Row:
    """The row of `run_attempts` for the latest attempt of a row of `runs`."""
    return {column: run[column] for column in ATTEMPT_COLUMNS}


def merge_attempt(stored: Row | None, fetched: Row) -> Row:
    """The attempt row to keep, from the stored one and a fetched one.

    The newer row wins, so an outdated response changes nothing. The shortest duration
    wins, because `updated_at` only moves away from the end.
    """
    if stored is None:
        return fetched
    kept = stored if _is_older(fetched, stored) else fetched
    durations = [
        row["duration_seconds"]
        for row in (stored, fetched)
        if row["status"] == "completed" and row["duration_seconds"] is not None
    ]
    if kept["status"] == "completed" and durations:
        kept = kept | {"duration_seconds": min(durations)}
    return kept


def is_older_run(fetched: Row, stored: Row) -> bool:
    """Whether a fetched run is older than the stored one, by attempt, then by state."""
    if fetched["run_attempt"] != stored["run_attempt"]:
        return bool(fetched["run_attempt"] < stored["run_attempt"])
    return _is_older(fetched, stored)


def _is_older(fetched: Row, stored: Row) -> bool:
    """Whether a state of an attempt is older than another state of the same attempt.

    The end is newer than all progress, even if it has an earlier `updated_at`: GitHub
    never reopens an attempt.
    """
    if (fetched["status"] == "completed") == (stored["status"] == "completed"):
        return bool(fetched["updated_at"] < stored["updated_at"])
    if fetched["status"] == "completed":
        return _is_rerun_of(stored, fetched)
    return not _is_rerun_of(fetched, stored)


def _is_rerun_of(progress: Row, end: Row) -> bool:
    """Whether an unfinished attempt began after the end of the one with its number.

    Old servers do not number attempts: there a re-run has the number 1, too.
    """
    return bool(progress["started_at"] > max(end["started_at"], end["updated_at"]))


def _head_repo(payload: Mapping[str, Any], repo: str) -> str | None:
    """The fork's name for a run of a fork, otherwise the watched name."""
    head = _text(_at(payload, "head_repository", "full_name"))
    if head is None:
        return None
    head_id = _at(payload, "head_repository", "id")
    own = _at(payload, "repository", "full_name")
    is_own = head_id is not None and head_id == _at(payload, "repository", "id")
    return repo if is_own or head == own or head.lower() == repo.lower() else head


def _pr_number(payload: Mapping[str, Any]) -> int | None:
    match payload.get("pull_requests"):
        case [{"number": number}, *_]:
            return _integer(number)
    return None


def _failed_step(job: Mapping[str, Any]) -> str | None:
    """The name of the first step that failed."""
    steps = job.get("steps")
    for step in steps if isinstance(steps, list) else []:
        match step:
            case {"conclusion": "failure" | "timed_out", "name": str(name)}:
                return _text(name)
    return None


def _at(payload: Mapping[str, Any], key: str, inner: str) -> Any:
    value = payload.get(key)
    return value.get(inner) if isinstance(value, Mapping) else None


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or value.isascii():
        return value if isinstance(value, str) else None
    # JSON may hold a lone surrogate, which UTF-8 cannot store.
    return value.encode("utf-8", "replace").decode()


def _first_time(payload: Mapping[str, Any], *keys: str) -> str:
    return next((time for key in keys if (time := _time(payload.get(key)))), NO_TIME)


def _time(value: Any) -> str | None:
    """A time as GitHub writes it; None for one that cannot be."""
    instant = parse_instant(value) if isinstance(value, str) else None
    return utc(instant) if instant else None


def _attempt(payload: Mapping[str, Any]) -> int | None:
    attempt = _integer(payload.get("run_attempt"))
    return attempt if attempt and 0 < attempt <= MAX_ATTEMPTS else None


def _positive(value: Any) -> int | None:
    number = _integer(value)
    return number if number and number > 0 else None


def _integer(value: Any) -> int | None:
    # SQLite's integers have 64 bits.
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return value if is_integer and abs(value) < 2**63 else None
