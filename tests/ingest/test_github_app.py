"""Polling as a GitHub App: real HTTP, a simulated GitHub that verifies the App."""

import os
from contextlib import closing
from datetime import timedelta

import pytest
from app_keys import private_pem, public_pem
from archive import set_clock
from polling import FILE, Ingest, add_runs, poll
from sqlite_utils import Database

from ci_observer.demo.server.apps import App, Installation
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.times import SettableClock
from ci_observer.ingest.store import feeds, watch_errors

pytestmark = pytest.mark.usefixtures("no_waiting")

MINUTE, HOUR, DAY = 60, 3600, 86_400
TOKENS = "/access_tokens"


@pytest.fixture
def ingest(app_ingest: Ingest) -> Ingest:
    return app_ingest


def paths(github: GitHubServer, end: str = "", method: str = "GET") -> list[str]:
    return [
        entry.path
        for entry in github.log
        if entry.path.endswith(end) and entry.method == method
    ]


def tokens(github: GitHubServer) -> list[str]:
    """The account of each token that was requested."""
    return [issued.installation.account for issued in github.settings.apps.issued]


def errors(db: Database) -> dict[str, str | None]:
    return {str(feed): feed.error for feed in feeds.watched(db)}


def two_owners(app: App) -> tuple[Installation, Installation]:
    return app.install("acme"), app.install("beta")


def test_private_repositories_of_several_owners_are_polled(
    world, github, app, ingest, db
):
    two_owners(app)
    for repo in ("acme/api", "beta/web"):
        world.add_repo(repo, private=True)
        add_runs(world, 2, repo=repo)
    world.add_repo("ada/secret", private=True, owner_type="User")

    result = ingest.poll()

    assert (result.feeds, result.feeds_failed, result.runs_written) == (2, 0, 4)
    assert sorted(tokens(github)) == ["acme", "beta"]
    assert paths(github, "/orgs/acme/repos") == []
    assert (result.rate_limit, result.error) == (5000, None)


def test_a_user_s_private_repositories_are_found(world, app, ingest, db):
    app.install("ada")
    world.add_repo("ada/secret", private=True, owner_type="User")
    add_runs(world, 1, repo="ada/secret")
    ingest.restart(repos=("ada/*",))

    ingest.poll()

    assert errors(db) == {"ada/secret ci.yml": None}


def test_the_request_for_a_token_is_the_only_write(world, github, app, ingest):
    """Everything that a first pass, a re-run and a backfill request."""
    two_owners(app)
    world.add_repo("acme/api", private=True)
    add_runs(world, 40, repo="acme/api")
    run = world.add_run("acme/api", FILE, cancel_cause="timeout")
    world.add_run("acme/api", FILE, tag="v1")
    ingest.poll()
    world.rerun(run)
    poll(ingest, github, times=3, seconds=25 * MINUTE)

    writes = {(entry.method, entry.path) for entry in github.log if entry.is_write}
    assert writes == {
        ("POST", f"/app/installations/{installation.id}{TOKENS}")
        for installation in app.installations
    }
    assert {entry.method for entry in github.log} == {"GET", "POST"}


def test_a_token_asks_for_granted_permissions_to_read(world, github, app, ingest):
    app.install(
        "acme", permissions={"actions": "write", "metadata": "read", "issues": "write"}
    )
    app.install("beta")
    ingest.poll()

    asked = {t.installation.account: t.permissions for t in github.settings.apps.issued}
    assert asked == {
        "acme": {"actions": "read", "metadata": "read"},
        "beta": dict.fromkeys(("actions", "checks", "contents", "metadata"), "read"),
    }


def test_a_token_is_renewed_five_minutes_before_it_ends(world, github, app, ingest):
    app.install("acme")
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))
    ingest.poll()
    poll(ingest, github, seconds=54 * MINUTE)
    assert len(tokens(github)) == 1

    poll(ingest, github, seconds=2 * MINUTE)

    assert len(tokens(github)) == 2
    assert not [entry for entry in github.log if entry.status == 401]


