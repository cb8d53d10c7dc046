"""GitHub's `job` objects of a run, worked out of its state at an instant.

Schema: https://docs.github.com/en/rest/actions/workflow-jobs
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci_observer.demo.seeded_random import stable_int
from ci_observer.demo.server.records import JobSpec, Json, Run, RunVersion, Sites
from ci_observer.demo.times import iso

# A run in one of these has no job yet, or never had one.
WITHOUT_JOBS = ("action_required", "startup_failure")
# The run's conclusion → the conclusion of the job it broke in.
BROKEN_JOB = {
    "failure": "failure",
    "timed_out": "timed_out",
    "cancelled": "cancelled",
    "stale": "cancelled",
}
SETUP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Slot:
    """One job of one attempt: when it ran and how it stands."""

    number: int
    spec: JobSpec
    status: str
    conclusion: str | None
    started_at: datetime
    completed_at: datetime | None


def job_objects(
    run: Run, version: RunVersion, now: datetime, sites: Sites
) -> list[Json]:
    """The jobs of the version's attempt; hand-set ones come back as given."""
    if run.jobs is not None:
        return run.jobs
    return [job_object(run, version, slot, sites) for slot in slots(run, version, now)]


def slots(run: Run, version: RunVersion, now: datetime) -> Iterator[Slot]:
    """The jobs one after the other, sharing the attempt's time."""
    specs = run.workflow.jobs
    invalid_file = run.workflow.name == run.workflow.path
    if version.conclusion in WITHOUT_JOBS or invalid_file:
        return
    end = version.updated_at if version.status == "completed" else now
    length = max(0.0, (end - version.run_started_at).total_seconds())
    broken = broken_job(run, version)
    for index, spec in enumerate(specs):
        share = length / len(specs)
        start = version.run_started_at + timedelta(seconds=index * share)
        status, conclusion = job_state(version, index, broken, len(specs))
        stop = start + timedelta(seconds=share) if status == "completed" else None
        yield Slot(index, spec, status, conclusion, start, stop)


def broken_job(run: Run, version: RunVersion) -> int:
    """Which job a bad run broke in: the same one while a branch stays broken."""
    if version.conclusion not in BROKEN_JOB:
        return len(run.workflow.jobs)
    day = f"{run.workflow.id} {run.created_at:%Y-%m-%d}"
    return stable_int(f"broken job {day}", 0, len(run.workflow.jobs))


def job_state(
    version: RunVersion, index: int, broken: int, jobs: int
) -> tuple[str, str | None]:
    """Status and conclusion of the job at this place."""
    if version.status == "completed":
        if version.conclusion in ("skipped", "neutral") or index > broken:
            return "completed", "skipped"
        bad = BROKEN_JOB.get(version.conclusion or "")
        return "completed", bad if index == broken and bad else "success"
    if version.status in ("in_progress", "waiting") and index < jobs - 1:
        return "completed", "success"
    return version.status, None


def job_object(run: Run, version: RunVersion, slot: Slot, sites: Sites) -> Json:
    number = stable_int(
        f"job {run.id} {version.run_attempt} {slot.number}", 2**34, 2**36
    )
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
    """Set-up, the steps of the file and the end; a bad job breaks in its last step."""
    names = ("Set up job", "Run actions/checkout@v5", *slot.spec.steps, "Complete job")
    bad = slot.conclusion not in ("success", None)
    for number, name in enumerate(names, start=1):
        place = len(names) - 1 - number
        status: str = "completed"
        conclusion: str | None = "success"
        if slot.status == "in_progress" and place <= 0:
            status, conclusion = ("queued", None) if place else ("in_progress", None)
        elif bad and place == 0:
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
