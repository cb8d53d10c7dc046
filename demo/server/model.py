"""The data model of the world: repositories, workflows, runs and their versions.

`world.py` changes these records; `objects.py`, `run_objects.py` and `job_objects.py`
turn them into GitHub's JSON.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final
from zlib import crc32

Json = dict[str, Any]


class Missing:
    """The type of `MISSING`, which removes a key from the JSON object."""

    def __repr__(self) -> str:
        return "MISSING"


class Null:
    """The type of `NULL`, the null conclusion of a completed run."""

    def __repr__(self) -> str:
        return "NULL"


MISSING: Final = Missing()
NULL: Final = Null()


@dataclass(frozen=True, slots=True)
class Sites:
    """The origins of the URLs in response bodies: the API and the web pages."""

    api: str = "https://api.github.com"
    html: str = "https://github.com"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job of a workflow file; GitHub adds the first and the last steps to `steps`.

    `needs` names the jobs before it; None is the one before it in the file. `share` is
    its run time compared with that of other jobs. `queue` is the usual time in seconds
    until a runner takes it. A failure is that of one of the steps `fails_in`; if empty,
    of the last one.
    """

    name: str
    steps: tuple[str, ...] = ("Install dependencies", "Run")
    environment: bool = False  # needs an approval, so a `waiting` run stops here
    labels: tuple[str, ...] = ("ubuntu-latest",)
    timeout_minutes: int | None = None  # None: the whole minutes that the job took
    needs: tuple[str, ...] | None = None
    share: float = 1
    queue: float = 0
    runner_group: str | None = None  # None: that of GitHub's own runners
    fails_in: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Repo:
    """A repository; `payload` is a recorded minimal repository, served unchanged."""

    owner: str
    name: str
    id: int
    created_at: datetime
    default_branch: str = "main"
    private: bool = False
    fork: bool = False
    archived: bool = False
    disabled: bool = False
    description: str | None = None
    owner_type: str = "Organization"
    retention_days: int | None = None  # older runs are gone; None keeps all
    topics: tuple[str, ...] = ()
    payload: Json | None = None
    workflows: dict[str, Workflow] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)  # the name → the commit
    minimal: Json | None = None  # the built object, until a change
    edition: int = 0  # the number of changes, which identifies `minimal` in caches

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def find_workflow(self, key: str) -> Workflow | None:
        """The workflow with this id, file name or path (sent with `%2F`)."""
        for workflow in self.workflows.values():
            names = (workflow.file, workflow.path) if workflow.is_listed else ()
            if key in (str(workflow.id), *names):
                return workflow
        return None


@dataclass(slots=True, eq=False)
class Workflow:
    """A workflow file; `state` is one of GitHub's five states.

    A workflow that is not listed belongs to no file, and is found by its id only.
    `path_ref` follows the path in run objects, as in `ci.yml@refs/heads/main`.
    """

    repo: Repo
    id: int
    name: str
    path: str
    created_at: datetime
    state: str = "active"
    is_listed: bool = True
    path_ref: str | None = None
    jobs: tuple[JobSpec, ...] = (JobSpec("build"),)
    runs: list[Run] = field(default_factory=list)
    last_number: int = 0

    @property
    def path_of_runs(self) -> str:
        return f"{self.path}@{self.path_ref}" if self.path_ref else self.path

    @property
    def file(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class RunVersion:
    """The state of a run from `at` until the next version.

    `overrides` replaces keys of the JSON object; `serial` identifies the version in
    caches. `cancel_cause` is `timeout`, `person` (`cancelled_by` is the login),
    `superseded` or None; GitHub reports it in the annotations of the cancelled job.
    `job_attempts` are the attempts in which the workflow's jobs ran, if a re-run kept
    some of them; empty if all ran in this one.
    """

    at: datetime
    status: str
    conclusion: str | None
    run_attempt: int
    run_started_at: datetime
    updated_at: datetime
    triggering_actor: str | None
    overrides: Json | None = None
    cancel_cause: str | None = None
    cancelled_by: str | None = None
    job_attempts: tuple[int, ...] = ()
    serial: int = field(default_factory=count().__next__, compare=False)


@dataclass(slots=True, eq=False)
class Run:
    """One run with all its versions: past, present and (in a scenario) future."""

    id: int
    repo: Repo
    workflow: Workflow
    run_number: int
    created_at: datetime
    event: str
    head_branch: str | None
    head_sha: str
    display_title: str
    actor: str | None
    head_repository: Repo | None
    pull_requests: tuple[int, ...] = ()
    message: str | None = None
    payload: Json | None = None
    jobs: list[Json] | None = None
    annotations: dict[str, tuple[str | Json, ...]] = field(default_factory=dict)
    removed_at: datetime | None = None
    versions: list[RunVersion] = field(default_factory=list)

    @property
    def order(self) -> tuple[datetime, int]:
        """Oldest first. Runs of the same second are not in the order of their ids.

        GitHub's recorded lists are sorted by creation, with ties in no order.
        """
        return self.created_at, crc32(str(self.id).encode())

    def version_at(self, now: datetime) -> RunVersion | None:
        """The version visible at `now`; None before creation and after removal."""
        can_be_gone = self.removed_at or self.repo.retention_days is not None
        if can_be_gone and self.is_gone_at(now):
            return None
        if self.versions[-1].at <= now:
            return self.versions[-1]
        index = bisect_right(self.versions, now, key=lambda version: version.at)
        return self.versions[index - 1] if index else None

    def is_gone_at(self, now: datetime) -> bool:
        """True if the run is deleted, or older than the repository's retention."""
        if self.removed_at is not None and self.removed_at <= now:
            return True
        days = self.repo.retention_days
        return days is not None and self.created_at < now - timedelta(days=days)

    def attempt_at(self, attempt: int, now: datetime) -> RunVersion | None:
        """The last version of one attempt; None if the attempt is not visible."""
        if self.version_at(now) is None:
            return None
        seen = (v for v in self.versions if v.at <= now and v.run_attempt == attempt)
        return max(seen, key=lambda version: version.at, default=None)

    def attempts_at(self, now: datetime) -> list[RunVersion]:
        """The last version of each attempt until `now`, newest attempt first."""
        last = {v.run_attempt: v for v in self.versions if v.at <= now}
        return [last[number] for number in sorted(last, reverse=True)]


def value_of(run: Run, version: RunVersion, name: str) -> Any:
    """The value that a filter compares: from overrides, payload or the record."""
    for source in (version.overrides, run.payload):
        if source is not None and name in source:
            return source[name]
    return getattr(version, name) if hasattr(version, name) else getattr(run, name)
