"""GitHub's `workflow-run` object, built from a run and one of its versions.

Schema: https://docs.github.com/en/rest/actions/workflow-runs
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ci_observer.demo.seeded_random import stable_int
from ci_observer.demo.server.model import MISSING, Json, Run, RunVersion, Sites
from ci_observer.demo.server.objects import (
    commit_object,
    minimal_repository,
    pull_request_object,
    user_object,
)
from ci_observer.demo.times import iso

# Keys that GitHub Enterprise Server of 2020 and 2021 did not send yet.
NEWER_THAN_OLD_ENTERPRISE = (
    "actor",
    "triggering_actor",
    "run_attempt",
    "run_started_at",
    "previous_attempt_url",
    "referenced_workflows",
)


def run_object(
    run: Run,
    version: RunVersion,
    sites: Sites,
    *,
    exclude_pull_requests: bool = False,
    old_enterprise: bool = False,
) -> Json:
    """The run as the API sends it, about 11 to 17 kB of compact JSON.

    A recorded run is sent unchanged, apart from later calls of `World.update_run`:
    both options leave it as it is.
    """
    if run.payload is not None:
        return with_overrides(run.payload, version.overrides)
    body = built_object(run, version, sites)
    if exclude_pull_requests:
        body["pull_requests"] = []
    if old_enterprise:
        body = {k: v for k, v in body.items() if k not in NEWER_THAN_OLD_ENTERPRISE}
    return with_overrides(body, version.overrides)


def with_overrides(body: Json, overrides: Mapping[str, Any] | None) -> Json:
    """The body with replaced keys; keys set to MISSING are removed."""
    if not overrides:
        return body
    merged = {**body, **overrides}
    return {key: value for key, value in merged.items() if value is not MISSING}


def built_object(run: Run, version: RunVersion, sites: Sites) -> Json:
    """The object, with its keys in GitHub's order."""
    return {
        **identity(run, version),
        **own_urls(run, sites),
        "pull_requests": [
            pull_request_object(run, number, sites) for number in run.pull_requests
        ],
        "created_at": iso(run.created_at),
        "updated_at": iso(version.updated_at),
        "actor": nullable_user(run.actor, sites),
        "run_attempt": version.run_attempt,
        "referenced_workflows": [],
        "run_started_at": iso(version.run_started_at),
        "triggering_actor": nullable_user(version.triggering_actor, sites),
        **follow_up_urls(run, version, sites),
        "head_commit": commit_object(run),
        "repository": minimal_repository(run.repo, sites),
        "head_repository": run.head_repository
        and minimal_repository(run.head_repository, sites),
    }


def identity(run: Run, version: RunVersion) -> Json:
    suite = check_suite_id(run)
    return {
        "id": run.id,
        "name": run.workflow.name,
        "node_id": node_id("WFR", 2, run, run.id),
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "path": run.workflow.path_of_runs,
        "display_title": run.display_title,
        "run_number": run.run_number,
        "event": run.event,
        "status": version.status,
        "conclusion": version.conclusion,
        "workflow_id": run.workflow.id,
        "check_suite_id": suite,
        "check_suite_node_id": node_id("CS", 0, run, suite),
    }


def node_id(kind: str, form: int, run: Run, number: int) -> str:
    """As GitHub does it: a MessagePack list of the repository's id and `number`."""
    packed = struct.pack(">BBBIBQ", 0x93, form, 0xCE, run.repo.id, 0xCF, number)
    return f"{kind}_{urlsafe_b64encode(packed).decode().rstrip('=')}"


def check_suite_id(run: Run) -> int:
    return stable_int(f"suite {run.id}", 3 * 10**10, 6 * 10**10)


def own_urls(run: Run, sites: Sites) -> Json:
    tail = f"{run.repo.full_name}/actions/runs/{run.id}"
    return {
        "url": f"{sites.api}/repos/{tail}",
        "html_url": f"{sites.html}/{tail}",
    }


def follow_up_urls(run: Run, version: RunVersion, sites: Sites) -> Json:
    repo = f"{sites.api}/repos/{run.repo.full_name}"
    url = f"{repo}/actions/runs/{run.id}"
    before = version.run_attempt - 1
    return {
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": f"{repo}/check-suites/{check_suite_id(run)}",
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": f"{url}/attempts/{before}" if before else None,
        "workflow_url": f"{repo}/actions/workflows/{run.workflow.id}",
    }


def nullable_user(login: str | None, sites: Sites) -> Json | None:
    return None if login is None else user_object(login, sites)


def as_sent(name: str, value: Any, sites: Sites) -> Any:
    """A value of `World.add_run` in the form that GitHub sends.

    Datetimes become text, and the login of an actor becomes a user object.
    """
    if isinstance(value, datetime):
        return iso(value)
    if name in ("actor", "triggering_actor") and isinstance(value, str):
        return user_object(value, sites)
    return value