def test_a_quiet_hour_costs_one_full_response_per_list_and_token(
    world, github, app, ingest
):
    """GitHub's ETags belong to one token."""
    app.install("acme")
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))
    ingest.poll()
    poll(ingest, github, times=2)
    github.log.clear()
    poll(ingest, github, times=60)

    runs = [e for e in github.log if e.path.endswith("ci.yml/runs")]
    assert [e.status for e in runs].count(200) == 1
    assert len(runs) == 60


def test_a_revoked_token_is_replaced_at_once(world, github, app, ingest, db):
    app.install("acme")
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))
    ingest.poll()
    github.settings.apps.revoke_tokens()
    world.add_run("acme/api", FILE, conclusion="failure")

    poll(ingest, github)

    assert len(tokens(github)) == 2
    assert errors(db) == {"acme/api ci.yml": None}
    assert db["runs"].count == 2


def test_a_spent_limit_of_one_owner_does_not_stop_the_others(
    world, github, app, ingest, db
):
    acme, _ = two_owners(app)
    for repo in ("acme/api", "beta/web"):
        add_runs(world, 1, repo=repo)
    ingest.poll()
    github.limits.spend(acme.user, github.clock())
    world.add_run("acme/api", FILE)
    world.add_run("beta/web", FILE)

    poll(ingest, github)
    result_wait = ingest.next_wait()
    github.log.clear()
    poll(ingest, github, times=3)

    assert result_wait <= timedelta(minutes=1)
    assert [row["repo"] for row in db["runs"].rows].count("beta/web") == 2
    text = errors(db)["acme/api ci.yml"]
    assert text == (
        "The rate limit of 5000 requests an hour for acme is spent; polling resumes at "
        "10:00:00 UTC."
    )
    assert errors(db)["beta/web ci.yml"] is None
    assert not [path for path in paths(github) if "acme" in path]
    set_clock(db, ingest.clock())
    [state] = db.execute("select state from polling").fetchone()
    assert state == "ok"

    github.advance(HOUR)
    poll(ingest, github, times=2)
    assert errors(db) == {"acme/api ci.yml": None, "beta/web ci.yml": None}
    assert [row["repo"] for row in db["runs"].rows].count("acme/api") == 2


def test_the_wall_shows_the_limit_with_the_lowest_share(world, github, app, ingest, db):
    acme, beta = app.install("acme", limit=15_000), app.install("beta")
    for repo in ("acme/api", "beta/web"):
        add_runs(world, 1, repo=repo)
    ingest.poll()
    github.limits.spend(acme.user, github.clock(), 7_500)
    github.limits.spend(beta.user, github.clock(), 100)
    world.add_run("acme/api", FILE)
    world.add_run("beta/web", FILE)

    github.advance(MINUTE)
    result = ingest.poll()

    assert result.rate_limit == 15_000
    assert result.rate_limit_remaining is not None
    assert 7_400 < result.rate_limit_remaining < 7_500


def test_when_every_limit_is_spent_the_pass_waits_for_the_first(
    world, github, app, ingest, db
):
    acme, beta = two_owners(app)
    for repo in ("acme/api", "beta/web"):
        add_runs(world, 1, repo=repo)
    ingest.poll()
    for installation in (acme, beta):
        github.limits.spend(installation.user, github.clock())
        world.add_run(f"{installation.account}/x", FILE)
    github.advance(MINUTE)
    result = ingest.poll()

    assert result.error_kind == "rate_limited"
    assert timedelta(minutes=50) < ingest.next_wait() <= HOUR * timedelta(seconds=1)


def test_a_scarce_limit_of_one_owner_slows_down_only_that_owner(
    world, github, app, ingest, db
):
    acme, _ = two_owners(app)
    for repo in ("acme/api", "beta/web"):
        add_runs(world, 1, repo=repo)
    ingest.poll()
    github.limits.spend(acme.user, github.clock(), 4_990)
    world.add_run("acme/api", FILE)
    poll(ingest, github)
    assert ingest.next_wait() <= timedelta(minutes=1)
    github.log.clear()

    poll(ingest, github, times=2)

    assert not [path for path in paths(github) if "acme" in path]
    assert [path for path in paths(github) if "beta" in path]
    assert errors(db) == {"acme/api ci.yml": None, "beta/web ci.yml": None}


