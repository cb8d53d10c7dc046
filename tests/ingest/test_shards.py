"""`SHARD=3/12`: the part of the repositories that an instance watches."""

import hashlib
import logging

import pytest
from click.testing import CliRunner
from polling import Ingest, add_runs
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.cli import main
from ci_observer.ingest.config import Config
from ci_observer.ingest.config.shard import Shard, number_of, parse_shard
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.store import feeds, instance

pytestmark = pytest.mark.usefixtures("no_waiting")

DAY = 86_400
# Their shards of three; `test_a_number_is_the_hash_of_the_name` computes them.
REPOS = {"acme/api": 2, "acme/cli": 1, "acme/data": 3, "acme/web": 2}


def watched(db: Database) -> list[str]:
    return sorted(feed.repo for feed in feeds.watched(db))


def shard_of(db: Database) -> str | None:
    [[value]] = db.execute("select value from instance where key = 'shard'").fetchall()
    return value


def polling(db: Database) -> tuple[str, str | None, int]:
    return db.execute("select state, reason, is_healthy from polling").fetchone()


def repos_requested(github: GitHubServer) -> set[str]:
    """The repositories of which anything was requested by their name."""
    parts = [entry.path.split("/") for entry in github.log]
    return {"/".join(p[2:4]) for p in parts if p[1] == "repos"}


@pytest.fixture
def populated(world: World) -> World:
    for repo in REPOS:
        add_runs(world, 2, repo=repo)
    return world


def test_a_number_is_the_hash_of_the_name():
    for repo, number in REPOS.items():
        digest = hashlib.sha256(repo.encode()).hexdigest()
        assert number_of(repo, 3) == number == int(digest[:16], 16) % 3 + 1
        assert number_of(repo.upper(), 3) == number
    assert number_of("acme/api", 1) == 1


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("0/3", "SHARD=1/3 to SHARD=3/3"),
        ("4/3", "SHARD=1/3 to SHARD=3/3"),
        ("1/0", "from 1 to 1000"),
        ("1/1001", "from 1 to 1000"),
        ("1/99999999999999999999", "NUMBER/SHARDS"),
        ("3", "NUMBER/SHARDS"),
        ("a/b", "NUMBER/SHARDS"),
        ("1 / 3", "without spaces"),
        ("-1/3", "NUMBER/SHARDS"),
        ("1/3/5", "NUMBER/SHARDS"),
        ("\u0663/12", "NUMBER/SHARDS"),
        ("$(POD_INDEX)/12", "was not replaced"),
    ],
)
def test_a_wrong_shard_is_refused_with_advice(text, advice):
    with pytest.raises(ConfigError, match=r"^SHARD: ") as error:
        Config.from_environ({"SHARD": text})

    assert advice in str(error.value)
    assert parse_shard("3/12", "SHARD") == Shard(3, 12)


@pytest.mark.parametrize("repos", [("acme/*",), tuple(REPOS)])
def test_each_repository_is_watched_by_one_shard(populated, github, ingest, db, repos):
    for number in (1, 2, 3):
        expected = sorted(repo for repo, n in REPOS.items() if n == number)
        github.log.clear()
        ingest.restart(repos=repos, shard=Shard(number, 3))
        ingest.poll()
        ingest.poll()

        assert watched(db) == expected
        assert repos_requested(github) <= set(expected)
        assert shard_of(db) == (
            f'{{"number": {number}, "count": 3, "repos": {len(expected)},'
            ' "all_repos": 4}'
        )
        # The owner of the list has no error either.
        tiles = db.execute("select repo from wall").fetchall()
        assert sorted(repo for (repo,) in tiles) == expected

    [[runs]] = db.execute("select count(*) from runs").fetchall()
    assert runs == 2 * len(REPOS)


@pytest.mark.parametrize("repos", [("acme/*",), tuple(REPOS)])
def test_an_empty_shard_is_healthy_and_says_so(populated, ingest, db, repos):
    ingest.restart(repos=repos, shard=Shard(2, 7))
    assert not any(number_of(repo, 7) == 2 for repo in REPOS)
    if repos == ("acme/*",):
        ingest.poll()

    state, reason, is_healthy = polling(db)
    assert (state, is_healthy) == ("off", 1)
    assert "Shard 2 of 7 has none of the 4 selected repositories" in str(reason)


def test_check_says_that_an_empty_shard_is_no_error(db, db_path):
    record = instance.shard_text(Shard(1, 7), repos=1, all_repos=4)
    instance.save_shard(db, record, None)
    environ = {
        "CI_OBSERVER_DB": str(db_path),
        "GH_REPOS": ",".join(REPOS),
        "GH_WORKFLOWS": "ci.yml",
        "SHARD": "2/7",
    }
    result = CliRunner().invoke(main, ["check"], env=environ)

    assert (result.exit_code, result.output.split(":")[0]) == (0, "OK")
    assert "Shard 2 of 7 has none of the 4 selected repositories" in result.output
    assert "The database is that of shard 1 of 7, and SHARD is 2/7" in result.output


