"""A client and payloads for the tests of the simulated GitHub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from waiting import HANG_SECONDS

from ci_observer.demo.server.github_server import GitHubServer

REPO, FILE = "acme/web-store", "ci.yml"
RUNS = f"/repos/{REPO}/actions/runs"
WORKFLOW_RUNS = f"/repos/{REPO}/actions/workflows/{FILE}/runs"


@contextmanager
def client_of(github: GitHubServer, **headers: str) -> Iterator[httpx.Client]:
    """A client with the server's token, or with the given `authorization` header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    defaults = {"authorization": f"Bearer {github.token}"}
    with httpx.Client(
        base_url=github.url,
        headers=defaults | named,
        timeout=HANG_SECONDS,
        trust_env=False,
    ) as client:
        yield client


def numbers(response: httpx.Response) -> list[int]:
    """The run numbers of a list, in order."""
    return [run["run_number"] for run in response.json()["workflow_runs"]]


def payload(run_id: int, **changes: Any) -> dict[str, Any]:
    """A recorded run object: the keys that the world reads, and an unknown one."""
    owner = {"login": "hub4j-test-org", "type": "Organization"}
    repository = {"id": 348674220, "full_name": "hub4j-test-org/Flow", "owner": owner}
    return {
        "id": run_id,
        "name": "Fast workflow",
        "head_branch": "main",
        "head_sha": "f6a5c19a67797d64426203b8a7a05a0fd74e5037",
        "path": ".github/workflows/fast-workflow.yml",
        "run_number": 3,
        "event": "push",
        "status": "completed",
        "conclusion": "success",
        "workflow_id": 6820790,
        "created_at": "2021-03-17T09:48:17Z",
        "updated_at": "2021-03-17T09:49:17Z",
        "pull_requests": [{"number": 2}],
        "unheard_of": {"nested": [1, None]},
        "repository": repository,
        **changes,
    }