def test_a_suspended_installation_is_told_and_comes_back(
    world, github, app, ingest, db
):
    acme, _ = two_owners(app)
    for repo in ("acme/api", "beta/web"):
        world.add_repo(repo, private=True)
        add_runs(world, 1, repo=repo)
    ingest.poll()
    acme.suspended_at = "2026-03-02T09:00:30Z"
    poll(ingest, github, times=3)

    assert "suspended" in (errors(db)["acme/api ci.yml"] or "")
    assert errors(db)["beta/web ci.yml"] is None
    github.log.clear()
    poll(ingest, github, times=10, seconds=2 * MINUTE)
    assert [path for path in paths(github) if "acme" in path] == []

    acme.suspended_at = None
    poll(ingest, github, times=4, seconds=5 * MINUTE)
    assert errors(db)["acme/api ci.yml"] is None


def test_an_uninstalled_app_takes_nothing_off_the_wall(world, github, app, ingest, db):
    acme, _ = two_owners(app)
    for repo in ("acme/api", "beta/web"):
        world.add_repo(repo, private=True)
        add_runs(world, 1, repo=repo)
    ingest.poll()
    app.installations.remove(acme)
    poll(ingest, github, times=6, seconds=5 * MINUTE)
    poll(ingest, github, times=2, seconds=DAY)

    text = errors(db)["acme/api ci.yml"]
    assert text is not None
    assert "The GitHub App is not installed for acme any more" in text
    ingest.restart()
    poll(ingest, github, times=2)
    [shown] = watch_errors.known(db)
    assert shown.repo == "acme/*"
    assert "not installed for acme any more" in shown.error

    app.install("acme")
    poll(ingest, github, times=5, seconds=5 * MINUTE)
    assert errors(db) == {"acme/api ci.yml": None, "beta/web ci.yml": None}
    assert watch_errors.known(db) == []


def test_an_installation_that_is_added_later_is_found(world, github, app, ingest, db):
    app.install("beta")
    world.add_repo("acme/api", private=True)
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))
    poll(ingest, github, times=3)
    text = errors(db)["acme/api ci.yml"]
    assert text is not None
    assert "so it sees only public repositories there" in text

    app.install("acme")
    poll(ingest, github, times=4, seconds=5 * MINUTE)
    assert errors(db) == {"acme/api ci.yml": None}


def test_a_repository_that_is_not_selected_is_told(world, github, app, ingest, db):
    app.install("acme", repos=frozenset({"acme/other"}))
    for name in ("acme/api", "acme/other"):
        world.add_repo(name, private=True)
        add_runs(world, 1, repo=name)
    ingest.restart(repos=("acme/api", "acme/*"))

    ingest.poll()

    assert errors(db)["acme/other ci.yml"] is None
    assert "whether the App's installation for acme has the repository selected" in (
        errors(db)["acme/api ci.yml"] or ""
    )


def test_a_public_repository_without_an_installation_is_read(
    world, github, app, ingest, db
):
    two_owners(app)
    add_runs(world, 1, repo="octo/public")
    world.add_repo("octo/secret", private=True)
    ingest.restart(repos=("octo/*", "octo/secret"))

    ingest.poll()

    assert errors(db)["octo/public ci.yml"] is None
    assert "The App is not installed for octo" in errors(db)["octo/secret ci.yml"]
    assert tokens(github) == ["acme"]


def test_without_any_installation_every_owner_says_what_to_do(app, ingest, db):
    result = ingest.poll()

    assert result.feeds == 0
    assert [error.error for error in watch_errors.known(db)] == [
        f"The GitHub App is not installed for {owner}. Install it there: the settings "
        'of the App have the page "Install App".'
        for owner in ("acme", "beta")
    ]


def test_only_the_named_installation_is_used(world, github, app, ingest, db):
    _, beta = two_owners(app)
    for repo in ("acme/api", "beta/web"):
        world.add_repo(repo, private=True)
        add_runs(world, 1, repo=repo)
    ingest.restart(
        app_installation_id=beta.id, repos=("acme/api", "beta/web"), workflows=(FILE,)
    )

    ingest.poll()

    assert tokens(github) == ["beta"]
    assert errors(db)["beta/web ci.yml"] is None
    assert "The App is not installed for acme" in (errors(db)["acme/api ci.yml"] or "")


