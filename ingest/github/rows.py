"""Rows of `runs` and `run_attempts` from GitHub's objects, and their merging.

Pure functions: no clock, no input or output. Any mix of nulls and unknown words gives a
row; only an object without an integer `id` is refused.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.github.values import (
    MAX_ATTEMPTS,
    attempt_number,
    integer,
    nested,
    positive,
    text,
    time_text,
)
from ci_observer.ingest.texts import one_line
from ci_observer.ingest.times import parse_instant, utc

Row = dict[str, Any]

# "Each workflow run is limited to 35 days":
# https://docs.github.com/en/actions/reference/limits
LONGEST_RUN = timedelta(days=35)
# A run without any time sorts as the oldest. GitHub has always sent `created_at`.
NO_TIME = "1970-01-01T00:00:00Z"

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
    run_id = positive(payload.get("id"))
    if run_id is None:
        raise InvalidResponse(f"A run of {repo} {workflow} has no id.")
    status = text(payload.get("status"))
    created_at = _first_time(payload, "created_at", "run_started_at", "updated_at")
    started_at = _first_time(payload, "run_started_at", "created_at", "updated_at")
    updated_at = _first_time(payload, "updated_at", "run_started_at", "created_at")
    actor = text(nested(payload, "actor", "login"))
    is_completed = status == "completed"
    return {
        "run_id": run_id,
        "repo": repo,
        "workflow": workflow,
        "workflow_name": text(payload.get("name")),
        "run_number": integer(payload.get("run_number")),
        "run_attempt": attempt_number(payload) or 1,
        "event": text(payload.get("event")),
        "display_title": text(payload.get("display_title")),
        "status": status,
        # A run that is running again may still carry its former conclusion.
        "conclusion": text(payload.get("conclusion")) if is_completed else None,
        "head_branch": text(payload.get("head_branch")),
        "head_sha": text(payload.get("head_sha")),
        "head_repo": _head_repo(payload, repo),
        "actor": actor,
        "triggering_actor": text(nested(payload, "triggering_actor", "login")) or actor,
        "pr_number": _pr_number(payload),
        "created_at": created_at,
        "started_at": started_at,
        "updated_at": updated_at,
        # None without an end: 0 would be kept, because the shortest duration wins.
        "duration_seconds": (
            duration_seconds(started_at, updated_at)
            if is_completed and time_text(payload.get("updated_at"))
            else None
        ),
        "html_url": text(payload.get("html_url")),
    }


def refusal_of(payload: Mapping[str, Any], *, now: datetime | None) -> str | None:
    """Why a run object cannot be stored; None if it can.

    A run of the future would stay the newest one of its tile for years.
    """
    run_id, attempt = (payload.get(name) for name in ("id", "run_attempt"))
    if positive(run_id) is None:
        return f"a run has no id ({one_line(repr(run_id), MAX_VALUE_LENGTH)})"
    if isinstance(attempt, int) and attempt > MAX_ATTEMPTS:
        shown = attempt if integer(attempt) else "enormous"
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
    return positive(payload.get("id")) is not None


def created_at(payload: Mapping[str, Any]) -> str | None:
    """When a run was created; None for a time that cannot be."""
    return time_text(payload.get("created_at"))


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
    head = text(nested(payload, "head_repository", "full_name"))
    if head is None:
        return None
    head_id = nested(payload, "head_repository", "id")
    own = nested(payload, "repository", "full_name")
    is_own = head_id is not None and head_id == nested(payload, "repository", "id")
    return repo if is_own or head == own or head.lower() == repo.lower() else head


def _pr_number(payload: Mapping[str, Any]) -> int | None:
    match payload.get("pull_requests"):
        case [{"number": number}, *_]:
            return integer(number)
    return None


def _first_time(payload: Mapping[str, Any], *keys: str) -> str:
    return next(
        (time for key in keys if (time := time_text(payload.get(key)))), NO_TIME
    )
