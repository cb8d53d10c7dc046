"""GitHub's `check-annotation` objects: why a job failed or was cancelled.

GitHub reports a job that exceeds its time limit as `cancelled`; only the annotations
of its check run tell the cause.
Schema: https://docs.github.com/en/rest/checks/runs#list-check-run-annotations
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ci_observer.demo.server.job_objects import job_id, job_objects
from ci_observer.demo.server.model import Json, Repo, Run, RunVersion, Sites
from ci_observer.demo.times import as_utc

CANCELLED = "The operation was canceled."
FAILED = "Process completed with exit code 1."
NODE: Json = {
    "message": "Node.js 20 actions are deprecated. Please update the following actions"
    " to use Node.js 24: actions/cache@v4.",
    "annotation_level": "warning",
}
PULL_LIMIT = (
    "toomanyrequests: You have reached your pull rate limit. You may increase the limit"
    " by authenticating and upgrading: https://www.docker.com/increase-rate-limit"
)
# Step → an error of it; `{n}` is a number that differs from run to run.
ERRORS = {
    "Install dependencies": "npm error 503 Service Unavailable - GET"
    " https://registry.npmjs.org/left-pad (request {n})",
    "Check style": "'discount' is defined but never used: src/cart/total.ts:{n}:7",
    "Upload coverage": "coverage fell to {n} lines, below the limit of 9800",
    "Run the tests": "AssertionError: expected {n} to equal 42, in test_checkout_total",
    "Build the image": PULL_LIMIT,
    "Push the image": "denied: the token of run {n} may not write to this registry",
    "Roll out": "deployment web-{n} exceeded its progress deadline after 10m0s",
    "Check health": "connect ECONNREFUSED 10.0.3.7:{n}",
}


def annotations_of_job(
    repo: Repo, number: int, now: datetime, sites: Sites
) -> list[Json] | None:
    """The annotations of the job with this id. None if the job is not visible."""
    for run in reversed(repo.runs):
        if (version := version_with_job(run, number, now)) is None:
            continue
        for job in job_objects(run, version, now, sites):
            if job["id"] == number:
                texts = messages(run, version, job)
                return [annotation_object(run, text, sites) for text in texts]
    return None


def version_with_job(run: Run, number: int, now: datetime) -> RunVersion | None:
    """The attempt that has this job. None for a run without it or not visible."""
    if (newest := run.version_at(now)) is None:
        return None
    if run.jobs is not None:
        return newest if any(job.get("id") == number for job in run.jobs) else None
    indices = range(len(run.workflow.jobs))
    for version in run.attempts_at(now):
        if number in (job_id(run, version.run_attempt, index) for index in indices):
            return version
    return None


def messages(run: Run, version: RunVersion, job: Json) -> Sequence[str | Json]:
    """The texts of the job's annotations, the cause first."""
    for name in (job["name"], ""):
        if name in run.annotations:
            return run.annotations[name]
    match job.get("conclusion"), version.cancel_cause:
        case "failure", _:
            return failure_messages(run, job)
        case "cancelled", "timeout":
            limit = go_duration(time_limit(run, job))
            cause = f"The job has exceeded the maximum execution time of {limit}"
        case "cancelled", "person":
            cause = f"The run was canceled by @{version.cancelled_by or run.actor}."
        case "cancelled", "superseded":
            group = f"{run.workflow.name}-refs/heads/{run.head_branch}"
            cause = "Canceling since a higher priority waiting request for "
            cause += f"'{group}' exists"
        case _:
            return []
    return [cause, CANCELLED]


def failure_messages(run: Run, job: Json) -> Sequence[str | Json]:
    """A warning, the error of the failed step if it has one, and the exit code."""
    for step in job.get("steps") or ():
        text = ERRORS.get(step["name"])
        if text and step.get("conclusion") == "failure":
            return [NODE, text.format(n=run.id % 9000 + 1000), FAILED]
    return [FAILED]


def time_limit(run: Run, job: Json) -> timedelta:
    """`timeout-minutes` of the job, or else the whole minutes that it took."""
    for spec in run.workflow.jobs:
        if spec.name == job["name"] and spec.timeout_minutes is not None:
            return timedelta(minutes=spec.timeout_minutes)
    length = as_utc(job["completed_at"]) - as_utc(job["started_at"])
    return timedelta(minutes=max(1, length // timedelta(minutes=1)))


def go_duration(length: timedelta) -> str:
    """A duration as Go prints it: `30m0s`, `1h0m0s`."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}s" if hours else f"{minutes}m{seconds}s"


def annotation_object(run: Run, message: str | Json, sites: Sites) -> Json:
    changes = message if isinstance(message, dict) else {"message": message}
    blob = f"{sites.html}/{run.repo.full_name}/blob/{run.head_sha}/.github"
    return {
        "path": ".github",
        "blob_href": blob,
        "start_line": 1,
        "start_column": None,
        "end_line": 1,
        "end_column": None,
        "annotation_level": "failure",
        "title": "",
        "message": "",
        "raw_details": "",
        **changes,
    }
