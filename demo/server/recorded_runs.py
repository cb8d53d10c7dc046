"""Recorded `workflow-run` objects as runs of the world, served unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from ci_observer.demo.server.model import (
    MISSING,
    Json,
    Repo,
    Run,
    RunVersion,
    Workflow,
)
from ci_observer.demo.times import as_utc

REF_OF_PATH = re.compile(r"(\.ya?ml)@.*", re.DOTALL)


def group_by_id(payloads: Iterable[Json]) -> list[list[Json]]:
    """All recorded states of each run, oldest state first."""
    groups: dict[int, list[Json]] = {}
    for payload in payloads:
        groups.setdefault(payload["id"], []).append(payload)
    return [sorted(states, key=age_of_state) for states in groups.values()]


def age_of_state(payload: Json) -> tuple[int, str]:
    """Later attempts are newer; within one attempt `updated_at` decides."""
    return payload.get("run_attempt") or 1, payload["updated_at"]


def workflow_paths(
    payloads: Iterable[Json], workflow_files: Mapping[int, str]
) -> dict[int, str]:
    """The path of each `workflow_id`; see `World.load_runs` for the order.

    Documented paths end in `@ref`, recorded ones do not. A file name may contain an
    `@`, too: the ref follows the extension.
    """
    paths: dict[int, str] = {}
    for payload in payloads:
        number = payload["workflow_id"]
        file = workflow_files.get(number, f"workflow-{number}.yml")
        paths.setdefault(number, f".github/workflows/{file}")
        if payload.get("path"):
            paths[number] = REF_OF_PATH.sub(r"\1", payload["path"])
    return paths


def as_recorded_run(
    states: list[Json], repo: Repo, workflow: Workflow, now: datetime
) -> Run:
    """A run whose versions are the recorded states; the newest is current."""
    newest = states[-1]
    run = Run(
        id=newest["id"],
        repo=repo,
        workflow=workflow,
        run_number=newest.get("run_number", 0),
        created_at=as_utc(newest["created_at"]),
        event=newest.get("event", ""),
        head_branch=newest.get("head_branch"),
        head_sha=newest.get("head_sha", ""),
        display_title=newest.get("display_title", ""),
        actor=None,
        head_repository=None,
        payload=newest,
    )
    run.versions = [recorded_version(state, newest, now) for state in states]
    first = run.versions[0]
    run.versions[0] = replace(first, at=min(run.created_at, now))
    workflow.last_number = max(workflow.last_number, run.run_number)
    return run


def recorded_version(state: Json, newest: Json, now: datetime) -> RunVersion:
    """One recorded state, visible from its own `updated_at` on.

    Keys that only the newest state has are removed from the older ones.
    """
    updated = as_utc(state["updated_at"])
    absent = {key: MISSING for key in newest if key not in state}
    return RunVersion(
        at=min(updated, now),
        status=state["status"],
        conclusion=state.get("conclusion"),
        run_attempt=state.get("run_attempt") or 1,
        run_started_at=as_utc(state.get("run_started_at") or state["created_at"]),
        updated_at=updated,
        triggering_actor=None,
        overrides=None if state is newest else {**absent, **state},
    )
