"""GitHub's `job` objects of a run, derived from its state at one time.

Schema: https://docs.github.com/en/rest/actions/workflow-jobs
"""

from __future__ import annotations

from datetime import datetime

from ci_observer.demo.seeded_random import stable_int
from ci_observer.demo.server.job_slots import Slot, job_slots
from ci_observer.demo.server.job_steps import step_objects
from ci_observer.demo.server.model import Json, Run, RunVersion, Sites
from ci_observer.demo.times import iso

HOSTED = "GitHub Actions"
NO_RUNNER: Json = {
    "runner_id": None,
    "runner_name": None,
    "runner_group_id": None,
    "runner_group_name": None,
}


def job_objects(
    run: Run, version: RunVersion, now: datetime, sites: Sites
) -> list[Json]:
    """The jobs of the version's attempt; those of `World.set_jobs` are unchanged."""
    if run.jobs is not None:
        return run.jobs
    return [job_object(run, slot, now, sites) for slot in job_slots(run, version, now)]


def job_id(run: Run, attempt: int, index: int) -> int:
    """The id of the job at this index of the workflow file."""
    return stable_int(f"job {run.id} {attempt} {index}", 2**34, 2**36)


def job_object(run: Run, slot: Slot, now: datetime, sites: Sites) -> Json:
    version = slot.version
    number = job_id(run, version.run_attempt, slot.number)
    repo = f"{sites.api}/repos/{run.repo.full_name}"
    failures = f"{run.workflow.id} {run.created_at:%Y-%m-%d} {slot.number}"
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
        "created_at": iso(slot.created_at),
        "started_at": iso(slot.started_at),
        "completed_at": slot.completed_at and iso(slot.completed_at),
        "name": slot.spec.name,
        "steps": list(step_objects(slot, failures, now)) if slot.has_run else [],
        "check_run_url": f"{repo}/check-runs/{number}",
        "labels": list(slot.spec.labels),
        **(runner(slot, number) if slot.has_run else NO_RUNNER),
    }


def runner(slot: Slot, number: int) -> Json:
    """The runner of a job: one of GitHub's own, or of a group of the organization."""
    group = slot.spec.runner_group
    place = stable_int(f"runner {number}", 1, 400)
    return {
        "runner_id": place,
        "runner_name": f"{HOSTED} {number % 400}"
        if group is None
        else f"{slot.spec.labels[-1]}-{place % 7 + 1:02}",
        "runner_group_id": 0 if group is None else stable_int(group, 1, 40),
        "runner_group_name": group or HOSTED,
    }
