"""The state of the simulated GitHub at a given time.

Tests change it directly (`add_run`, `update_run`, `rerun`, …); the lively world uses
`schedule`. No clock is read here: only `advance_to` moves the time.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from ci_observer.demo.seeded_random import stable_sha
from ci_observer.demo.server.model import (
    Json,
    Null,
    Repo,
    Run,
    RunVersion,
    Sites,
    Workflow,
)
from ci_observer.demo.server.recorded_runs import (
    as_recorded_run,
    group_by_id,
    workflow_paths,
)
from ci_observer.demo.server.runs import Runs, complete_cancellation
from ci_observer.demo.times import as_utc

Time = datetime | str
Callback = Callable[["World", datetime], object]
# The path of the workflow of blocked runs.
BLOCKED = "BuildFailed"


class World(Runs):
    """Repositories, workflows and runs at the time `now`.

    `lock` guards every change, because a server reads from its own thread.
    """

    def __init__(
        self, now: Time = "2026-03-02T09:00:00Z", *, sites: Sites | None = None
    ) -> None:
        super().__init__(as_utc(now), sites or Sites())
        self._run_ids = count(21_000_000_007, 104_729)
        self._scheduled: list[tuple[datetime, int, Callback]] = []
        self._schedule_ids = count()

    # -- time

    def advance_to(self, now: Time) -> None:
        """Run all callbacks that are due until `now`; the time never goes back.

        The result does not depend on the number of steps.
        """
        target = as_utc(now)
        with self.lock:
            while self._scheduled and self._scheduled[0][0] <= target:
                at, _, callback = heapq.heappop(self._scheduled)
                self.now = max(self.now, at)
                callback(self, at)
            self.now = max(self.now, target)

    def schedule(self, when: Time, callback: Callback) -> None:
        """Call `callback(world, when)` once the world's time reaches `when`."""
        entry = (as_utc(when), next(self._schedule_ids), callback)
        with self.lock:
            heapq.heappush(self._scheduled, entry)

    # -- runs

    def add_run(
        self,
        repo: str | Repo,
        workflow: str,
        *,
        status: str = "completed",
        conclusion: str | Null | None = None,
        duration: float = 60,
        **fields: Any,
    ) -> Run:
        """Add a run in its current state; by default a success of 60 seconds.

        `conclusion` is any word, also an unknown one; NULL completes a run without one.
        `duration` is the time from `run_started_at` to `updated_at`. A completed run
        ends now unless `created_at` is given. `fields` are `run_id` and keys of the
        run object: `created_at`, `head_branch`, `event`, `actor` (a login or None),
        `display_title`, `head_sha`, `run_attempt`, `run_started_at`, `updated_at`,
        `triggering_actor`, `run_number`, `pull_requests` (numbers), `head_repository`
        (`owner/name`, a fork, or None), `message`. `tag` makes a push of a tag, or with
        `event="release"` a release: the tag exists and is the head. `cancel_cause`
        (`timeout`, `person`, `superseded`) and `cancelled_by` (a login) make a
        cancelled run. Any other key is replaced in the JSON, or removed with MISSING.
        """
        conclusion = conclusion or complete_cancellation(fields)
        if conclusion is None and status == "completed":
            conclusion = "success"
        with self.lock:
            target = self.workflow(repo, workflow)
            self._push_tag(target.repo, fields)
            is_completed = status == "completed"
            length = timedelta(seconds=duration if is_completed else 0)
            created = as_utc(fields.pop("created_at", self.now - length))
            run = self._new_run(target, created, fields)
            started = as_utc(fields.pop("run_started_at", created))
            version = RunVersion(
                at=min(created, self.now),
                status=status,
                conclusion=None if isinstance(conclusion, Null) else conclusion,
                run_attempt=fields.pop("run_attempt", 1),
                run_started_at=started,
                updated_at=as_utc(fields.pop("updated_at", started + length)),
                triggering_actor=fields.pop("triggering_actor", run.actor),
                cancel_cause=fields.pop("cancel_cause", None),
                cancelled_by=fields.pop("cancelled_by", None),
                overrides=self._as_sent(fields) or None,
            )
            run.versions.append(version)
            return self._insert(run)

    def _push_tag(self, repo: Repo, fields: Json) -> None:
        """Replace the key `tag` by the head of a run for this tag."""
        if (tag := fields.pop("tag", None)) is None:
            return
        if tag not in repo.tags:
            self.add_tag(repo, tag, fields.get("head_sha"))
        fields["head_branch"] = tag
        fields.setdefault("head_sha", repo.tags[tag])

    def add_phantom_run(self, repo: str | Repo, workflow: str, **fields: Any) -> Run:
        """Add a failure of 0 seconds without jobs, as for an invalid workflow file.

        GitHub adds it for a push, also to a workflow that does not run on pushes. Its
        name is the path of the file. `fields` are those of `add_run`.
        """
        with self.lock:
            path = self.workflow(repo, workflow).path
            given: Json = {"conclusion": "failure", "duration": 0, "name": path}
            run = self.add_run(repo, workflow, **(given | fields))
            run.jobs = []
            return run

    def add_blocked_run(self, repo: str | Repo, **fields: Any) -> Run:
        """Add the run that every push makes while the account or repository is blocked.

        Its workflow belongs to no file: path `BuildFailed`, no name, not listed.
        `fields` are those of `add_run`.
        """
        with self.lock:
            target = self.ensure_repo(repo)
            if BLOCKED not in target.workflows:
                self.add_workflow(
                    target,
                    BLOCKED,
                    name="",
                    path=BLOCKED,
                    state="deleted",
                    is_listed=False,
                )
            given: Json = {
                "conclusion": "startup_failure",
                "duration": 0,
                "display_title": "(Unknown event)",
            }
            return self.add_run(target, BLOCKED, **(given | fields))

    def _new_run(self, workflow: Workflow, created: datetime, fields: Json) -> Run:
        repo = workflow.repo
        number = fields.pop("run_id", None) or next(self._run_ids)
        workflow.last_number = fields.pop("run_number", workflow.last_number + 1)
        return Run(
            id=number,
            repo=repo,
            workflow=workflow,
            run_number=workflow.last_number,
            created_at=created,
            event=fields.pop("event", "push"),
            head_branch=fields.pop("head_branch", repo.default_branch),
            head_sha=fields.pop("head_sha", stable_sha(f"head {number}")),
            display_title=fields.pop("display_title", "Keep totals in minor units"),
            actor=fields.pop("actor", "mona-lisa"),
            head_repository=self._head_repo(fields.pop("head_repository", repo)),
            pull_requests=tuple(fields.pop("pull_requests", ())),
            message=fields.pop("message", None),
        )

    def _head_repo(self, head: str | Repo | None) -> Repo | None:
        """The head repository; a new name becomes a fork."""
        if not isinstance(head, str):
            return head
        known = self.repos.get(head.lower())
        return known or self.add_repo(head, fork=True)

    def _insert(self, run: Run) -> Run:
        self.runs[run.id] = run
        insort(run.workflow.runs, run, key=lambda other: other.order)
        insort(run.repo.runs, run, key=lambda other: other.order)
        self.revision += 1
        return run

    def load_runs(
        self,
        payloads: Iterable[Json],
        *,
        workflow_files: Mapping[int, str] | None = None,
    ) -> list[Run]:
        """Serve recorded run objects unchanged; returns one Run per id.

        `repository.full_name` names the repository. The workflow file is the last part
        of `path`, or of the path of another payload with the same `workflow_id`, or
        `workflow_files[workflow_id]`, or `workflow-ID.yml`. The states of a repeated
        id become versions of one run. The state with the highest attempt and
        `updated_at` is current; of equal states, the last one.
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
        return self._insert(as_recorded_run(states, repo, workflow, self.now))
