"""`GH_REPOS=owner/*`: every repository of an owner, listed once a day."""

import pytest
from polling import Ingest, add_runs, run_ids
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.ingest.store import feeds, watch_errors

pytestmark = pytest.mark.usefixtures("no_waiting")

DAY = 86_400


def watched(db: Database) -> list[str]:
    return [str(feed) for feed in feeds.watched(db)]


def errors(db: Database) -> list[tuple[str, str | None]]:
    """The error of each owner, repository and feed that is watched."""
    return db.execute(
        "select repo, error_kind from wall_sources where is_watched order by repo"
    ).fetchall()


def list_requests(github: GitHubServer) -> list[tuple[str, int]]:
    return [
        (entry.path, entry.status)
        for entry in github.log
        if entry.path.endswith("/repos")
    ]


@pytest.fixture
def ingest(ingest: Ingest) -> Ingest:
    ingest.restart(repos=("acme/*",))
    return ingest


def test_every_live_repository_of_an_organization_is_watched(world, ingest, db):
    for repo in ("acme/api", "acme/web", "other/api"):
        add_runs(world, 2, repo=repo)
    for what in ("archived", "disabled", "fork"):
        world.add_repo(f"acme/{what}", **{what: True})
        add_runs(world, 1, repo=f"acme/{what}")

    result = ingest.poll()

    assert watched(db) == ["acme/api ci.yml", "acme/web ci.yml"]
    assert (result.feeds, result.feeds_failed, len(run_ids(db))) == (2, 0, 4)


def test_only_pairs_that_exist_are_watched(world, github, ingest, db):
    add_runs(world, 1, repo="acme/api")
    add_runs(world, 1, repo="acme/web", file="build.yml")
    world.add_workflow("acme/web", "ci.yml", state="disabled_manually")
    world.add_repo("acme/docs")
    ingest.restart(workflows=("ci.yml", "build.yml"))

    assert ingest.poll().feeds_failed == 0
    assert watched(db) == ["acme/api ci.yml", "acme/web build.yml", "acme/web ci.yml"]
    assert not [entry for entry in github.log if entry.status == 404]


def test_a_star_for_both_is_every_workflow_of_every_repository(world, ingest, db):
    for repo in ("acme/api", "acme/web"):
        for file in ("ci.yml", "deploy.yml"):
            add_runs(world, 1, repo=repo, file=file)
    ingest.restart(workflows=("*",))

    ingest.poll()

    assert len(watched(db)) == 4


def test_an_owner_can_be_combined_with_repositories_and_other_owners(world, ingest, db):
    for repo in ("acme/api", "acme/web", "beta/app", "other/api"):
        add_runs(world, 1, repo=repo)
    ingest.restart(repos=("acme/*", "Acme/API", "beta/*", "other/api", "other/gone"))

    ingest.poll()

    assert [(f.repo.lower(), f.error_kind) for f in feeds.watched(db)] == [
        ("acme/api", None),
        ("acme/web", None),
        ("beta/app", None),
        ("other/api", None),
        ("other/gone", "not_found"),
    ]


def test_a_named_repository_of_an_owner_shows_a_missing_workflow(world, ingest, db):
    add_runs(world, 1, repo="acme/api")
    add_runs(world, 1, repo="acme/web")
    ingest.restart(repos=("acme/*", "acme/api"), workflows=("ci.yml", "nope.yml"))

    ingest.poll()

    assert watched(db) == ["acme/api ci.yml", "acme/api nope.yml", "acme/web ci.yml"]


def test_changes_are_found_within_a_day_and_history_stays(world, github, ingest, db):
    for name in ("api", "old", "gone"):
        add_runs(world, 2, repo=f"acme/{name}")
    ingest.poll()
    add_runs(world, 1, repo="acme/new")
    world.repo("acme/old").archived = True
    world.remove_repo("acme/gone")
    github.advance(DAY)

    ingest.poll()

    assert watched(db) == ["acme/api ci.yml", "acme/new ci.yml"]
    assert len(run_ids(db)) == 7


def test_a_deleted_repository_leaves_the_wall_with_the_next_polls(
    world, github, ingest, db
):
    for name in ("api", "gone"):
        add_runs(world, 2, repo=f"acme/{name}")
    ingest.poll()
    world.remove_repo("acme/gone")
    github.advance(3600)
    ingest.poll()
    github.advance(60)
    ingest.poll()

    assert watched(db) == ["acme/api ci.yml"]
    assert len(run_ids(db)) == 4