def test_a_shard_without_workflows_is_healthy_and_says_so(
    populated, github, ingest, db
):
    ingest.restart(repos=("acme/*",), workflows=("no.yml",), shard=Shard(3, 3))
    ingest.poll()

    state, reason, is_healthy = polling(db)
    assert (state, is_healthy) == ("off", 1)
    assert "1 of 4 selected repositories, none with a workflow" in str(reason)

    populated.add_workflow("acme/data", "no.yml")
    add_runs(populated, 1, repo="acme/data", file="no.yml")
    github.advance(3600)
    ingest.poll()

    assert watched(db) == ["acme/data"]
    assert polling(db)[0] != "off"


def test_an_error_of_the_owner_is_shown_by_every_shard(populated, github, ingest, db):
    github.faults.add("forbidden", path="/orgs/acme/repos", count=None)
    ingest.restart(repos=("acme/*",), shard=Shard(2, 7))
    ingest.poll()

    assert polling(db)[2] == 0
    assert db.execute("select repo from wall").fetchall() == [("acme/*",)]


# Of three shards, the old name belongs to the second and the new one to the first.
OLD, NEW = "acme/api", "acme/web-api"


@pytest.mark.parametrize("repos", [("acme/*",), ("acme/*", OLD), (OLD, NEW)])
def test_a_repository_renamed_into_another_shard_leaves_this_one(
    world, github, ingest, db, caplog, repos
):
    assert (number_of(OLD, 3), number_of(NEW, 3)) == (2, 1)
    add_runs(world, 3, repo=OLD)
    add_runs(world, 1, repo="acme/lib")
    ingest.restart(repos=(*repos, "acme/lib"), shard=Shard(2, 3))
    ingest.poll()
    assert watched(db) == [OLD, "acme/lib"]
    world.rename_repo(OLD, NEW)
    for _ in range(2):
        github.advance(DAY)
        with caplog.at_level(logging.WARNING):
            ingest.poll()

    # The same after a restart.
    for _ in range(2):
        assert watched(db) == ["acme/lib"]
        assert db.execute("select repo from wall").fetchall() == [("acme/lib",)]
        assert db.execute(
            "select repo, count(*) from runs group by repo order by repo"
        ).fetchall() == [("acme/lib", 1), (NEW, 3)]
        ingest.restart()
        ingest.poll()

    ingest.restart(shard=Shard(1, 3))
    ingest.poll()
    assert watched(db) == [NEW]


def test_a_name_that_no_shard_selects_stays_where_it_is(world, github, ingest, db):
    add_runs(world, 3, repo=OLD)
    ingest.restart(repos=(OLD,), shard=Shard(2, 3))
    ingest.poll()
    world.rename_repo(OLD, NEW)
    for _ in range(2):
        github.advance(DAY)
        ingest.poll()

    assert watched(db) == [OLD]
    assert db.execute("select repo, count(*) from runs").fetchall() == [(OLD, 3)]


def test_another_shard_takes_over_and_the_history_stays(populated, ingest, db, caplog):
    ingest.restart(repos=("acme/*",))
    ingest.poll()
    assert watched(db) == sorted(REPOS)

    ingest.restart(shard=Shard(2, 3))
    assert "SHARD=2/3 is new for this database" in caplog.text
    assert "not watched here any more: 2." in caplog.text
    caplog.clear()
    ingest.restart(shard=Shard(3, 3))
    assert "The database is that of shard 2 of 3, and SHARD is 3/3:" in caplog.text
    caplog.clear()
    ingest.restart()
    assert "shard" not in caplog.text.lower()
    ingest.poll()

    assert watched(db) == ["acme/data"]
    assert db.execute("select repo from wall").fetchall() == [("acme/data",)]
    assert db.execute("select count(*) from runs").fetchone() == (8,)


def test_without_shards_there_is_no_record(ingest: Ingest, db: Database, caplog):
    ingest.restart(shard=Shard(1, 3))
    assert shard_of(db) is not None
    ingest.restart(shard=None)

    assert shard_of(db) is None
    assert "that of shard 1 of 3, and SHARD is not set" in caplog.text


@pytest.mark.parametrize("text", ["no", "[]", '{"number": 4, "count": 3}'])
def test_an_unknown_record_is_no_shard(db: Database, text: str):
    instance.save_shard(db, text, None)

    assert instance.stored_shard(db) is None