def test_a_wrong_installation_id_ends_the_pass(github, app, ingest):
    ingest.restart(app_installation_id=1)

    result = ingest.poll()

    assert result.error_kind == "unauthorized"
    assert (result.error or "").startswith(
        "GITHUB_APP_INSTALLATION_ID: the App has no installation 1."
    )


def test_more_than_a_page_of_installations_is_listed(world, github, app, ingest, db):
    for number in range(150):
        app.install(f"owner-{number}")
    world.add_repo("owner-149/api", private=True)
    add_runs(world, 1, repo="owner-149/api")
    ingest.restart(repos=("owner-149/*",))

    ingest.poll()

    assert errors(db) == {"owner-149/api ci.yml": None}
    assert tokens(github) == ["owner-149"]


def test_a_repository_that_moved_to_another_installation_is_found(
    world, github, app, ingest, db
):
    two_owners(app)
    world.add_repo("acme/api", private=True)
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))
    ingest.poll()
    world.rename_repo("acme/api", "beta/app")
    world.add_run("beta/app", FILE)

    poll(ingest, github, times=4, seconds=5 * MINUTE)

    assert errors(db) == {"acme/api ci.yml": None}
    assert db["runs"].count == 2
    ingest.restart()
    github.log.clear()
    poll(ingest, github, times=2)
    assert not [entry for entry in github.log if entry.status == 404]


def test_a_repository_that_moves_twice_is_found(world, github, app, ingest, db):
    for owner in ("acme", "beta", "gamma"):
        app.install(owner)
    world.add_repo("acme/api", private=True)
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))
    ingest.poll()
    for old, new in (("acme/api", "beta/app"), ("beta/app", "gamma/app")):
        world.rename_repo(old, new)
        poll(ingest, github, times=4, seconds=5 * MINUTE)

        assert errors(db) == {"acme/api ci.yml": None}


@pytest.mark.parametrize("seconds", [-2 * HOUR, -3 * MINUTE, 3 * MINUTE, 2 * HOUR])
def test_a_wrong_clock_is_corrected_by_github_s_time(
    world, github, app, db, key_file, seconds, caplog
):
    app.install("acme")
    add_runs(world, 1, repo="acme/api")
    clock = SettableClock(github.clock() + timedelta(seconds=seconds))
    with closing(Ingest(db, github, clock)) as ingest:
        ingest.restart(
            token=None,
            app_id=str(app.id),
            app_key_file=key_file,
            repos=("acme/api",),
        )
        result = ingest.poll()

    assert (result.error, result.feeds_failed) == (None, 0)
    refused = [entry.status for entry in github.log if entry.status == 401]
    assert len(refused) == (0 if seconds == -3 * MINUTE else 1)
    assert bool(refused) is ("The clock of this machine differs" in caplog.text)


def test_a_refused_key_ends_the_pass_until_the_file_changes(
    world, github, app, ingest, db, key_file
):
    app.install("acme")
    add_runs(world, 1, repo="acme/api")
    key_file.write_text(private_pem(1))
    ingest.restart(repos=("acme/api",))

    result = ingest.poll()
    assert result.error_kind == "unauthorized"
    assert "do not belong together" in (result.error or "")
    requests = len(github.log)
    poll(ingest, github, times=5)
    assert len(github.log) == requests

    key_file.write_text("half a ke")
    poll(ingest, github)
    key_file.write_text(private_pem())
    poll(ingest, github)
    assert errors(db) == {"acme/api ci.yml": None}


def test_a_new_key_is_used_before_the_old_one_is_deleted(
    world, github, app, ingest, db, key_file
):
    app.install("acme")
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))
    ingest.poll()
    key_file.write_text(private_pem(1))
    app.public_keys.append(public_pem(1))
    poll(ingest, github)
    app.public_keys.remove(public_pem())

    poll(ingest, github, seconds=HOUR)

    assert errors(db) == {"acme/api ci.yml": None}
    assert len(tokens(github)) == 2