def test_a_repository_that_forbids_the_token_leaves_the_wall(
    world, github, ingest, db, caplog
):
    for name in ("api", "locked"):
        add_runs(world, 2, repo=f"acme/{name}")
    ingest.poll()
    github.faults.add("forbidden", path="acme/locked", count=None)
    github.advance(DAY)
    ingest.poll()
    assert watched(db) == ["acme/api ci.yml", "acme/locked ci.yml"]
    ingest.poll()

    assert watched(db) == ["acme/api ci.yml"]
    assert len(run_ids(db)) == 4
    assert "acme/locked" in caplog.text

    github.faults.clear()
    github.advance(3600)
    ingest.poll()

    assert watched(db) == ["acme/api ci.yml", "acme/locked ci.yml"]


def test_a_renamed_repository_of_an_owner_keeps_its_history(world, github, ingest, db):
    add_runs(world, 2, repo="acme/api")
    ingest.poll()
    world.rename_repo("acme/api", "acme/core")
    github.advance(DAY)

    ingest.poll()

    assert watched(db) == ["acme/core ci.yml"]
    assert db.execute("select repo, count(*) from runs").fetchall() == [
        ("acme/core", 2)
    ]


def test_requests_are_free_when_nothing_has_changed(world, github, ingest, db):
    for number in range(105):
        world.add_repo(f"acme/r{number:03}")
    add_runs(world, 1, repo="acme/r104")
    ingest.poll()
    assert watched(db) == ["acme/r104 ci.yml"]
    github.log.clear()
    github.advance(DAY)

    ingest.poll()

    assert list_requests(github) == [("/orgs/acme/repos", 304)] * 2
    described = [e for e in github.log if not e.path.endswith("/runs")]
    assert {entry.status for entry in described} == {304}
    assert watched(db) == ["acme/r104 ci.yml"]


def test_repositories_that_change_pages_stay_watched(world, github, ingest, db):
    for number in range(101):
        world.add_repo(f"acme/r{number:03}")
    for number in (99, 100):
        add_runs(world, 1, repo=f"acme/r{number:03}")
    ingest.poll()
    expected = ["acme/r099 ci.yml", "acme/r100 ci.yml"]
    assert watched(db) == expected

    for change in (
        lambda: world.add_repo("acme/a"),
        lambda: world.remove_repo("acme/r000"),
        lambda: world.remove_repo("acme/r001"),
    ):
        change()
        github.advance(DAY)
        ingest.poll()
        assert watched(db) == expected


def test_a_restart_watches_the_known_feeds_at_once(world, github, ingest, db):
    for repo in ("acme/api", "acme/web"):
        add_runs(world, 1, repo=repo)
    ingest.poll()
    github.log.clear()

    ingest.restart()

    assert github.log == []
    assert watched(db) == ["acme/api ci.yml", "acme/web ci.yml"]


def test_other_workflows_in_the_settings_are_watched_at_once(world, github, ingest, db):
    for file in ("ci.yml", "deploy.yml"):
        add_runs(world, 1, repo="acme/api", file=file)
    ingest.poll()
    github.log.clear()

    ingest.restart(workflows=("deploy.yml",))
    assert watched(db) == ["acme/api deploy.yml"]
    ingest.restart(repos=("acme/api",), workflows=("*",))
    assert watched(db) == ["acme/api ci.yml", "acme/api deploy.yml"]

    assert github.log == []


def test_an_owner_that_is_not_found_is_shown_on_the_wall(world, github, ingest, db):
    result = ingest.poll()

    [tile] = db.execute("select repo, tile_state, error from wall").fetchall()
    assert tile[:2] == ("acme/*", "no_access")
    assert "no organization or user acme" in tile[2]
    assert result.feeds_failed == 1

    add_runs(world, 1, repo="acme/api")
    github.advance(3600)
    assert ingest.poll().feeds_failed == 0
    assert watched(db) == ["acme/api ci.yml"]


def test_an_owner_that_forbids_the_token_is_shown_and_keeps_its_feeds(
    world, github, ingest, db
):
    add_runs(world, 1, repo="acme/api")
    ingest.poll()
    github.faults.add("forbidden", path="orgs/acme", count=None)
    github.advance(DAY)

    ingest.poll()
    assert errors(db) == [("acme/api", None)]
    ingest.poll()

    assert errors(db) == [("acme/*", "forbidden"), ("acme/api", None)]


