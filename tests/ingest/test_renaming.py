"""Renamed repositories, and names that pass to another repository."""

import logging
import sqlite3

import pytest
from polling import FILE, REPO, Ingest, add_runs, revision, run_ids
from sqlite_utils import Database

from ci_observer.ingest.store import backfills, feeds, refs, repos, watch_errors
from ci_observer.ingest.store.refs import PushedRef

pytestmark = pytest.mark.usefixtures("no_waiting")

NEW = "acme/platform-api"


def repos_of_runs(db: Database) -> list[tuple[str, int]]:
    return db.execute("select repo, count(*) from runs group by repo").fetchall()


def watched(db: Database) -> list[str]:
    return [str(feed) for feed in feeds.watched(db)]


def tiles(db: Database) -> list[tuple[str, str, int]]:
    return db.execute("select repo, last_result, streak from wall").fetchall()


@pytest.fixture
def renamed(world, github, ingest) -> Ingest:
    """`REPO` with three runs, polled, then renamed and refreshed under its old name."""
    add_runs(world, 3)
    ingest.poll()
    world.rename_repo(REPO, NEW)
    for _ in range(2):
        github.advance(86400)
        ingest.poll()
    github.log.clear()
    return ingest


def test_a_renamed_repository_is_requested_by_its_id_without_a_redirect(
    github, renamed, db
):
    github.advance(60)

    result = renamed.poll()

    # The list of the workflow, and the check of the repository.
    assert [entry.status for entry in github.log] == [304, 304]
    assert not any(entry.charged for entry in github.log)
    assert result.feeds_failed == 0


def test_after_a_restart_there_is_no_redirect_either(github, renamed):
    renamed.restart()
    renamed.poll()

    lists = [entry for entry in github.log if entry.path.endswith("/runs")]
    assert {entry.status for entry in lists} == {304}


def test_a_rename_is_found_by_the_next_poll_and_logged(
    world, github, ingest, db, caplog
):
    add_runs(world, 2)
    ingest.poll()
    world.rename_repo(REPO, NEW)
    for _ in range(2):
        github.advance(60)
        ingest.poll()

    assert f"{REPO} is renamed to {NEW}: write {NEW} in GH_REPOS" in caplog.text
    assert db["repos"].get(REPO)["full_name"] == NEW
    assert repos_of_runs(db) == [(REPO, 2)]


def test_new_runs_of_a_renamed_repository_join_its_history(world, github, renamed, db):
    world.add_run(NEW, FILE, conclusion="failure")
    world.add_run(NEW, FILE, head_repository="someone/platform-api")
    renamed.poll()

    assert repos_of_runs(db) == [(REPO, 5)]
    assert tiles(db) == [(REPO, "failing", 1)]
    forks = "select distinct head_repo from runs where head_repo <> repo"
    assert db.execute(forks).fetchall() == [("someone/platform-api",)]


def test_history_moves_to_the_new_name_when_the_settings_have_it(
    world, github, renamed, db
):
    before = revision(db)
    renamed.restart(repos=(NEW,))
    world.add_run(NEW, FILE)

    renamed.poll()

    assert repos_of_runs(db) == [(NEW, 4)]
    assert watched(db) == [f"{NEW} {FILE}"]
    assert tiles(db) == [(NEW, "passing", 4)]
    assert db.execute("select distinct head_repo from runs").fetchall() == [(NEW,)]
    assert int(revision(db)) > int(before)


def test_no_table_has_the_old_name_after_a_move(renamed, github, db):
    refs.save(db, PushedRef(REPO, "v1"), is_tag=True, now=github.clock())

    renamed.restart(repos=(NEW,))
    renamed.poll()

    assert db.execute("select repo, name from refs").fetchall() == [(NEW, "v1")]
    tables = [t.name for t in db.tables if "repo" in t.columns_dict]
    assert {"feeds", "repos", "runs", "tiles", "workflows"} <= set(tables)
    assert {
        t: [r["repo"] for r in db[t].rows if r["repo"] == REPO] for t in tables
    } == {table: [] for table in tables}


def test_a_move_to_another_letter_case_of_the_name_keeps_every_row(ingest, world, db):
    add_runs(world, 3)
    ingest.poll()
    tables = [t.name for t in db.tables if "repo" in t.columns_dict]
    changed = {"responses", "state_builds"}
    before = {t: db[t].count for t in tables if t not in changed}

    repos.rename(db, REPO, "Acme/API")

    assert {t: db[t].count for t in before} == before
    assert repos_of_runs(db) == [("Acme/API", 3)]
    assert watched(db) == [f"Acme/API {FILE}"]
    assert tiles(db) == [("Acme/API", "passing", 3)]


def test_a_move_deletes_the_error_of_the_former_name(ingest, db):
    ingest.restart(repos=("acme/gone",), workflows=("*",))
    ingest.poll()
    assert [error.repo for error in watch_errors.known(db)] == ["acme/gone"]

    repos.rename(db, "acme/gone", NEW)

    assert watch_errors.known(db) == []


def test_an_interrupted_move_changes_nothing(renamed, db, monkeypatch):
    def fail(*args: object) -> None:
        raise sqlite3.OperationalError("power cut")

    renamed.restart(repos=(NEW,))
    monkeypatch.setattr("ci_observer.ingest.store.repos.rebuild_tiles", fail)
    with pytest.raises(BaseExceptionGroup):
        renamed.poll()

    assert repos_of_runs(db) == [(REPO, 3)]
    assert db.execute("select distinct repo from tiles").fetchall() == [(REPO,)]