def test_a_permission_that_is_taken_away_does_not_end_polling(
    world, github, app, ingest, db
):
    """Asking for more than granted is a 422."""
    installation = app.install("acme")
    world.add_repo("acme/api", private=True)
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))
    ingest.poll()
    github.advance(50 * MINUTE)
    ingest.poll()
    del installation.permissions["checks"]

    poll(ingest, github, seconds=6 * MINUTE)

    assert errors(db) == {"acme/api ci.yml": None}
    assert "checks" not in github.settings.apps.issued[-1].permissions


def test_a_missing_permission_is_named(world, github, app, ingest, db):
    app.install("acme", permissions={"metadata": "read"})
    world.add_repo("acme/api", private=True)
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))

    poll(ingest, github, times=2)

    assert "The App lacks the permission Actions: read for acme" in (
        errors(db)["acme/api ci.yml"] or ""
    )


def test_an_error_of_the_server_does_not_end_a_token_that_is_valid(
    world, github, app, ingest, db
):
    app.install("acme")
    add_runs(world, 1, repo="acme/api")
    ingest.restart(repos=("acme/api",))
    ingest.poll()
    github.faults.add("server_error", path="access_tokens", count=None)
    github.advance(57 * MINUTE)

    ingest.poll()

    assert errors(db) == {"acme/api ci.yml": None}
    github.faults.clear()
    poll(ingest, github, seconds=10 * MINUTE)
    assert errors(db) == {"acme/api ci.yml": None}


@pytest.mark.parametrize("path", ["app/installations[?]", "access_tokens"])
def test_a_response_that_is_no_json_is_requested_once_in_a_pass(
    world, github, app, ingest, db, path
):
    app.install("acme")
    for number in range(8):
        add_runs(world, 1, repo=f"acme/service-{number}")
    names = tuple(f"acme/service-{number}" for number in range(8))
    ingest.restart(repos=names)
    github.faults.add("invalid_json", path=path, count=None)

    ingest.poll()

    assert len([entry for entry in github.log if entry.faults]) == 1
    shown = {error or "" for error in errors(db).values()}
    assert all("not valid JSON" in error for error in shown)
    github.faults.clear()
    poll(ingest, github, times=2)
    assert set(errors(db).values()) == {None}


def test_an_enterprise_server_has_apps_too(world, db, key_file):
    with GitHubServer(world, base_path="/api/v3", enterprise=True) as server:
        app = server.settings.apps.register(public_pem())
        app.install("acme")
        world.add_repo("acme/api", private=True)
        add_runs(world, 1, repo="acme/api")
        with closing(Ingest(db, server)) as ingest:
            ingest.restart(
                token=None,
                app_id=str(app.id),
                app_key_file=key_file,
                repos=("acme/*",),
            )
            result = ingest.poll()

    assert (result.feeds, result.feeds_failed, result.rate_limit) == (1, 0, None)


def test_no_secret_is_logged_or_stored(
    world, github, app, ingest, db, db_path, caplog, key_file
):
    caplog.set_level("DEBUG")
    acme, _ = two_owners(app)
    add_runs(world, 1, repo="acme/api")
    ingest.poll()
    acme.suspended_at = "2026-03-02T09:00:30Z"
    poll(ingest, github, times=3)
    github.settings.apps.revoke_tokens()
    poll(ingest, github, times=2)

    files = [p.read_bytes() for p in db_path.parent.glob("ci_observer.db*")]
    key_line = private_pem().splitlines()[3]
    for secret in (key_line, *(t.secret for t in github.settings.apps.issued)):
        assert secret not in caplog.text
        assert not [data for data in files if secret.encode() in data]
    assert not [name for name in os.environ if "ghs_" in os.environ[name]]


def test_polling_with_a_token_has_not_changed(world, github, db):
    github.settings.tokens["other"] = Token("other")
    add_runs(world, 1, repo="acme/api")
    with closing(Ingest(db, github)) as ingest:
        assert ingest.poll().error is None
    assert not [entry for entry in github.log if entry.path.startswith("/app")]
