"""The runs of the world and their changes: new versions, re-runs, deletions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from ci_observer.demo.server.job_slots import job_slots
from ci_observer.demo.server.model import MISSING, Json, Run, RunVersion, Sites
from ci_observer.demo.server.repositories import Repositories
from ci_observer.demo.server.run_objects import as_sent
from ci_observer.demo.times import as_utc

# The fields of `RunVersion` that show only in jobs and annotations.
NOT_SENT = ("cancel_cause", "cancelled_by", "job_attempts")
# The keys of a run object that are fields of `RunVersion`; all others are overrides.
VERSION_FIELDS = (
    "status",
    "conclusion",
    "run_attempt",
    "run_started_at",
    "updated_at",
    *NOT_SENT,
)
CANCEL_CAUSES = ("timeout", "person", "superseded")


class Runs(Repositories):
    """The part of `World` that changes runs; only `World` itself moves the time."""

    def __init__(self, now: datetime, sites: Sites) -> None:
        super().__init__()
        self.now = now
        self.sites = sites
        self.runs: dict[int, Run] = {}

    def find_run(self, run: Run | int) -> Run:
        """The run with this id; KeyError if there is none."""
        return run if isinstance(run, Run) else self.runs[run]

    def update_run(self, run: Run | int, **changes: Any) -> Run:
        """Change keys of the run object from now on; `updated_at` becomes now.

        A conclusion without a status completes the run; a status other than
        completed clears the conclusion. `cancel_cause` or `cancelled_by`, as in
        `add_run`, cancels the run. The value MISSING removes a key.
        """
        with self.lock:
            target = self.find_run(run)
            if (conclusion := complete_cancellation(changes)) is not None:
                changes.setdefault("conclusion", conclusion)
            if "conclusion" in changes and changes["conclusion"] is not None:
                changes.setdefault("status", "completed")
            elif changes.get("status", "completed") != "completed":
                changes.setdefault("conclusion", None)
            changes.setdefault("updated_at", self.now)
            self.add_version(target, self.now, changes)
            return target

    def rerun(
        self,
        run: Run | int,
        *,
        triggering_actor: str | None = None,
        only_failed: bool = False,
        jobs: Collection[str] = (),
        **changes: Any,
    ) -> Run:
        """Start the next attempt of the run: queued, no conclusion, started now.

        All jobs run again, or only those without success, or only those named. The
        others are kept from their own attempt.

        https://docs.github.com/en/actions/managing-workflow-runs/re-running-workflows-and-jobs
        """
        with self.lock:
            target = self.find_run(run)
            last = target.versions[-1]
            attempt = last.run_attempt + 1
            url = f"{self.sites.api}/repos/{target.repo.full_name}/actions/runs"
            changes = {
                "status": "queued",
                "conclusion": None,
                "run_attempt": attempt,
                "run_started_at": self.now,
                "job_attempts": job_attempts(target, last, only_failed, jobs),
                **({"triggering_actor": triggering_actor} if triggering_actor else {}),
                **changes,
            }
            if target.payload is not None:
                before = f"{url}/{target.id}/attempts/{attempt - 1}"
                changes.setdefault("previous_attempt_url", before)
            return self.update_run(target, **changes)

    def add_version(self, run: Run, at: datetime, changes: Json) -> RunVersion:
        """Append a version; versions planned for a later time are dropped."""
        kept = [version for version in run.versions if version.at <= at]
        last = kept[-1]
        typed = {name: changes.pop(name) for name in VERSION_FIELDS if name in changes}
        typed |= {k: as_utc(v) for k, v in typed.items() if k.endswith("_at")}
        if isinstance(changes.get("triggering_actor", MISSING), str | None):
            typed["triggering_actor"] = changes.pop("triggering_actor")
        sent = {k: v for k, v in typed.items() if k not in NOT_SENT}
        given = {**changes, **(sent if run.payload is not None else {})}
        overrides = {**(last.overrides or {}), **self._as_sent(given)} or None
        version = next_version(last, at, typed, overrides)
        run.versions = [*kept, version]
        self.revision += 1
        return version

    def remove_run(self, run: Run | int) -> None:
        """Delete the run: it leaves all lists, and its id gets a 404."""
        with self.lock:
            self.find_run(run).removed_at = self.now
            self.revision += 1

    def restore_run(self, run: Run | int) -> None:
        """Serve a deleted run again, as it was."""
        with self.lock:
            self.find_run(run).removed_at = None
            self.revision += 1

    def remove_runs_of(self, repo: str, file: str) -> None:
        """Delete every run of a workflow, as retention does in the end."""
        with self.lock:
            for run in self.repo(repo).workflows[file].runs:
                self.remove_run(run)

    def set_jobs(self, run: Run | int, jobs: list[Json]) -> None:
        """Serve these job objects for the run, unchanged."""
        self.find_run(run).jobs = jobs

    def set_annotations(
        self, run: Run | int, messages: Sequence[str | Json], *, job: str = ""
    ) -> None:
        """Serve annotations with these messages for the job of this name, or for all.

        The messages of one job win over those of all jobs. An object instead of a
        message replaces keys of the annotation, such as `annotation_level`.
        """
        self.find_run(run).annotations[job] = tuple(messages)

    def _as_sent(self, fields: Mapping[str, Any]) -> Json:
        return {name: as_sent(name, v, self.sites) for name, v in fields.items()}


def next_version(
    last: RunVersion, at: datetime, typed: Json, overrides: Json | None
) -> RunVersion:
    """The version after `last`: changed version fields, and overrides.

    A new attempt does not inherit the reason for which the last one was cancelled.
    """
    attempt = typed.get("run_attempt", last.run_attempt)
    before = last if attempt == last.run_attempt else None
    return RunVersion(
        at=at,
        status=typed.get("status", last.status),
        conclusion=typed.get("conclusion", last.conclusion),
        run_attempt=attempt,
        run_started_at=typed.get("run_started_at", last.run_started_at),
        updated_at=typed.get("updated_at", last.updated_at),
        triggering_actor=typed.get("triggering_actor", last.triggering_actor),
        overrides=overrides,
        cancel_cause=typed.get("cancel_cause", before and before.cancel_cause),
        cancelled_by=typed.get("cancelled_by", before and before.cancelled_by),
        job_attempts=typed.get("job_attempts", before.job_attempts if before else ()),
    )


def job_attempts(
    run: Run, last: RunVersion, only_failed: bool, jobs: Collection[str]
) -> tuple[int, ...]:
    """The attempts of the jobs after a re-run; empty if all of them run again.

    Raises ValueError if no job runs again.
    """
    if not (only_failed or jobs):
        return ()
    attempts = tuple(
        last.run_attempt + 1
        if slot.spec.name in jobs or (only_failed and slot.conclusion != "success")
        else slot.version.run_attempt
        for slot in job_slots(run, last, last.updated_at)
    )
    if last.run_attempt + 1 not in attempts:
        raise ValueError(f"no job of run {run.id} runs again")
    return attempts


def complete_cancellation(fields: Json) -> str | None:
    """The conclusion `cancelled` if the fields have a cause; None otherwise.

    A login without a cause is a person's cancellation.
    """
    if fields.get("cancelled_by"):
        fields.setdefault("cancel_cause", "person")
    cause = fields.get("cancel_cause")
    if cause not in (None, *CANCEL_CAUSES):
        raise ValueError(f"cancel_cause {cause!r}: it is one of {CANCEL_CAUSES}")
    return "cancelled" if cause else None
