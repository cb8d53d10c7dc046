"""The state of the simulated GitHub, as a function of a given instant.

Tests script it (`add_run`, `update_run`, `rerun`, …); the scenario schedules calls
with `at`. No clock is read here: time moves by `advance_to` alone.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from ci_observer.demo.seeded_random import stable_sha
from ci_observer.demo.server.places import Places
from ci_observer.demo.server.recorded import (
    as_recorded_run,
    group_by_id,
    workflow_paths,
)
from ci_observer.demo.server.records import (
    MISSING,
    Json,
    Repo,
    Run,
    RunVersion,
    Sites,
    Workflow,
)
from ci_observer.demo.server.runs import as_sent
from ci_observer.demo.times import instant

Time = datetime | str
Event = Callable[["World", datetime], object]

TYPED = ("status", "conclusion", "run_attempt", "run_started_at", "updated_at")


class World(Places):
    """Repositories, workflows and runs; `now` is the instant they are seen at.

    `lock` guards every change, because a server reads from its own thread.
    """

    def __init__(
        self, now: Time = "2026-03-02T09:00:00Z", *, sites: Sites | None = None
    ) -> None:
        super().__init__()
        self.now = instant(now)
        self.sites = sites or Sites()
        self.runs: dict[int, Run] = {}
        self._run_ids = count(21_000_000_007, 104_729)
        self._events: list[tuple[datetime, int, Event]] = []
        self._event_ids = count()

    # -- time

    def advance_to(self, now: Time) -> None:
        """Let everything happen that is due until `now`; never goes back.

        The result does not depend on the number of steps taken.
        """
        target = instant(now)
        with self.lock:
            while self._events and self._events[0][0] <= target:
                at, _, event = heapq.heappop(self._events)
                self.now = max(self.now, at)
                event(self, at)
            self.now = max(self.now, target)

    def at(self, when: Time, event: Event) -> None:
        """Call `event(world, when)` once the world's time reaches `when`."""
        entry = (instant(when), next(self._event_ids), event)
        with self.lock:
            heapq.heappush(self._events, entry)

    # -- runs

    def add_run(
        self,
        repo: str | Repo,
        workflow: str,
        *,
        status: str = "completed",
        conclusion: str | None = None,
        duration: float = 60,
        **fields: Any,
    ) -> Run:
        """A run as it stands now; without further words a success of 60 seconds.

        `duration` seconds lie between `run_started_at` and `updated_at`, and a
        completed run ends now unless `created_at` says otherwise. `fields` are
        `run_id` and keys of the run object: `created_at`, `head_branch`, `event`,
        `actor` (a login or None), `display_title`, `head_sha`, `run_attempt`,
        `run_started_at`, `updated_at`, `triggering_actor`, `run_number`,
        `pull_requests` (numbers), `head_repository` (`owner/name`, a fork, or None),
        `message`; any other key replaces or (MISSING) removes one in the JSON.
        """
        with self.lock:
            target = self.workflow(repo, workflow)
            done = status == "completed"
            length = timedelta(seconds=duration if done else 0)
            born = instant(fields.pop("created_at", self.now - length))
            run = self._new_run(target, born, fields)
            version = RunVersion(
                at=min(born, self.now),
                status=status,
                conclusion=(conclusion or "success") if done else conclusion,
                run_attempt=fields.pop("run_attempt", 1),
                run_started_at=(started := instant(fields.pop("run_started_at", born))),
                updated_at=instant(fields.pop("updated_at", started + length)),
                triggering_actor=fields.pop("triggering_actor", run.actor),
                overrides=self._sent(fields) or None,
            )
            run.versions.append(version)
            return self._keep(run)

    def _new_run(self, workflow: Workflow, born: datetime, fields: Json) -> Run:
        repo = workflow.repo
        number = fields.pop("run_id", None) or next(self._run_ids)
        workflow.last_number = fields.pop("run_number", workflow.last_number + 1)
        return Run(
            id=number,
            repo=repo,
            workflow=workflow,
            run_number=workflow.last_number,
            created_at=born,
            event=fields.pop("event", "push"),
            head_branch=fields.pop("head_branch", repo.default_branch),
            head_sha=fields.pop("head_sha", stable_sha(f"head {number}")),
            display_title=fields.pop("display_title", "Keep totals in minor units"),
            actor=fields.pop("actor", "mona-lisa"),
            head_repository=self._head(fields.pop("head_repository", repo)),
            pull_requests=tuple(fields.pop("pull_requests", ())),
            message=fields.pop("message", None),
        )

    def _head(self, head: str | Repo | None) -> Repo | None:
        """The head repository; a name unknown so far becomes a fork."""
        if not isinstance(head, str):
            return head
        known = self.repos.get(head.lower())
        return known or self.add_repo(head, fork=True)

    def _sent(self, fields: Mapping[str, Any]) -> Json:
        return {name: as_sent(name, v, self.sites) for name, v in fields.items()}

    def _keep(self, run: Run) -> Run:
        self.runs[run.id] = run
        insort(run.workflow.runs, run, key=lambda each: each.order)
        insort(run.repo.runs, run, key=lambda each: each.order)
        self.revision += 1
        return run

    def find_run(self, run: Run | int) -> Run:
        """The run of this id; KeyError when there is none."""
        return run if isinstance(run, Run) else self.runs[run]

    def update_run(self, run: Run | int, **changes: Any) -> Run:
        """Change keys of the run object from now on; `updated_at` becomes now.

        A conclusion without a status completes the run; a status other than
        completed clears the conclusion. MISSING as a value removes the key.
        """
        with self.lock:
            target = self.find_run(run)
            if "conclusion" in changes and changes["conclusion"] is not None:
                changes.setdefault("status", "completed")
            elif changes.get("status", "completed") != "completed":
                changes.setdefault("conclusion", None)
            changes.setdefault("updated_at", self.now)
            self.add_version(target, self.now, changes)
            return target

    def rerun(
        self, run: Run | int, *, triggering_actor: str | None = None, **changes: Any
    ) -> Run:
        """Start the next attempt of the same id: queued, no conclusion, started now.

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
                **({"triggering_actor": triggering_actor} if triggering_actor else {}),
                **changes,
            }
            if target.payload is not None:
                before = f"{url}/{target.id}/attempts/{attempt - 1}"
                changes.setdefault("previous_attempt_url", before)
            return self.update_run(target, **changes)

    def add_version(self, run: Run, at: datetime, changes: Json) -> RunVersion:
        """Append a version; versions foreseen for a later instant are dropped."""
        kept = [version for version in run.versions if version.at <= at]
        last = kept[-1]
        typed = {name: changes.pop(name) for name in TYPED if name in changes}
        typed |= {k: instant(v) for k, v in typed.items() if k.endswith("_at")}
        if isinstance(changes.get("triggering_actor", MISSING), str | None):
            typed["triggering_actor"] = changes.pop("triggering_actor")
        given = {**changes, **(typed if run.payload is not None else {})}
        overrides = {**(last.overrides or {}), **self._sent(given)} or None
        version = replace_version(last, at, typed, overrides)
        run.versions = [*kept, version]
        self.revision += 1
        return version

    def remove_run(self, run: Run | int) -> None:
        """GitHub forgets the run: gone from lists, 404 by its id."""
        with self.lock:
            self.find_run(run).removed_at = self.now
            self.revision += 1

    def set_jobs(self, run: Run | int, jobs: list[Json]) -> None:
        """Serve these job objects for the run, exactly as given."""
        self.find_run(run).jobs = jobs

    def load_runs(
        self,
        payloads: Iterable[Json],
        *,
        workflow_files: Mapping[int, str] | None = None,
    ) -> list[Run]:
        """Serve recorded run objects exactly as given; returns one Run per id.

        The repository is the one of `repository.full_name` and the workflow file the
        basename of `path`; without a path that of another payload of the same
        `workflow_id`, else `workflow_files[workflow_id]`, else `workflow-ID.yml`. An
        id that occurs several times gets its states as versions; the one with the
        highest attempt and `updated_at` is current, of equal ones the last given.
        """
        given = list(payloads)
        paths = workflow_paths(given, workflow_files or {})
        with self.lock:
            return [
                self._load(states, paths[states[-1]["workflow_id"]])
                for states in group_by_id(given)
            ]

    def _load(self, states: list[Json], path: str) -> Run:
        newest = states[-1]
        full_name = newest["repository"]["full_name"]
        repo = self.repos.get(full_name.lower())
        repo = repo or self.add_repo(full_name, payload=newest["repository"])
        file = path.rpartition("/")[2]
        workflow = repo.workflows.get(file) or self.add_workflow(
            repo, file, path=path, id=newest["workflow_id"], name=newest.get("name")
        )
        return self._keep(as_recorded_run(states, repo, workflow, self.now))


def replace_version(
    last: RunVersion, at: datetime, typed: Json, overrides: Json | None
) -> RunVersion:
    """The version after `last`: the typed fields that changed, and overrides."""
    return RunVersion(
        at=at,
        status=typed.get("status", last.status),
        conclusion=typed.get("conclusion", last.conclusion),
        run_attempt=typed.get("run_attempt", last.run_attempt),
        run_started_at=typed.get("run_started_at", last.run_started_at),
        updated_at=typed.get("updated_at", last.updated_at),
        triggering_actor=typed.get("triggering_actor", last.triggering_actor),
        overrides=overrides,
    )
