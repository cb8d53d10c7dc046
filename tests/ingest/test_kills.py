"""kill -9 between any two statements of an ingest, and during its commits."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import stamina
from kills import DatabaseFiles, at_each_statement, states_within_commit
from polling import REPO, Ingest, add_runs
from sqlite_utils import Database
from truth import assert_intact, assert_is_truth, assert_sound

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.db import schema
from ci_observer.ingest.polling import backfill, run_pages
from ci_observer.ingest.polling.results import PollResult

FILES = ("ci.yml", "deploy.yml")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _one_try_each() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages, so that few runs fill many."""
    monkeypatch.setattr(run_pages, "FEED_PAGE_SIZE", 3)
    monkeypatch.setattr(run_pages, "REPO_PAGE_SIZE", 4)
    monkeypatch.setattr(backfill, "PAGE_SIZE", 4)


def live(world: World, github: GitHubServer, ingest: Ingest) -> None:
    """Passes with metadata, pages of history, new runs, re-runs and errors."""
    add_runs(world, 11)
    add_runs(world, 2, file="deploy.yml")
    old = list(world.runs.values())[1]
    ingest.restart(workflows=FILES)
    ingest.poll()

    github.advance(60)
    run = world.add_run(REPO, "ci.yml", status="in_progress")
    world.add_run(REPO, "deploy.yml", conclusion="failure")
    ingest.poll()

    github.advance(600)
    for _ in range(2):
        world.rerun(old)
    world.update_run(old, status="in_progress")
    world.update_run(run, conclusion="failure")
    github.faults.add("server_error", path="/actions/runs.per_page")
    ingest.poll()

    github.advance(60)
    world.update_run(old, conclusion="success")
    for _ in range(6):
        github.advance(1)
        world.add_run(REPO, "ci.yml", conclusion="failure")
    github.faults.add("missing_field", path="/jobs", name="jobs")
    ingest.poll()

    github.advance(DAY.total_seconds())
    ingest.poll()


@pytest.fixture
def left(world, github, ingest, db, db_path) -> list[DatabaseFiles]:
    """Each different database that a kill between two statements would leave."""
    states: dict[DatabaseFiles, None] = {}
    statements = 0

    def note() -> None:
        nonlocal statements
        statements += 1
        states[DatabaseFiles.read(db_path)] = None

    # Several checkpoints: the log is written into the file and restarted.
    db.execute("pragma wal_autocheckpoint = 50")
    with at_each_statement(db, note):
        live(world, github, ingest)
    assert statements > 500
    return list(states)


def opened(left: DatabaseFiles, path: Path) -> closing[Database]:
    """The database as the next start of an ingest finds it."""
    return closing(schema.connect(left.write(path)))


def test_a_kill_between_any_two_statements_leaves_a_sound_database(left, tmp_path):
    for number, state in enumerate(left):
        with opened(state, tmp_path / f"{number}.db") as db:
            assert_sound(db)


@pytest.mark.long
def test_a_kill_during_a_commit_leaves_the_state_before_or_after_it(left, tmp_path):
    path = tmp_path / "cut.db"
    whole = [contents(state, path, assert_sound) for state in left]
    cuts = 0
    for states, texts in zip(pairwise(left), pairwise(whole), strict=True):
        for cut in states_within_commit(*states):
            cuts += 1
            # Equal contents are as sound.
            assert contents(cut, path, assert_intact) in texts
    assert cuts > len(left)


def contents(left: DatabaseFiles, path: Path, check: Callable[[Database], None]) -> str:
    with opened(left, path) as db:
        check(db)
        return "\n".join(db.conn.iterdump())


@pytest.mark.long
def test_after_a_kill_at_any_statement_the_next_ingest_reaches_github_s_truth(
    left, world, github, tmp_path
):
    """Within a day, in which re-runs of old runs are found."""
    github.faults.clear()
    for number, state in enumerate(left):
        with opened(state, tmp_path / f"{number}.db") as db:
            results = go_on(db, github)

            assert_is_truth(db, world)
            assert {(r.error, r.feeds_failed) for r in results} == {(None, 0)}
            assert results[-1].runs_written == 0


def go_on(db: Database, github: GitHubServer) -> list[PollResult]:
    """Passes of an ingest one day and two days later."""
    days = 1
    with closing(Ingest(db, github, lambda: github.clock() + days * DAY)) as ingest:
        ingest.restart(workflows=FILES)
        results = [ingest.poll() for _ in range(2)]
        days = 2
        return results + [ingest.poll() for _ in range(3)]
