"""A GitHub that misbehaves towards an App: few requests, and the others are polled."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from app_keys import private_pem, public_pem
from polling import Ingest, add_runs, poll
from sqlite_utils import Database

from ci_observer.demo.server.apps import App
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.ingest.github.installation_token import InstallationToken
from ci_observer.ingest.github.installations import AppToken, Installation
from ci_observer.ingest.store import feeds

pytestmark = pytest.mark.usefixtures("no_waiting")

MINUTE, HOUR = 60, 3600
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACME = tuple(f"acme/service-{number}" for number in range(12))


@pytest.fixture
def ingest(app_ingest: Ingest) -> Ingest:
    return app_ingest


@pytest.fixture
def token_path(app: App) -> str:
    """The path at which a token for acme is requested."""
    return f"installations/{app.install('acme').id}/access_tokens"


def errors(db: Database) -> dict[str, str | None]:
    return {feed.repo: feed.error for feed in feeds.watched(db)}


def hits(github: GitHubServer) -> int:
    """The requests that a fault has met."""
    return sum(fault.hits for fault in github.faults.armed)


def add_repos(world, *repos: str) -> None:
    for repo in repos:
        add_runs(world, 1, repo=repo)


def test_a_failing_token_endpoint_holds_up_nobody_else(
    world, github, app, token_path, ingest, db
):
    """Every item of a pass would wait for a timeout of its own."""
    app.install("beta")
    add_repos(world, *ACME, "beta/web")
    ingest.restart(repos=(*ACME, "beta/web"))
    github.faults.add("server_error", path=token_path, count=None)

    ingest.poll()
    assert hits(github) == 3
    poll(ingest, github)
    assert hits(github) == 4

    shown = errors(db)
    assert shown.pop("beta/web") is None
    assert all("Server Error (502)" in str(error) for error in shown.values())
    github.faults.clear()
    poll(ingest, github, times=2)
    assert set(errors(db).values()) == {None}


def test_a_short_failure_of_the_token_endpoint_is_retried(
    world, github, app, token_path, ingest, db
):
    add_repos(world, *ACME)
    ingest.restart(repos=ACME)
    github.faults.add("server_error", path=token_path, count=2)

    assert ingest.poll().feeds_failed == 0


def test_a_limit_of_the_app_leaves_valid_tokens_alone(
    world, github, app, token_path, ingest, db
):
    beta = app.install("beta")
    add_repos(world, "acme/api", "beta/web")
    ingest.restart(repos=("acme/api", "beta/web"))
    ingest.poll()
    apps = github.settings.apps
    apps.revoke_tokens(except_of=beta)
    github.advance(MINUTE)
    github.faults.add("secondary_limit", path="app/", retry_after=300, count=None)

    result = ingest.poll()
    ingest.next_wait()
    poll(ingest, github, times=3)

    assert (result.error, hits(github)) == (None, 1)
    assert "GitHub asks to wait for the App" in str(errors(db)["acme/api"])
    assert errors(db)["beta/web"] is None
    github.faults.clear()
    poll(ingest, github, seconds=300)
    assert errors(db)["acme/api"] is None


def test_a_new_key_does_not_end_the_wait_for_a_spent_limit(
    world, github, app, token_path, ingest, db, key_file
):
    app.install("beta")
    add_repos(world, "acme/api", "beta/web")
    ingest.restart(repos=("acme/api", "beta/web"))
    github.faults.add("primary_limit", path="/acme/api", seconds=600, count=None)
    ingest.poll()
    ingest.next_wait()
    key_file.write_text(private_pem(1))
    app.public_keys.append(public_pem(1))

    poll(ingest, github)

    assert hits(github) == 1


def test_a_new_token_that_is_not_known_everywhere_yet_is_kept(
    world, github, app, token_path, ingest, db
):
    """GitHub's servers learn about it one after another."""
    add_repos(world, "acme/api")
    ingest.restart(repos=("acme/api",))
    github.faults.add("unauthorized", path="/repos/acme/api", count=2)

    result = ingest.poll()

    assert (result.error, result.feeds_failed, hits(github)) == (None, 0, 2)
    assert len(github.settings.apps.issued) == 1


