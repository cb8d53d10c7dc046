"""The simulated GitHub follows GitHub's rules, over real HTTP on loopback."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from demo_client import FILE, REPO, RUNS, WORKFLOW_RUNS, client_of, numbers
from waiting import HANG_SECONDS

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.pagination import Caps
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.demo.times import iso


@pytest.fixture
def world() -> World:
    """35 runs of one workflow, a minute apart, the newest now."""
    world = World("2026-03-02T09:00:00Z")
    for age in range(34, -1, -1):
        created = world.now - timedelta(minutes=age)
        world.add_run(REPO, FILE, created_at=created, duration=0)
    return world


def test_a_list_has_30_runs_newest_first(client: httpx.Client) -> None:
    response = client.get(WORKFLOW_RUNS)

    assert response.status_code == 200
    assert numbers(response) == list(range(35, 5, -1))
    assert response.json()["total_count"] == 35


@pytest.mark.parametrize(
    "path",
    [
        "/repos/ACME/Web-Store/actions/workflows/ci.yml/runs",
        "/repos/acme/web-store/actions/workflows/.github%2Fworkflows%2Fci.yml/runs",
        "/repos/acme/web-store/actions/runs",
    ],
)
def test_the_same_list_has_several_paths(client: httpx.Client, path: str) -> None:
    assert numbers(client.get(path)) == list(range(35, 5, -1))


def test_ids_can_replace_names_in_paths(client: httpx.Client, world: World) -> None:
    workflow = world.workflow(REPO, FILE)
    numeric = f"/repositories/{workflow.repo.id}/actions/workflows/{workflow.id}/runs"

    assert numbers(client.get(numeric)) == list(range(35, 5, -1))


@pytest.mark.parametrize(
    "path",
    [
        f"{WORKFLOW_RUNS}/",
        "/repos/acme/web-store/actions/workflows/ci.yaml/runs",
        "/repos/acme/nothing/actions/runs",
        f"{RUNS}/1",
        f"{RUNS}/1/attempts/2",
        "/orgs/nobody/repos",
        "/zen",
    ],
)
def test_unknown_paths_are_404(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_link_leads_through_all_pages_by_numeric_paths(
    client: httpx.Client, github: GitHubServer, world: World
) -> None:
    first = client.get(WORKFLOW_RUNS, params={"per_page": 10, "event": "push"})
    repo_id = world.repo(REPO).id
    path = f"/repositories/{repo_id}/actions/workflows/ci.yml/runs"
    assert {rel: link["url"] for rel, link in first.links.items()} == {
        "next": f"{github.url}{path}?per_page=10&event=push&page=2",
        "last": f"{github.url}{path}?per_page=10&event=push&page=4",
    }

    seen, page = numbers(first), first
    while "next" in page.links:
        page = client.get(page.links["next"]["url"])
        seen += numbers(page)
    assert seen == list(range(35, 0, -1))
    assert set(page.links) == {"prev", "first"}


def test_one_page_has_no_link(client: httpx.Client) -> None:
    assert "link" not in client.get(WORKFLOW_RUNS, params={"per_page": 100}).headers


def test_per_page_is_capped_at_100(client: httpx.Client, world: World) -> None:
    for _ in range(80):
        world.add_run(REPO, FILE)

    assert len(numbers(client.get(WORKFLOW_RUNS, params={"per_page": 500}))) == 100


def test_a_filtered_list_ends_after_1000_results(
    client: httpx.Client, world: World
) -> None:
    for _ in range(1000):
        world.add_run(REPO, FILE)
    params = {"per_page": 100, "page": 11}

    assert len(numbers(client.get(RUNS, params=params))) == 35
    assert numbers(client.get(RUNS, params={**params, "event": "push"})) == []
    first = client.get(RUNS, params={"per_page": 100, "event": "push"})
    assert first.json()["total_count"] == 1035
    assert "page=10" in first.links["last"]["url"]


def test_an_unfiltered_list_ends_with_a_link_to_a_422(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.settings.caps = Caps(listed=20, counted=30)

    page = client.get(RUNS, params={"per_page": 10, "page": 2})

    assert page.json()["total_count"] == 30
    assert len(numbers(page)) == 10
    assert client.get(page.links["next"]["url"]).status_code == 422


def test_an_unfiltered_list_can_end_without_a_link(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.settings.caps = Caps(listed=20, list_end="no link")

    page = client.get(RUNS, params={"per_page": 10, "page": 2})

    assert page.json()["total_count"] == 35
    assert len(numbers(page)) == 10
    assert "next" not in page.links


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"status": "failure"}, ["red"]),
        ({"status": "in_progress"}, ["running"]),
        ({"branch": "topic"}, ["red"]),
        ({"event": "schedule"}, ["nightly"]),
        ({"actor": "GRACE"}, ["nightly"]),
        ({"head_sha": "a" * 40}, ["running"]),
        ({"created": "2026-02-01"}, ["nightly"]),
        ({"created": ">=2026-02-28T10:00:00Z"}, ["running"]),
        ({"created": ">2026-02-27"}, ["running"]),
        ({"created": "<2026-02-02"}, ["nightly"]),
        ({"created": "<=2026-02-01"}, ["nightly"]),
        ({"created": "2026-02-01..2026-02-27"}, ["red", "nightly"]),
        ({"created": "*..2026-02-01T05:00:00Z"}, ["nightly"]),
        ({"created": "2026-02-27T05:00:00+00:00..*"}, ["running", "red"]),
        ({"status": "success", "actor": "mona-lisa"}, []),
    ],
)
def test_filters_select_runs(params: dict[str, str], expected: list[str]) -> None:
    world = World("2026-03-02T09:00:00Z")
    world.add_run(
        "a/b",
        FILE,
        created_at="2026-02-01T05:00:00Z",
        event="schedule",
        actor="grace",
        display_title="nightly",
    )
    world.add_run(
        "a/b",
        FILE,
        created_at="2026-02-27T05:00:00Z",
        conclusion="failure",
        head_branch="topic",
        display_title="red",
    )
    world.add_run(
        "a/b", FILE, status="in_progress", head_sha="a" * 40, display_title="running"
    )
    with GitHubServer(world) as github, client_of(github) as client:
        runs = client.get("/repos/a/b/actions/runs", params=params).json()

    assert [run["display_title"] for run in runs["workflow_runs"]] == expected


@pytest.mark.parametrize(
    "params",
    [
        {"status": "sideways"},
        {"created": "yesterday"},
        {"per_page": "many"},
        {"page": "-1"},
    ],
)
def test_bad_parameters_are_422(client: httpx.Client, params: dict[str, str]) -> None:
    assert client.get(RUNS, params=params).status_code == 422


def test_exclude_pull_requests_empties_them(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, pull_requests=[7])

    full = client.get(f"{RUNS}/{run.id}").json()
    lean = client.get(f"{RUNS}/{run.id}?exclude_pull_requests=true").json()
    assert [pull["number"] for pull in full["pull_requests"]] == [7]
    assert lean == {**full, "pull_requests": []}


def test_ties_are_not_in_the_order_of_their_ids(
    client: httpx.Client, world: World
) -> None:
    ids = [world.add_run(REPO, FILE, created_at=world.now).id for _ in range(20)]

    listed = [run["id"] for run in client.get(RUNS).json()["workflow_runs"]][:21]
    assert set(ids) < set(listed)
    assert listed != sorted(listed)
    assert listed != sorted(listed, reverse=True)


def test_an_unchanged_list_is_304_and_free(
    client: httpx.Client, github: GitHubServer
) -> None:
    first = client.get(WORKFLOW_RUNS)
    again = client.get(WORKFLOW_RUNS, headers={"if-none-match": first.headers["etag"]})

    assert first.headers["etag"].startswith('W/"')
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["x-ratelimit-used"] == "1"
    assert [(e.conditional, e.charged) for e in github.log] == [
        (False, True),
        (True, False),
    ]


def test_a_304_without_a_token_is_charged(github: GitHubServer) -> None:
    with httpx.Client(base_url=github.url, trust_env=False) as client:
        first = client.get(WORKFLOW_RUNS)
        again = client.get(
            WORKFLOW_RUNS, headers={"if-none-match": first.headers["etag"]}
        )

    assert again.status_code == 304
    assert (again.headers["x-ratelimit-limit"], again.headers["x-ratelimit-used"]) == (
        "60",
        "2",
    )
    assert again.headers["cache-control"] == "public, max-age=60, s-maxage=60"


@pytest.mark.parametrize("change", ["rerun", "new", "update", "remove"])
def test_any_change_on_the_page_changes_the_etag(
    client: httpx.Client, world: World, change: str
) -> None:
    before = client.get(WORKFLOW_RUNS).headers["etag"]
    newest = world.workflow(REPO, FILE).runs[-1]
    {
        "rerun": lambda: world.rerun(newest),
        "new": lambda: world.add_run(REPO, FILE),
        "update": lambda: world.update_run(newest, conclusion="failure"),
        "remove": lambda: world.remove_run(newest),
    }[change]()

    response = client.get(WORKFLOW_RUNS, headers={"if-none-match": before})
    assert response.status_code == 200
    assert response.headers["etag"] != before


def test_accept_and_token_are_part_of_the_etag(github: GitHubServer) -> None:
    github.settings.tokens["other"] = Token("other")
    tags = set()
    for headers in (
        {},
        {"accept": "application/vnd.github+json"},
        {"authorization": "token other"},
    ):
        with client_of(github, **headers) as client:
            tags.add(client.get(WORKFLOW_RUNS).headers["etag"])

    assert len(tags) == 3


def test_every_response_has_githubs_headers(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.settings.tokens[github.token] = Token(
        "mona", expires_at="2026-04-01 00:00:00 UTC"
    )
    headers = client.get(WORKFLOW_RUNS).headers

    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["cache-control"] == "private, max-age=60, s-maxage=60"
    assert headers["vary"].startswith("Accept, Authorization, Cookie")
    assert headers["x-github-api-version-selected"] == "2022-11-28"
    assert headers["github-authentication-token-expiration"].startswith("2026-04-01")
    assert "x-github-request-id" in headers
    assert "last-modified" not in headers
    assert {k: v for k, v in headers.items() if k.startswith("x-ratelimit")} == {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-used": "1",
        "x-ratelimit-remaining": "4999",
        "x-ratelimit-reset": "1772445600",
        "x-ratelimit-resource": "core",
    }


def test_tokens_of_one_user_share_the_hourly_limit(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.settings.tokens["second"] = Token()
    github.limits.per_user = 2
    with client_of(github, authorization="Bearer second") as second:
        assert second.get(RUNS).headers["x-ratelimit-remaining"] == "1"
    assert client.get(RUNS).headers["x-ratelimit-remaining"] == "0"

    refused = client.get(RUNS)
    assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (403, "0")
    assert refused.json()["message"].startswith("API rate limit exceeded")
    assert client.get("/rate_limit").json()["rate"]["remaining"] == 0

    github.advance(3600)
    assert client.get(RUNS).status_code == 200


def test_a_spent_limit_can_be_429(client: httpx.Client, github: GitHubServer) -> None:
    github.settings.spent_status = 429
    github.spend_rate_limit()

    assert client.get(RUNS).status_code == 429


def test_a_missing_user_agent_is_403(client: httpx.Client) -> None:
    request = client.build_request("GET", RUNS)
    del request.headers["user-agent"]

    assert client.send(request).status_code == 403


def test_an_unknown_api_version_is_400(client: httpx.Client) -> None:
    response = client.get(RUNS, headers={"x-github-api-version": "1999-01-01"})

    assert response.status_code == 400


def test_an_unknown_token_is_401(github: GitHubServer) -> None:
    with client_of(github, authorization="Bearer wrong") as client:
        response = client.get(RUNS)

    assert response.status_code == 401
    assert response.json()["message"] == "Bad credentials"
    assert (github.log[-1].has_token, github.log[-1].authorised) == (True, False)
    assert github.log[-1].headers["user-agent"].startswith("python-httpx/")
    assert "wrong" not in repr(github.log)


def test_a_private_repository_is_404_without_access(
    client: httpx.Client, github: GitHubServer, world: World
) -> None:
    world.add_repo("acme/secret", private=True)
    github.settings.tokens["narrow"] = Token("n", private=frozenset({"acme/other"}))

    assert client.get("/repos/acme/secret").json()["private"] is True
    with client_of(github, authorization="Bearer narrow") as narrow:
        assert narrow.get("/repos/acme/secret").status_code == 404
        names = [repo["name"] for repo in narrow.get("/orgs/acme/repos").json()]
    assert names == ["web-store"]
    assert len(client.get("/orgs/acme/repos").json()) == 2
    # A user's list only shows public repositories, unlike an organization's.
    assert len(client.get("/users/acme/repos").json()) == 1


def test_a_renamed_repository_redirects_to_its_number(
    client: httpx.Client, github: GitHubServer, world: World
) -> None:
    repo = world.rename_repo(REPO, "acme/shop")
    response = client.get(WORKFLOW_RUNS, params={"per_page": 5})

    assert response.status_code == 301
    assert response.headers["location"] == (
        f"{github.url}/repositories/{repo.id}/actions/workflows/ci.yml/runs?per_page=5"
    )
    followed = client.get(response.headers["location"]).json()["workflow_runs"]
    assert {run["repository"]["full_name"] for run in followed} == {"acme/shop"}


def test_attempts_are_separate(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, conclusion="failure")
    world.advance_to(world.now + timedelta(seconds=30))
    world.rerun(run, triggering_actor="grace")

    now = client.get(f"{RUNS}/{run.id}").json()
    first = client.get(f"{RUNS}/{run.id}/attempts/1").json()
    assert (now["status"], now["conclusion"], now["run_attempt"]) == ("queued", None, 2)
    assert now["run_started_at"] == now["updated_at"] == "2026-03-02T09:00:30Z"
    assert now["triggering_actor"]["login"] == "grace"
    assert now["previous_attempt_url"].endswith(f"/actions/runs/{run.id}/attempts/1")
    assert (first["conclusion"], first["run_attempt"]) == ("failure", 1)
    assert first["created_at"] == now["created_at"]
    assert client.get(f"{RUNS}/{run.id}/attempts/3").status_code == 404


def test_jobs_name_the_failed_step(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, conclusion="failure")
    world.rerun(run)
    jobs = client.get(f"{RUNS}/{run.id}/jobs", params={"filter": "all"}).json()["jobs"]

    assert [(job["run_attempt"], job["conclusion"]) for job in jobs] == [
        (2, None),
        (1, "failure"),
    ]
    failed = [s["name"] for s in jobs[1]["steps"] if s["conclusion"] == "failure"]
    assert failed == ["Run"]
    latest = client.get(f"{RUNS}/{run.id}/jobs").json()
    assert latest == {"total_count": 1, "jobs": jobs[:1]}


def test_workflows_are_listed_with_their_state(
    client: httpx.Client, world: World
) -> None:
    world.add_workflow(REPO, "old.yml", name="Old", state="disabled_inactivity")
    body = client.get(f"/repos/{REPO}/actions/workflows").json()

    assert [(w["path"], w["name"], w["state"]) for w in body["workflows"]] == [
        (".github/workflows/ci.yml", "ci", "active"),
        (".github/workflows/old.yml", "Old", "disabled_inactivity"),
    ]
    one = client.get(f"/repos/{REPO}/actions/workflows/old.yml").json()
    assert one == body["workflows"][1]


def test_writes_are_refused_and_logged(
    client: httpx.Client, github: GitHubServer
) -> None:
    assert client.post(f"{RUNS}/1/rerun").status_code == 404
    assert client.delete(f"{RUNS}/1").status_code == 404

    assert [(e.method, e.is_write) for e in github.log] == [
        ("POST", True),
        ("DELETE", True),
    ]


def test_head_is_a_get_without_its_body(client: httpx.Client) -> None:
    response = client.head(RUNS)

    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) > 100_000


def test_gzip_needs_the_setting_and_the_client(github: GitHubServer) -> None:
    github.settings.gzip = True
    with client_of(github, accept_encoding="gzip") as client:
        zipped = client.get(WORKFLOW_RUNS)
        plain = client.get(WORKFLOW_RUNS, headers={"accept-encoding": "identity"})

    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.json() == plain.json()


def test_an_enterprise_server_has_a_base_path_no_limits_and_old_runs(
    world: World,
) -> None:
    with (
        GitHubServer(world, base_path="/api/v3", enterprise=True) as github,
        client_of(github) as client,
    ):
        assert github.url.endswith("/api/v3")
        response = client.get(f"{RUNS}?per_page=1")
        limit = client.get("/rate_limit")
        outside = client.get(f"{github.origin}{RUNS}")

    run = response.json()["workflow_runs"][0]
    assert "/api/v3/repositories/" in response.links["next"]["url"]
    assert not [name for name in response.headers if name.startswith("x-ratelimit")]
    assert not {"actor", "run_attempt", "run_started_at", "triggering_actor"} & set(run)
    assert (limit.status_code, outside.status_code) == (404, 404)


def test_links_can_point_to_another_origin(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.settings.link_origin = "https://ghe.example.com"

    link = client.get(RUNS).links["next"]["url"]
    assert link.startswith("https://ghe.example.com/repositories/")


def test_the_server_stops_while_a_request_is_delayed(world: World) -> None:
    with GitHubServer(world, latency=0.05) as github, client_of(github) as client:
        assert client.get(RUNS).status_code == 200
        assert client.get(RUNS).elapsed.total_seconds() >= 0.05
        github.faults.add("delay", seconds=3600)
        with pytest.raises(httpx.ReadTimeout):
            client.get(RUNS, timeout=httpx.Timeout(HANG_SECONDS, read=0.05))


def test_a_run_has_a_page_outside_the_api(world: World) -> None:
    run = world.workflow(REPO, FILE).runs[0]
    with GitHubServer(world) as github, client_of(github) as client:
        response = client.get(f"/{REPO}/actions/runs/{run.id}")

    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert f"{REPO}  {FILE}  run 1" in response.text


def test_a_lone_surrogate_is_sent_unchanged(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, display_title="cut \ud83d")

    assert client.get(f"{RUNS}/{run.id}").json()["display_title"] == "cut \ud83d"
    assert client.get(RUNS).status_code == 200


def test_the_time_is_that_of_the_clock(
    client: httpx.Client, github: GitHubServer
) -> None:
    world = github.world
    world.schedule("2026-03-02T09:10:00Z", lambda world, _: world.add_run(REPO, FILE))

    assert client.get(RUNS).json()["total_count"] == 35
    github.advance(600)
    assert client.get(RUNS).json()["total_count"] == 36
    assert iso(world.now) == "2026-03-02T09:10:00Z"
