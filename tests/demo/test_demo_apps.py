"""GitHub Apps of the simulated GitHub: JWT, installations, tokens and their limits."""

from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from app_keys import private_pem, public_pem
from demo_client import client_of

from ci_observer.demo.server.apps import App
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World

RUNS = "/repos/acme/api/actions/runs"


@pytest.fixture
def app(github: GitHubServer) -> App:
    return github.settings.apps.register(public_pem())


def assertion(
    github: GitHubServer,
    issuer: str,
    *,
    key: int = 0,
    begins: int = -60,
    ends: int = 540,
) -> str:
    now = int(github.clock().timestamp())
    claims = {"iat": now + begins, "exp": now + ends, "iss": issuer}
    return jwt.encode(claims, private_pem(key), "RS256")


def get(github: GitHubServer, secret: str, path: str) -> httpx.Response:
    with client_of(github, authorization=f"Bearer {secret}") as client:
        return client.get(path)


def create_token(
    github: GitHubServer, app: App, number: int = 0, **body: Any
) -> httpx.Response:
    secret = assertion(github, app.client_id)
    path = f"/app/installations/{app.installations[number].id}/access_tokens"
    with client_of(github, authorization=f"Bearer {secret}") as client:
        return client.post(path, json=body)


@pytest.mark.parametrize("issuer", ["4711", "Iv23liDEMODEMODEMO42"])
def test_a_jwt_shows_the_installations(github, app, issuer):
    for number in range(3):
        app.install(f"owner-{number}")
    path = "/app/installations?per_page=2"
    first = get(github, assertion(github, issuer), path)

    assert [i["account"]["login"] for i in first.json()] == ["owner-0", "owner-1"]
    rest = get(github, assertion(github, issuer), first.links["next"]["url"])
    assert [i["account"]["login"] for i in rest.json()] == ["owner-2"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"issuer": "4712"}, "A JSON web token could not be decoded"),
        ({"key": 1}, "A JSON web token could not be decoded"),
        ({"ends": 700}, "'Expiration time' claim ('exp') is too far in the future"),
        ({"ends": -60}, "'Expiration time' claim ('exp') must be a numeric value"),
        ({"begins": 60}, "'Issued at' claim ('iat') must be an Integer"),
    ],
)
def test_a_wrong_jwt_is_401(github, app, fault, message):
    response = get(
        github, assertion(github, **{"issuer": "4711"} | fault), "/app/installations"
    )

    assert response.status_code == 401
    assert response.json()["message"].startswith(message)
    assert response.headers["date"] == "Mon, 02 Mar 2026 09:00:00 GMT"


def test_a_token_reads_what_its_installation_sees_for_an_hour(github, world, app):
    for name in ("acme/api", "acme/other", "beta/api"):
        world.add_repo(name, private=True)
    world.add_repo("octo/public")
    app.install("acme", repos=frozenset({"acme/api"}))
    created = create_token(github, app, permissions={"actions": "read"})
    secret = created.json()["token"]

    assert created.status_code == 201
    assert created.json()["expires_at"] == "2026-03-02T10:00:00Z"
    found = get(github, secret, "/installation/repositories").json()
    assert [repo["full_name"] for repo in found["repositories"]] == ["acme/api"]
    statuses = {
        name: get(github, secret, f"/repos/{name}").status_code
        for name in ("acme/api", "acme/other", "beta/api", "octo/public")
    }
    assert statuses == {
        "acme/api": 200,
        "acme/other": 404,
        "beta/api": 404,
        "octo/public": 200,
    }
    github.advance(3600)
    assert get(github, secret, RUNS).status_code == 401


def test_a_token_has_no_more_permissions_than_it_asks_for(github, world, app):
    world.add_repo("acme/api", private=True)
    app.install("acme")
    secret = create_token(github, app, permissions={"checks": "read"}).json()["token"]

    refused = get(github, secret, RUNS)
    assert refused.status_code == 403
    assert refused.headers["x-accepted-github-permissions"] == "actions=read"


def test_asking_for_more_than_granted_is_422(github, app):
    app.install("acme", permissions={"actions": "read", "metadata": "read"})

    for asked in ({"checks": "read"}, {"actions": "write"}):
        assert create_token(github, app, permissions=asked).status_code == 422


def test_each_installation_has_its_own_limit(github, world, app):
    world.add_run("acme/api", "ci.yml")
    app.install("acme", limit=1)
    app.install("beta", limit=12_500)
    small, large = (create_token(github, app, n).json()["token"] for n in (0, 1))

    assert get(github, small, RUNS).headers["x-ratelimit-limit"] == "1"
    assert get(github, small, RUNS).status_code == 403
    assert get(github, large, RUNS).headers["x-ratelimit-remaining"] == "12499"


def test_a_suspended_or_deleted_installation_gives_no_token(github, app):
    installation = app.install("acme")
    secret = create_token(github, app).json()["token"]
    installation.suspended_at = "2026-03-02T08:00:00Z"

    for response in (create_token(github, app), get(github, secret, RUNS)):
        assert response.status_code == 403
        assert "suspended" in response.json()["message"]
    path = f"/app/installations/{installation.id}/access_tokens"
    app.installations.clear()
    with client_of(
        github, authorization=f"Bearer {assertion(github, '4711')}"
    ) as client:
        assert client.post(path).status_code == 404
    assert get(github, secret, RUNS).status_code == 401


def test_the_installation_of_a_repository_is_found_by_its_former_name(
    github: GitHubServer, world: World, app: App
) -> None:
    world.add_repo("acme/api", private=True)
    world.rename_repo("acme/api", "beta/app")
    app.install("acme")
    beta = app.install("beta")
    secret = assertion(github, "4711")

    moved = get(github, secret, "/repos/acme/api/installation")
    assert moved.status_code == 301
    assert get(github, secret, moved.headers["location"]).json()["id"] == beta.id
    assert get(github, secret, "/repos/beta/none/installation").status_code == 404


def test_a_jwt_reads_no_repository(github, world, app):
    world.add_repo("acme/api")

    response = get(github, assertion(github, "4711"), "/repos/acme/api")
    assert response.status_code == 403


def test_only_the_request_for_a_token_may_write(github, app):
    app.install("acme")
    assert create_token(github, app).status_code == 201
    with client_of(github) as client:
        assert client.post("/repos/acme/api/actions/runs").status_code == 404
    assert [entry.status for entry in github.log if entry.is_write] == [201, 404]
    assert github.clock() - timedelta(seconds=1) < github.log[0].at