def test_a_backfill_continues_under_the_new_name(world, github, ingest, db):
    add_runs(world, 350)
    github.faults.add("unauthorized", path="[?&]page=3")
    ingest.poll()
    assert len(run_ids(db)) == 200
    world.rename_repo(REPO, NEW)

    ingest.restart(repos=(NEW,))
    ingest.poll()

    assert repos_of_runs(db) == [(NEW, 350)]
    [feed] = feeds.watched(db)
    backfill = backfills.get(db, feed.key)
    assert (backfill.fetch_until, backfill.completed_at is None) == (None, False)


@pytest.mark.parametrize("names", [(REPO, NEW), (NEW, REPO)])
def test_both_names_in_the_settings_are_one_repository_polled_once(
    world, github, ingest, db, names, caplog
):
    add_runs(world, 3)
    world.rename_repo(REPO, NEW)
    ingest.restart(repos=names)
    ingest.poll()
    github.advance(60)
    ingest.restart()
    ingest.poll()
    github.log.clear()
    github.advance(60)
    ingest.poll()

    # The list of the workflow, and the check of the repository.
    assert [entry.status for entry in github.log] == [304, 304]
    assert repos_of_runs(db) == [(NEW, 3)]
    assert watched(db) == [f"{NEW} {FILE}"]
    assert "are one repository, polled once" in caplog.text


def test_histories_under_both_names_are_joined(world, github, ingest, db):
    """Earlier versions polled each name separately."""
    add_runs(world, 3)
    ingest.poll()
    world.add_run(REPO, FILE, conclusion="failure")
    world.rename_repo(REPO, NEW)
    ingest.restart(repos=(NEW,))
    github.faults.add("server_error", path="(?i)/repos/[^/]*/[^/]*$", count=None)
    ingest.poll()
    assert len(repos_of_runs(db)) == 1
    db.execute("update runs set repo = ? where run_number < 3", [REPO])
    db.conn.commit()
    github.faults.clear()

    ingest.restart(repos=(REPO, NEW))
    ingest.poll()

    assert repos_of_runs(db) == [(NEW, 4)]
    assert db.execute("select repo, is_watched from feeds").fetchall() == [(NEW, 1)]


def test_the_old_name_alone_takes_its_history_back(world, github, ingest, db):
    add_runs(world, 3)
    world.rename_repo(REPO, NEW)
    ingest.restart(repos=(REPO, NEW))
    ingest.poll()

    ingest.restart(repos=(REPO,))
    result = ingest.poll()

    assert result.feeds_failed == 0
    assert repos_of_runs(db) == [(REPO, 3)]
    assert watched(db) == [f"{REPO} {FILE}"]


def test_two_former_names_of_one_repository_are_polled_once(world, github, ingest, db):
    add_runs(world, 3)
    world.rename_repo(REPO, "acme/second")
    world.rename_repo("acme/second", "acme/third")
    ingest.restart(repos=(REPO, "acme/second"))
    for _ in range(2):
        ingest.poll()
        github.advance(60)

    assert len(watched(db)) == 1
    assert len(repos_of_runs(db)) == 1


@pytest.mark.parametrize("wait", [60, 86400])
def test_another_repository_of_the_same_name_has_its_own_history(
    world, github, ingest, db, wait, caplog
):
    """Whether its runs or its metadata are fetched first."""
    add_runs(world, 3)
    number = world.repo(REPO).id
    ingest.poll()
    world.remove_repo(REPO)
    world.add_run(REPO, FILE, conclusion="failure")
    for _ in range(3):
        github.advance(wait)
        ingest.poll()

    aside = f"{REPO}@{number}"
    assert repos_of_runs(db) == [(REPO, 1), (aside, 3)]
    assert tiles(db) == [(REPO, "failing", 1)]
    assert watched(db) == [f"{REPO} {FILE}"]
    assert f"the former one's history is {aside} now" in caplog.text


def test_two_repositories_that_swap_names_swap_their_histories(
    world, github, ingest, db
):
    add_runs(world, 3, repo="acme/a")
    add_runs(world, 2, repo="acme/b")
    ingest.restart(repos=("acme/a", "acme/b"))
    ingest.poll()
    for old, new in (("acme/a", "acme/c"), ("acme/b", "acme/a"), ("acme/c", "acme/b")):
        world.rename_repo(old, new)
    for _ in range(3):
        github.advance(86400)
        ingest.poll()

    assert repos_of_runs(db) == [("acme/a", 2), ("acme/b", 3)]


def test_nothing_is_logged_for_a_repository_that_kept_its_name(
    world, github, ingest, caplog
):
    add_runs(world, 2)
    for _ in range(3):
        ingest.poll()
        github.advance(86400)

    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_a_restart_logs_which_name_to_write(renamed, caplog):
    caplog.clear()
    renamed.restart()

    assert f"write {NEW} in GH_REPOS" in caplog.text


def test_a_database_of_an_earlier_version_gets_the_ids_at_the_start(world, ingest, db):
    add_runs(world, 2)
    ingest.poll()
    for table in ("repos", "workflows", "responses"):
        db[table].delete_where()
    db.conn.commit()

    ingest.restart()
    ingest.poll()

    assert db["repos"].get(REPO)["repo_id"] == world.repo(REPO).id
    assert db["workflows"].get((REPO, FILE))["workflow_id"] is not None
    assert repos_of_runs(db) == [(REPO, 2)]
