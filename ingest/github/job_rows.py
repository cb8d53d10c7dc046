"""Rows of `jobs` and their steps from GitHub's job objects.

Pure functions: no clock, no input or output. Any mix of nulls and unknown words gives a
row; only an object without an integer `id` is refused.
https://docs.github.com/en/rest/actions/workflow-jobs#get-a-job-for-a-workflow-run
"""

import json
from collections.abc import Mapping
from typing import Any

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.github.rows import Row, duration_seconds
from ci_observer.ingest.github.values import (
    attempt_number,
    positive,
    text,
    time_text,
)

# GitHub sends `started_at` of these jobs too: the time at which they were queued.
NOT_STARTED = ("queued", "requested", "waiting", "pending")


def job_row(payload: Mapping[str, Any], *, run_id: int, run_attempt: int) -> Row:
    """The row of `jobs` for one of GitHub's job objects.

    A job that a partial re-run kept carries its own, earlier `run_attempt`. Raises
    `InvalidResponse` for an object without an integer `id`.
    """
    job_id = positive(payload.get("id"))
    if job_id is None:
        raise InvalidResponse(f"A job of run {run_id} has no id.")
    started_at = time_text(payload.get("started_at"))
    completed_at = time_text(payload.get("completed_at"))
    return {
        "job_id": job_id,
        "run_id": run_id,
        "run_attempt": attempt_number(payload) or run_attempt,
        "name": text(payload.get("name")),
        "status": text(payload.get("status")),
        "conclusion": text(payload.get("conclusion")),
        "started_at": started_at,
        "completed_at": completed_at,
        "duration_seconds": (
            duration_seconds(started_at, completed_at)
            if started_at and completed_at
            else None
        ),
        "runner_name": text(payload.get("runner_name")),
        "failed_step": _failed_step(payload),
        "html_url": text(payload.get("html_url")),
        "created_at": (created_at := time_text(payload.get("created_at"))),
        "queue_seconds": (
            duration_seconds(created_at, started_at)
            if created_at and started_at and has_run(payload)
            else None
        ),
        "labels": _labels(payload),
        "runner_group": text(payload.get("runner_group_name")) or None,
    }


def has_run(payload: Mapping[str, Any]) -> bool:
    """Whether a runner has taken a job.

    GitHub sends times also of jobs that were skipped, that were cancelled in the queue
    and that no runner took. These have neither a runner nor steps. Old servers do not
    send runners.
    """
    if payload.get("status") in NOT_STARTED or payload.get("conclusion") == "skipped":
        return False
    if payload.get("conclusion") == "success" or _steps(payload):
        return True
    keys = ("runner_id", "runner_name")
    return any(payload.get(key) for key in keys) or not set(keys) & set(payload)


def _failed_step(job: Mapping[str, Any]) -> str | None:
    """The name of the first step that failed."""
    for step in _steps(job):
        match step:
            case {"conclusion": "failure" | "timed_out", "name": str(name)}:
                return text(name)
    return None


def _labels(job: Mapping[str, Any]) -> str | None:
    """The labels as JSON; None if GitHub sends no list of them."""
    labels = job.get("labels")
    if not isinstance(labels, list):
        return None
    texts = [text(label) for label in labels if isinstance(label, str)]
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def _steps(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    steps = job.get("steps")
    found = steps if isinstance(steps, list) else []
    return [step for step in found if isinstance(step, Mapping)]