def test_an_owner_s_error_outlives_a_restart_until_the_owner_is_found(
    world, ingest, db
):
    ingest.poll()
    before = errors(db)
    assert before == [("acme/*", "not_found")]

    ingest.restart()
    assert errors(db) == before
    add_runs(world, 1, repo="acme/api")
    ingest.poll()

    assert errors(db) == [("acme/api", None)]


def test_the_error_of_an_owner_that_leaves_the_settings_leaves_the_wall(ingest, db):
    ingest.poll()
    ingest.restart(repos=("other/*",))

    assert errors(db) == []


def test_an_owner_that_fails_is_no_feed(ingest, db):
    ingest.poll()

    assert feeds.watched(db) == []
    assert "*" not in {row["workflow"] for row in db["feeds"].rows}
    assert [error.repo for error in watch_errors.known(db)] == ["acme/*"]


def test_an_owner_without_live_repositories_is_shown(world, ingest, db):
    world.add_repo("acme/api", archived=True)

    ingest.poll()

    [error] = db.execute("select error from wall").fetchone()
    assert error.startswith("No repository to watch: name some in GH_REPOS")


def test_an_owner_without_such_a_workflow_is_shown(world, github, ingest, db, caplog):
    add_runs(world, 1, repo="acme/api", file="build.yml")
    ingest.poll()

    [error] = db.execute("select error from wall").fetchone()
    assert error.startswith("No workflow to watch: check GH_WORKFLOWS")
    assert "It sees no ci.yml in acme's 1 repositories" in error
    assert error in caplog.text

    add_runs(world, 1, repo="acme/api")
    github.advance(DAY)
    ingest.poll()
    assert watched(db) == ["acme/api ci.yml"]


def test_a_temporary_error_of_the_list_is_not_shown(world, github, ingest, db):
    add_runs(world, 1, repo="acme/api")
    ingest.poll()
    github.faults.add("server_error", path="orgs/acme", count=None)
    github.advance(DAY)
    ingest.poll()

    assert watched(db) == ["acme/api ci.yml"]
    assert feeds.watched(db)[0].error is None


def test_a_user_s_public_repositories_are_found(world, github, ingest, db):
    world.add_repo("ada/api", owner_type="User")
    world.add_repo("ada/secret", owner_type="User", private=True)
    for repo in ("ada/api", "ada/secret"):
        add_runs(world, 1, repo=repo)
    ingest.restart(repos=("ada/*",))
    ingest.poll()

    assert watched(db) == ["ada/api ci.yml"]
    github.log.clear()
    github.advance(DAY)
    ingest.poll()
    assert list_requests(github) == [("/users/ada/repos", 304)]


def test_the_token_s_own_user_s_private_repositories_are_found(
    world, github, ingest, db
):
    github.settings.tokens[github.token] = Token("ada")
    world.add_repo("ada/secret", owner_type="User", private=True)
    add_runs(world, 1, repo="ada/secret")
    ingest.restart(repos=("ada/*",))
    ingest.poll()

    assert watched(db) == ["ada/secret ci.yml"]


def test_an_organization_called_user_is_not_taken_for_the_token_s(world, ingest, db):
    add_runs(world, 1, repo="user/api")
    ingest.restart(repos=("user/*",))
    ingest.poll()

    assert watched(db) == ["user/api ci.yml"]


def test_a_token_without_a_user_finds_a_user_s_public_ones(world, github, ingest, db):
    """The token of a GitHub App is refused the list of its user's repositories."""
    world.add_repo("ada/api", owner_type="User")
    add_runs(world, 1, repo="ada/api")
    github.faults.add("forbidden", path="^/user/repos", count=None)
    ingest.restart(repos=("ada/*",))

    assert ingest.poll().feeds_failed == 0
    assert watched(db) == ["ada/api ci.yml"]


def test_without_a_token_public_repositories_are_found(world, github, ingest, db):
    add_runs(world, 1, repo="acme/api")
    world.add_repo("acme/secret", private=True)
    ingest.restart(token=None)
    ingest.poll()

    assert watched(db) == ["acme/api ci.yml"]
    assert "/user/repos" not in dict(list_requests(github))
