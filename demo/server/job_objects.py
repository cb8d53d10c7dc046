"""GitHub's `job` objects of a run, derived from its state at one time.

Schema: https://docs.github.com/en/rest/actions/workflow-jobs
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci_observer.demo.seeded_random import stable_int
from ci_observer.demo.server.model import JobSpec, Json, Run, RunVersion, Sites
from ci_observer.demo.times import iso

# A run with one of these conclusions has no job.
WITHOUT_JOBS = ("action_required", "startup_failure")
# The run's conclusion → the conclusion of the failed job.
BROKEN_JOB = {
    "failure": "failure",
    "timed_out": "timed_out",
    "cancelled": "cancelled",
    "stale": "cancelled",
}
# The statuses of a run that its concurrency group does not let start.
HELD_STATUSES = ("pending", "requested")


@dataclass(frozen=True, slots=True)
class Slot:
    """One job of an attempt: its times, status and conclusion.

    `version` is the attempt in which it ran, which is an earlier one for a job that a
    re-run kept.
    """

    version: RunVersion
    number: int
    spec: JobSpec
    status: str
    conclusion: str | None
    started_at: datetime
    completed_at: datetime | None


def job_objects(
    run: Run, version: RunVersion, now: datetime, sites: Sites
) -> list[Json]:
    """The jobs of the version's attempt; those of `World.set_jobs` are unchanged."""
    if run.jobs is not None:
        return run.jobs
    return [job_object(run, slot, sites) for slot in job_slots(run, version, now)]


def job_slots(run: Run, version: RunVersion, now: datetime) -> list[Slot]:
    """The jobs of an attempt; those that it kept are as in their own attempt."""
    if not has_jobs(run, version):
        return []
    kept = {slot.number: slot for slot in kept_slots(run, version, now)}
    own = [number for number in range(len(run.workflow.jobs)) if number not in kept]
    end = version.updated_at if version.status == "completed" else now
    length = max(0.0, (end - version.run_started_at).total_seconds())
    share = timedelta(seconds=length / max(1, len(own)))
    has_bad = any(slot.conclusion in BROKEN_JOB.values() for slot in kept.values())
    broken = len(own) if has_bad else failed_job_index(run, version, len(own))
    for index, number in enumerate(own):
        status, conclusion = job_state(version, index, broken, len(own))
        start = version.run_started_at + index * share
        stop = start + share if status == "completed" else None
        spec = run.workflow.jobs[number]
        kept[number] = Slot(version, number, spec, status, conclusion, start, stop)
    return [kept[number] for number in sorted(kept)]


def has_jobs(run: Run, version: RunVersion) -> bool:
    """False for an invalid file, and for an attempt that its concurrency group held.

    The run of an invalid file is named like its path. A run that is cancelled while it
    is pending never gets a job.
    """
    name = run.workflow.name
    for source in (run.payload, version.overrides):
        name = (source or {}).get("name", name)
    if version.conclusion in WITHOUT_JOBS or name == run.workflow.path:
        return False
    statuses = {
        v.status
        for v in run.versions
        if v.run_attempt == version.run_attempt and v.at <= version.at
    }
    return not statuses <= {"completed", *HELD_STATUSES} or statuses == {"completed"}


def kept_slots(run: Run, version: RunVersion, now: datetime) -> Iterator[Slot]:
    """The jobs that did not run again in this attempt."""
    for number, attempt in enumerate(version.job_attempts):
        if attempt != version.run_attempt:
            before = [v for v in run.versions if v.run_attempt == attempt]
            yield job_slots(run, before[-1], now)[number]


def failed_job_index(run: Run, version: RunVersion, jobs: int) -> int:
    """The index of the failed job: the same one for all failures of a day."""
    if version.conclusion not in BROKEN_JOB or not jobs:
        return jobs
    day = f"{run.workflow.id} {run.created_at:%Y-%m-%d}"
    return stable_int(f"broken job {day}", 0, jobs)


def job_state(
    version: RunVersion, index: int, broken: int, jobs: int
) -> tuple[str, str | None]:
    """Status and conclusion of the job at this index."""
    if version.status == "completed":
        if version.conclusion in ("skipped", "neutral") or index > broken:
            return "completed", "skipped"
        bad = BROKEN_JOB.get(version.conclusion or "")
        return "completed", bad if index == broken and bad else "success"
    if version.status in ("in_progress", "waiting") and index < jobs - 1:
        return "completed", "success"
    return version.status, None


def job_id(run: Run, attempt: int, index: int) -> int:
    """The id of the job at this index of the workflow file."""
    return stable_int(f"job {run.id} {attempt} {index}", 2**34, 2**36)


def job_object(run: Run, slot: Slot, sites: Sites) -> Json:
    version = slot.version
    number = job_id(run, version.run_attempt, slot.number)
    repo = f"{sites.api}/repos/{run.repo.full_name}"
    ran = slot.conclusion != "skipped" and slot.status in ("completed", "in_progress")
    return {
        "id": number,
        "run_id": run.id,
        "workflow_name": run.workflow.name,
        "head_branch": run.head_branch,
        "run_url": f"{repo}/actions/runs/{run.id}",
        "run_attempt": version.run_attempt,
        "node_id": f"CR_kwDO{number:x}",
        "head_sha": run.head_sha,
        "url": f"{repo}/actions/jobs/{number}",
        "html_url": f"{sites.html}/{run.repo.full_name}/actions/runs/{run.id}"
        f"/job/{number}",
        "status": slot.status,
        "conclusion": slot.conclusion,
        "created_at": iso(version.run_started_at),
        "started_at": iso(slot.started_at),
        "completed_at": slot.completed_at and iso(slot.completed_at),
        "name": slot.spec.name,
        "steps": list(step_objects(slot)) if ran else [],
        "check_run_url": f"{repo}/check-runs/{number}",
        "labels": list(slot.spec.labels),
        "runner_id": stable_int(f"runner {number}", 1, 400) if ran else None,
        "runner_name": f"GitHub Actions {number % 400}" if ran else None,
        "runner_group_id": 0 if ran else None,
        "runner_group_name": "GitHub Actions" if ran else None,
    }


def step_objects(slot: Slot) -> Iterator[Json]:
    """Set-up, the steps of the file and the end; a bad job fails in its last step."""
    names = ("Set up job", "Run actions/checkout@v5", *slot.spec.steps, "Complete job")
    is_bad = slot.conclusion not in ("success", None)
    for number, name in enumerate(names, start=1):
        steps_left = len(names) - 1 - number
        status: str = "completed"
        conclusion: str | None = "success"
        if slot.status == "in_progress" and steps_left <= 0:
            status = "queued" if steps_left else "in_progress"
            conclusion = None
        elif is_bad and steps_left == 0:
            conclusion = slot.conclusion or "failure"
        start = slot.started_at if status != "queued" else None
        yield {
            "name": name,
            "status": status,
            "conclusion": conclusion,
            "number": number,
            "started_at": start and iso(start),
            "completed_at": iso(slot.completed_at or slot.started_at)
            if status == "completed"
            else None,
        }
