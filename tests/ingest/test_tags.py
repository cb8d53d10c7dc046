"""Workflows that run on tags: GitHub is asked once what a pushed ref is."""

from datetime import timedelta

import pytest
from polling import FILE, REPO
from sqlite_utils import Database

from ci_observer.ingest.db.derived import rebuild_tiles
from ci_observer.ingest.store.database import transaction

pytestmark = pytest.mark.usefixtures("no_waiting", "wall_clock")

TAG_PATH = f"/repos/{REPO}/git/ref/tags/"


def push(
    world,
    github,
    *,
    repo: str = REPO,
    tag: str | None = None,
    minutes: float = 10,
    **fields,
):
    """A push of a tag or of another branch than the default one."""
    github.advance(60 * minutes)
    fields = {"tag": tag, **fields} if tag else fields
    return world.add_run(repo, FILE, duration=60, **fields)


def tile(db: Database, *columns: str):
    [row] = db.query("select * from wall")
    return tuple(row[column] for column in columns)


def asked(github) -> list[str]:
    return [
        entry.path.removeprefix(TAG_PATH)
        for entry in github.log
        if entry.path.startswith(TAG_PATH)
    ]


def test_the_newest_tag_decides_the_tile(world, github, ingest, db):
    push(world, github, tag="v1.0", conclusion="failure")
    push(world, github, tag="v1.1")
    push(world, github, head_branch="feature/x", conclusion="failure")

    ingest.poll()

    assert tile(db, "tile_state", "tag", "streak") == ("passing", "v1.1", 1)
    assert db.execute("select name, is_tag from refs order by name").fetchall() == [
        ("feature/x", 0),
        ("v1.0", 1),
        ("v1.1", 1),
    ]


def test_each_ref_is_asked_once(world, github, ingest):
    for tag in ("v1.0", "v1.1"):
        push(world, github, tag=tag)
    push(world, github, head_branch="fix")
    ingest.poll()
    for _ in range(3):
        ingest.restart()
        ingest.poll()
        github.advance(60)

    assert asked(github) == ["fix", "v1.1", "v1.0"]


def test_a_new_tag_shows_in_the_pass_that_finds_its_run(world, github, ingest, db):
    push(world, github, tag="v1.0")
    ingest.poll()
    run = push(world, github, tag="v1.1", conclusion="failure")

    ingest.poll()

    assert tile(db, "tile_state", "tag") == ("failing", "v1.1")
    assert db.execute(
        "select job_id is not null from jobs where run_id = ?", [run.id]
    ).fetchall() == [(1,)]


def test_a_later_run_of_a_known_tag_needs_no_request(world, github, ingest, db):
    push(world, github, tag="nightly")
    ingest.poll()
    github.log.clear()
    push(world, github, tag="nightly", conclusion="failure")

    ingest.poll()

    assert asked(github) == []
    assert tile(db, "tile_state", "tag", "streak") == ("failing", "nightly", 1)


def test_releases_and_tags_count_alike(world, github, ingest, db):
    push(world, github, tag="v2.0-rc1", conclusion="failure")
    push(world, github, tag="v1.9", event="release")

    ingest.poll()

    assert tile(db, "tile_state", "tag") == ("passing", "v1.9")


def test_a_run_on_the_default_branch_ends_the_questions(world, github, ingest, db):
    push(world, github, tag="v1.0", conclusion="failure")
    world.add_run(REPO, FILE, head_branch="main")
    push(world, github, tag="v1.1", conclusion="failure")

    ingest.poll()

    assert asked(github) == []
    assert tile(db, "tile_state", "branch") == ("passing", "main")


def test_pull_requests_are_not_asked_about(world, github, ingest, db):
    push(world, github, head_branch="fix", event="pull_request")
    push(world, github, tag="v1.0")
    push(world, github, head_branch="other", event="pull_request", conclusion="failure")

    ingest.poll()

    assert asked(github) == ["v1.0"]
    assert tile(db, "tile_state", "tag") == ("passing", "v1.0")


