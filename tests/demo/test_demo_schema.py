"""The simulated responses satisfy GitHub's own OpenAPI description.

The description is the npm package @octokit/openapi, installed into `.node`; without
it these tests are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from demo_client import FILE, REPO, RUNS, client_of

from ci_observer.demo.scenario import lively_world, synthetic_world
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.model import MISSING
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.run_objects import run_object
from ci_observer.demo.server.world import World

if TYPE_CHECKING:
    from jsonschema import Draft4Validator

DOCUMENT = (
    Path(__file__).parents[2]
    / ".node/node_modules/@octokit/openapi/generated/api.github.com.json"
)

pytestmark = pytest.mark.skipif(
    not DOCUMENT.exists(),
    reason="@octokit/openapi is not installed: CONTRIBUTING.md says how",
)

# The end of a request path → the documented path.
ENDPOINTS = {
    "": "/repos/{owner}/{repo}",
    "/actions/runs": "/repos/{owner}/{repo}/actions/runs",
    "/actions/workflows": "/repos/{owner}/{repo}/actions/workflows",
}


def nullable(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` becomes a type or an alternative."""
    if isinstance(schema, list):
        return [nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: nullable(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable") is True:
        return {"anyOf": [plain, {"type": "null"}]}
    return plain


@cache
def document() -> dict[str, Any]:
    raw = json.loads(DOCUMENT.read_text())
    paths = {
        path: raw["paths"][path]["get"]["responses"]
        for path in raw["paths"]
        if "get" in raw["paths"][path]
        and (
            path in ("/rate_limit", *ENDPOINTS.values())
            or "/actions/" in path
            or path.endswith("/annotations")
            or path.endswith("/repos")
        )
    }
    return {"schemas": nullable(raw["components"]["schemas"]), "paths": paths}


@cache
def validator(path: str | None = None, schema: str | None = None) -> Draft4Validator:
    """A validator for the 200 of a documented path, or for a named schema."""
    from jsonschema import Draft4Validator  # noqa: PLC0415 (it takes a second)

    rooted: dict[str, Any] = {"components": {"schemas": document()["schemas"]}}
    if schema:
        return Draft4Validator({"$ref": f"#/components/schemas/{schema}", **rooted})
    response = document()["paths"][path]["200"]["content"]["application/json"]
    return Draft4Validator({"allOf": [nullable(response["schema"])], **rooted})


def assert_valid(
    body: Any, *, path: str | None = None, schema: str | None = None
) -> None:
    errors = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in validator(path, schema).iter_errors(body)
    ]
    assert errors == []


@pytest.fixture(scope="module")
def github() -> Iterator[GitHubServer]:
    with GitHubServer(lively_world.build("2026-03-02T09:00:00Z")) as server:
        yield server


@pytest.fixture(scope="module")
def client(github: GitHubServer) -> Iterator[httpx.Client]:
    with client_of(github) as client:
        yield client


def test_the_validator_finds_faults() -> None:
    world = World()
    run = world.add_run(REPO, FILE, logs_url=MISSING, html_url=None)
    body = run_object(run, run.versions[-1], world.sites)

    assert len(list(validator(schema="workflow-run").iter_errors(body))) == 2


@pytest.mark.parametrize("repo", lively_world.REPOS.split(","))
@pytest.mark.parametrize("tail", ENDPOINTS)
def test_lists_and_repositories(client: httpx.Client, repo: str, tail: str) -> None:
    query = "?per_page=100" if tail else ""
    body = client.get(f"/repos/{repo}{tail}{query}").json()
    if tail == "/actions/runs":
        body["workflow_runs"] = [
            run for run in body["workflow_runs"] if not has_null_account(run)
        ]

    assert_valid(body, path=ENDPOINTS[tail])


def has_null_account(run: dict[str, Any]) -> bool:
    """GitHub sends null actors and head repositories; its description has neither."""
    return None in (run["actor"], run["head_repository"], run["triggering_actor"])


def test_runs_in_every_state(github: GitHubServer) -> None:
    world, states = github.world, {}
    for run in world.runs.values():
        version = run.version_at(world.now)
        if version and run.actor and run.head_repository:
            states[version.status, version.conclusion, version.run_attempt] = (
                run_object(run, version, world.sites)
            )

    assert len(states) > 12
    for body in states.values():
        assert_valid(body, schema="workflow-run")


def test_runs_are_as_big_as_recorded_runs() -> None:
    world = synthetic_world.build(1, 1, 20)
    sizes = [
        len(json.dumps(run_object(run, run.versions[-1], world.sites)))
        for run in world.runs.values()
    ]

    assert min(sizes) > 10_000
    assert max(sizes) < 17_000


def test_jobs_in_every_state(client: httpx.Client, github: GitHubServer) -> None:
    world, chosen = github.world, {}
    for run in world.runs.values():
        if version := run.version_at(world.now):
            chosen[version.status, version.conclusion] = run
    for run in chosen.values():
        url = f"/repos/{run.repo.full_name}/actions/runs/{run.id}/jobs?filter=all"
        assert_valid(
            client.get(url).json(),
            path="/repos/{owner}/{repo}/actions/runs/{run_id}/jobs",
        )


def test_a_blocked_run() -> None:
    world = World()
    run = world.add_blocked_run(REPO)

    assert_valid(run_object(run, run.versions[-1], world.sites), schema="workflow-run")


def test_annotations(client: httpx.Client, github: GitHubServer) -> None:
    run = github.world.add_run("acme/web-store", "ci.yml", cancel_cause="timeout")
    repo = "/repos/acme/web-store"
    jobs = client.get(f"{repo}/actions/runs/{run.id}/jobs").json()["jobs"]
    [job] = [job["id"] for job in jobs if job["conclusion"] == "cancelled"]
    body = client.get(f"{repo}/check-runs/{job}/annotations").json()

    assert len(body) == 2
    assert_valid(
        body, path="/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations"
    )


def test_single_objects(client: httpx.Client, github: GitHubServer) -> None:
    run = github.world.workflow("acme/web-store", "ci.yml").runs[0]
    url = f"/repos/acme/web-store/actions/runs/{run.id}"

    assert_valid(client.get(url).json(), schema="workflow-run")
    assert_valid(client.get(f"{url}/attempts/1").json(), schema="workflow-run")
    one = client.get("/repos/acme/web-store/actions/workflows/ci.yml").json()
    assert_valid(one, schema="workflow")
    github.world.add_tag("acme/web-store", "release/1.0")
    ref = client.get("/repos/acme/web-store/git/ref/tags/release/1.0").json()
    assert_valid(ref, schema="git-ref")
    assert_valid(client.get("/rate_limit").json(), path="/rate_limit")
    assert_valid(client.get("/orgs/acme/repos").json(), path="/orgs/{org}/repos")


def test_error_bodies(github: GitHubServer) -> None:
    github.settings.tokens["poor"] = Token("poor")
    github.limits.spend("poor", github.world.now)
    responses = []
    with (
        client_of(github) as client,
        client_of(github, authorization="Bearer poor") as poor,
    ):
        responses += [client.get("/repos/acme/nothing"), poor.get(RUNS)]
        responses.append(client.get(RUNS, params={"status": "sideways"}))
        responses.append(client.get(RUNS, headers={"authorization": "Bearer no"}))
        for kind in ("forbidden", "secondary_limit", "server_error", "moved"):
            github.faults.add(kind)
            responses.append(client.get(RUNS))

    assert [r.status_code for r in responses] == [
        404,
        403,
        422,
        401,
        403,
        403,
        502,
        301,
    ]
    for response in responses:
        assert_valid(response.json(), schema="basic-error")
    assert_valid(responses[2].json(), schema="validation-error-simple")
