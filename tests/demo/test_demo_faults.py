"""Every fault of the simulated GitHub does what its name says, and no more."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from demo_client import FILE, REPO, RUNS, WORKFLOW_RUNS, client_of, numbers
from waiting import HANG_SECONDS

from ci_observer.demo.server.fault_kinds import FAULT_KINDS
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World


@pytest.fixture
def world() -> World:
    """Four runs, the newest in progress."""
    world = World("2026-03-02T09:00:00Z")
    for age in (30, 20, 10):
        world.add_run(REPO, FILE, created_at=world.now - timedelta(minutes=age))
    world.add_run(REPO, FILE, status="in_progress")
    return world


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ({"kind": "server_error"}, 502, "Server Error"),
        ({"kind": "server_error", "status": 500}, 500, "Server Error"),
        (
            {"kind": "forbidden"},
            403,
            "Resource not accessible by personal access token",
        ),
        ({"kind": "primary_limit"}, 403, "API rate limit exceeded for user ID 583231."),
        ({"kind": "primary_limit", "status": 429}, 429, "API rate limit exceeded"),
        ({"kind": "secondary_limit"}, 403, "You have exceeded a secondary rate limit"),
        (
            {"kind": "secondary_limit", "status": 429},
            429,
            "You have exceeded a secondary",
        ),
        ({"kind": "unauthorized"}, 401, "Bad credentials"),
        ({"kind": "not_found"}, 404, "Not Found"),
        ({"kind": "status", "status": 410, "message": "Gone"}, 410, "Gone"),
    ],
)
def test_error_responses(
    client: httpx.Client,
    github: GitHubServer,
    fault: dict[str, Any],
    status: int,
    message: str,
) -> None:
    github.faults.add(**fault)
    struck, healed = client.get(RUNS), client.get(RUNS)

    assert struck.status_code == status
    assert struck.json()["message"].startswith(message)
    assert healed.status_code == 200
    assert [entry.faults for entry in github.log] == [(fault["kind"],), ()]


def test_a_502_carries_an_etag(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("server_error")

    assert client.get(RUNS).headers["etag"] == '"6389b58e-20"'


def test_an_error_page_is_html(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("html_error")
    response = client.get(RUNS)

    assert response.status_code == 503
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<!DOCTYPE html>")


def test_a_spent_primary_limit_sends_its_reset_time(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("primary_limit", seconds=90)
    headers = client.get(RUNS).headers

    reset = int(github.world.now.timestamp()) + 90
    assert headers["x-ratelimit-remaining"] == "0"
    assert headers["x-ratelimit-reset"] == str(reset)


@pytest.mark.parametrize(("retry_after", "expected"), [(7, "7"), (None, None)])
def test_a_secondary_limit_can_send_retry_after(
    client: httpx.Client,
    github: GitHubServer,
    retry_after: int | None,
    expected: str | None,
) -> None:
    github.faults.add("secondary_limit", retry_after=retry_after)
    headers = client.get(RUNS).headers

    assert headers.get("retry-after") == expected
    assert headers["x-ratelimit-remaining"] != "0"


def test_a_permission_error_is_no_rate_limit(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("forbidden")
    headers = client.get(RUNS).headers

    assert int(headers["x-ratelimit-remaining"]) > 0
    assert "retry-after" not in headers


def test_a_redirect_leads_to_the_numeric_path(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("moved")
    response = client.get(f"{WORKFLOW_RUNS}?per_page=2")

    repo_id = github.world.repo(REPO).id
    assert response.status_code == 301
    assert response.headers["location"] == (
        f"{github.url}/repositories/{repo_id}/actions/workflows/ci.yml/runs?per_page=2"
    )
    assert numbers(client.get(response.headers["location"])) == [4, 3]


def test_a_redirect_can_lead_to_another_origin(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("moved_elsewhere", origin="https://evil.example", status=307)
    response = client.get(RUNS)

    assert response.status_code == 307
    assert response.headers["location"] == f"https://evil.example{RUNS}"


def test_a_dropped_connection_sends_no_byte(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("drop")

    with pytest.raises(httpx.RemoteProtocolError, match="without sending"):
        client.get(RUNS)
    assert (github.log[-1].status, github.log[-1].charged) == (0, False)
    assert client.get(RUNS).status_code == 200


def test_a_truncated_body_is_shorter_than_promised(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("truncate")

    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without"):
        client.get(RUNS)
    assert client.get(RUNS).status_code == 200


def test_a_delay_outlasts_a_timeout(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("delay", seconds=60)

    with pytest.raises(httpx.ReadTimeout):
        client.get(RUNS, timeout=httpx.Timeout(HANG_SECONDS, read=0.05))


def test_a_stale_replica_serves_older_rows(
    client: httpx.Client, github: GitHubServer
) -> None:
    running = github.world.workflow(REPO, FILE).runs[-1]
    github.advance(60)
    github.world.update_run(running, conclusion="success")
    github.world.add_run(REPO, FILE, status="queued")
    github.faults.add("stale", seconds=30)
    old, new = (client.get(RUNS).json()["workflow_runs"] for _ in range(2))

    assert [(r["run_number"], r["status"]) for r in old][:2] == [
        (4, "in_progress"),
        (3, "completed"),
    ]
    assert [(r["run_number"], r["status"]) for r in new][:2] == [
        (5, "queued"),
        (4, "completed"),
    ]


def test_a_partial_index_affects_filtered_lists_only(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("partial", keep=0.5, count=None)

    assert numbers(client.get(RUNS, params={"event": "push"})) == [2, 1]
    assert numbers(client.get(RUNS)) == [4, 3, 2, 1]


def test_a_partial_index_can_count_missing_rows(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("partial", keep=0.5, counts_all=True)

    page = client.get(RUNS, params={"event": "push"})

    assert numbers(page) == [2, 1]
    assert page.json()["total_count"] == 4


def test_invalid_json_is_a_200(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("invalid_json")
    response = client.get(RUNS)

    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


@pytest.mark.parametrize("name", ["workflow_runs", "id"])
def test_a_field_can_be_missing(
    client: httpx.Client, github: GitHubServer, name: str
) -> None:
    github.faults.add("missing_field", name=name)
    body = client.get(RUNS).json()

    rows = body.get("workflow_runs", [])
    assert name not in body
    assert all(name not in row for row in rows)


def test_a_list_can_replace_an_object(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("wrong_type")

    assert isinstance(client.get(RUNS).json(), list)


def test_a_list_can_be_empty(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("empty_list")

    assert client.get(RUNS).json() == {"total_count": 0, "workflow_runs": []}


def test_a_text_can_be_very_long(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("oversize", length=5000)

    rows = client.get(RUNS).json()["workflow_runs"]
    assert {row["status"] for row in rows} == {"x" * 5000}


def test_a_key_can_have_any_value(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("replaced", name="run_attempt", value={"a": [None]})

    rows = client.get(RUNS).json()["workflow_runs"]
    assert [row["run_attempt"] for row in rows] == [{"a": [None]}] * 4


def test_a_changed_body_has_another_etag(
    client: httpx.Client, github: GitHubServer
) -> None:
    etag = client.get(RUNS).headers["etag"]
    github.faults.add("missing_field", name="actor")
    response = client.get(RUNS, headers={"if-none-match": etag})

    assert (response.status_code, response.headers["etag"] != etag) == (200, True)


def test_path_nth_and_count_select_the_requests(
    client: httpx.Client, github: GitHubServer
) -> None:
    fault = github.faults.add("not_found", path=r"ci\.yml/runs", nth=2, count=2)
    statuses = [client.get(WORKFLOW_RUNS).status_code for _ in range(5)]

    assert statuses == [200, 404, 404, 200, 200]
    assert client.get(RUNS).status_code == 200
    assert (fault.seen, fault.hits) == (5, 2)


def test_the_same_seed_hits_the_same_requests(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("not_found", probability=0.5, count=None)
    with GitHubServer(World()) as other, client_of(other) as second:
        other.world.add_run(REPO, FILE)
        other.faults.add("not_found", probability=0.5, count=None)
        pairs = [
            (client.get(RUNS).status_code, second.get(RUNS).status_code)
            for _ in range(20)
        ]

    assert {a for a, _ in pairs} == {200, 404}
    assert all(a == b for a, b in pairs)


def test_cleared_faults_have_no_effect(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("not_found", count=None)
    github.faults.clear()

    assert client.get(RUNS).status_code == 200


def test_unknown_kinds_and_options_are_refused(github: GitHubServer) -> None:
    with pytest.raises(ValueError, match="server_error, html_error"):
        github.faults.add("earthquake")
    with pytest.raises(TypeError, match="magnitude"):
        github.faults.add("drop", magnitude=7)


def test_every_fault_has_a_docstring() -> None:
    assert [name for name, kind in FAULT_KINDS.items() if not kind.__doc__] == []


def test_faults_runs_and_time_can_be_controlled_over_http(
    client: httpx.Client, github: GitHubServer
) -> None:
    client.post("/_sim/fault", json={"kind": "status", "status": 418})
    assert client.get(RUNS).status_code == 418
    client.post("/_sim/fault", json={"kind": "status", "status": 418})
    client.delete("/_sim/fault")

    added = client.post(
        "/_sim/run", json={"repo": REPO, "workflow": FILE, "status": "queued"}
    ).json()
    moved = client.post("/_sim/advance", json={"seconds": 30}).json()
    client.post("/_sim/run", json={**added, "conclusion": "failure"})
    failed = client.get(f"{RUNS}/{added['run_id']}").json()
    client.post("/_sim/run", json={**added, "rerun": True})
    again = client.get(f"{RUNS}/{added['run_id']}").json()
    client.post("/_sim/run", json={**added, "remove": True})

    assert moved["now"] == failed["updated_at"] == "2026-03-02T09:00:30Z"
    assert (failed["conclusion"], again["run_attempt"]) == ("failure", 2)
    assert client.get(f"{RUNS}/{added['run_id']}").status_code == 404
    log = client.get("/_sim/log").json()
    assert [entry["status"] for entry in log] == [418, 200, 200, 404]
    assert client.get("/_sim/state").json()["repos"] == {REPO: [FILE]}
    client.delete("/_sim/log")
    assert github.log == []


def test_a_phantom_is_added_over_http(client: httpx.Client) -> None:
    options = {"repo": REPO, "workflow": FILE, "phantom": True, "event": "schedule"}
    number = client.post("/_sim/run", json=options).json()["run_id"]

    run = client.get(f"{RUNS}/{number}").json()
    assert (run["event"], run["conclusion"]) == ("schedule", "failure")
    assert client.get(f"{RUNS}/{number}/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("fault", {"kind": "earthquake"}, 400), ("fault", {}, 400), ("tea", {}, 404)],
)
def test_bad_control_requests_get_the_reason(
    client: httpx.Client, path: str, body: dict[str, Any], status: int
) -> None:
    response = client.post(f"/_sim/{path}", json=body)

    assert response.status_code == status
    assert response.json()["error"]