@pytest.mark.parametrize(
    "tag", ["release/2026/1", "v1@2", "100%", "a#b?c", "über", "v1+build 2", "v1.0'"]
)
def test_a_tag_may_have_any_name(world, github, ingest, db, tag):
    push(world, github, tag=tag)

    ingest.poll()

    assert tile(db, "tile_state", "tag") == ("passing", tag)


@pytest.mark.parametrize("name", ["../../../user", "a//b", "/x", "."])
def test_a_name_that_no_ref_can_have_is_not_asked_about(
    world, github, ingest, db, name
):
    push(world, github, head_branch=name)

    ingest.poll()

    assert db.execute("select name, is_tag from refs").fetchall() == [(name, 0)]
    assert [e.path for e in github.log if "git" in e.path] == []


def test_a_branch_whose_name_begins_like_a_tag_is_no_tag(world, github, ingest, db):
    """Old servers answer with the refs that begin like the name."""
    world.add_tag(REPO, "v1.0")
    push(world, github, head_branch="v1")
    github.faults.add("replaced", path="/git/ref/", name="ref", value="refs/tags/v1.0")

    ingest.poll()

    assert db.execute("select is_tag from refs").fetchall() == [(0,)]


def test_only_the_newest_refs_are_asked_and_few_in_a_pass(world, github, ingest):
    for n in range(40):
        push(world, github, head_branch=f"feature-{n:02}", minutes=1)
    asked_in_pass = []
    for _ in range(4):
        ingest.poll(backfill_deadline=github.clock() + timedelta(seconds=30))
        asked_in_pass.append(len(asked(github)) - sum(asked_in_pass))

    assert asked_in_pass == [10, 10, 0, 0]
    assert set(asked(github)) == {f"feature-{n}" for n in range(20, 40)}


def test_one_pass_until_all_is_complete_asks_all(world, github, ingest):
    for n in range(15):
        push(world, github, head_branch=f"feature-{n:02}", minutes=1)

    ingest.poll()

    assert len(asked(github)) == 15


def test_a_token_that_may_not_read_contents_is_told_once_an_hour(
    world, github, ingest, db, caplog
):
    push(world, github, tag="v1.0")
    push(world, github, tag="v1.1")
    github.faults.add("forbidden", path="/git/ref/", count=None)
    for _ in range(3):
        assert ingest.poll().feeds_failed == 0
        github.advance(60)

    assert sum("cannot tell whether it is a tag" in m for m in caplog.messages) == 1
    assert len(asked(github)) == 2
    github.faults.clear()
    github.advance(3600)
    ingest.poll()
    assert tile(db, "tag") == ("v1.1",)


def test_a_refusing_repository_delays_no_other_one(world, github, ingest, db):
    push(world, github, repo="acme/web", tag="v1.0")
    for n in range(12):
        push(world, github, head_branch=f"feature-{n}", minutes=1)
    github.faults.add("forbidden", path=f"/repos/{REPO}/git/ref/", count=None)
    ingest.restart(repos=(REPO, "acme/web"))

    for _ in range(2):
        ingest.poll(backfill_deadline=github.clock())

    assert db.execute("select repo, name from refs").fetchall() == [
        ("acme/web", "v1.0")
    ]


def test_a_missing_repository_says_nothing_about_tags(world, github, ingest, db):
    push(world, github, tag="v1.0")
    ingest.poll(backfill_deadline=github.clock())
    push(world, github, head_branch="x")
    world.remove_repo(REPO)

    ingest.poll()

    assert db.execute("select name from refs").fetchall() == [("v1.0",)]


def test_the_tiles_of_tags_are_those_of_a_rebuild(world, github, ingest, db):
    for tag in ("v1.0", "v1.1", "v1.1"):
        push(world, github, tag=tag)
    push(world, github, head_branch="fix")
    ingest.poll()
    before = db.execute("select * from tiles order by branch").fetchall()

    with transaction(db):
        rebuild_tiles(db)

    assert db.execute("select * from tiles order by branch").fetchall() == before
    assert [row[2] for row in before] == ["fix", "refs/tags"]