def test_a_new_token_that_is_always_refused_stops_its_account_for_an_hour(
    world, github, app, token_path, ingest, db
):
    app.install("beta")
    add_repos(world, *ACME, "beta/web")
    ingest.restart(repos=(*ACME, "beta/web"))
    github.faults.add("unauthorized", path="/repos/acme", count=None)

    ingest.poll()
    ingest.next_wait()
    refused = hits(github)
    for _ in range(30):
        poll(ingest, github)
        ingest.next_wait()

    assert refused <= 16
    assert hits(github) == refused
    assert errors(db)["beta/web"] is None


@pytest.mark.parametrize("fault", ["server_error", "secondary_limit", "drop"])
def test_failing_look_ups_hold_up_no_installed_account(
    world, github, app, token_path, ingest, db, fault
):
    """A repository whose owner has no installation is looked up."""
    strangers = tuple(f"gamma/service-{number}" for number in range(12))
    add_repos(world, "acme/api", *strangers)
    ingest.restart(repos=("acme/api", *strangers))
    github.faults.add(fault, path="gamma/.*/installation$", count=None)

    result = ingest.poll()

    assert result.error is None
    assert hits(github) == (1 if fault == "secondary_limit" else 3)
    assert errors(db)["acme/api"] is None


@pytest.mark.parametrize("fault", ["server_error", "secondary_limit", "invalid_json"])
def test_a_list_that_is_not_sent_leaves_the_known_installations(
    world, github, app, token_path, ingest, db, fault
):
    add_repos(world, "acme/api")
    ingest.restart(repos=("acme/api",))
    ingest.poll()
    github.faults.add(fault, path="app/installations[?]", count=None)

    poll(ingest, github, times=3, seconds=16 * MINUTE)

    assert hits(github) == 3
    assert errors(db) == {"acme/api": None}


@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"]
)
def test_a_nonsense_date_is_not_taken_for_github_s_time(
    world, github, app, token_path, ingest, db, date
):
    add_repos(world, "acme/api")
    ingest.restart(repos=("acme/api",))
    github.faults.add("unauthorized", path="app/installations[?]")
    github.faults.add("header", path="app/installations", name="date", value=date)
    assert "refuses the GitHub App" in str(ingest.poll().error)

    github.advance(2 * HOUR)
    result = ingest.poll()

    assert (result.error, result.feeds_failed) == (None, 0)


def test_installations_are_listed_through_a_proxy_that_drops_links(
    world, github, app, ingest, db
):
    for number in range(101):
        app.install(f"owner-{number}")
    world.add_repo("owner-100/api", private=True)
    add_repos(world, "owner-100/api")
    ingest.restart(repos=("owner-100/*",))
    github.faults.add("missing_link", path="app/installations[?]", count=None)

    assert (ingest.poll().error, hits(github)) == (None, 2)
    assert errors(db) == {"owner-100/api": None}


class TokenRequests:
    """Creates tokens, each when `release` is called."""

    def __init__(self) -> None:
        self.requested: list[dict[str, str]] = []
        self._may_respond = asyncio.Event()

    async def create_token(self, installation: Installation) -> AppToken:
        self.requested.append(installation.wanted)
        await self._may_respond.wait()
        return AppToken(f"ghs_{len(self.requested)}", NOW + timedelta(hours=1))

    def release(self) -> None:
        self._may_respond.set()


async def refresh_nothing() -> None:
    return


def token_of(requests: TokenRequests, installation: Installation) -> InstallationToken:
    return InstallationToken(
        installation,
        requests,  # type: ignore[arg-type]  # only this method is called
        lambda: NOW,
        on_refused=refresh_nothing,
    )


def test_concurrent_requests_share_one_new_token():
    async def run() -> tuple[list[str | None], int]:
        requests = TokenRequests()
        token = token_of(requests, Installation(1, "acme"))
        calls = [asyncio.ensure_future(token.get_token()) for _ in range(4)]
        await asyncio.sleep(0)
        requests.release()
        return await asyncio.gather(*calls), len(requests.requested)

    assert asyncio.run(run()) == (["ghs_1"] * 4, 1)


def test_permissions_that_change_during_the_request_lead_to_another_token():
    async def run() -> list[dict[str, str]]:
        requests = TokenRequests()
        before = Installation(1, "acme", {"metadata": "read"})
        token = token_of(requests, before)
        call = asyncio.ensure_future(token.get_token())
        await asyncio.sleep(0)
        token.change(Installation(1, "acme", {"metadata": "read", "actions": "read"}))
        requests.release()
        await call
        await token.get_token()
        await token.get_token()
        return requests.requested

    assert asyncio.run(run()) == [
        {"metadata": "read"},
        {"metadata": "read", "actions": "read"},
    ]
