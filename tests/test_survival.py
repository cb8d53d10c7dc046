"""What ingest lives through: a long seeded run of faults while runs come and go."""

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import stamina
from polling import FILE, REPO, Ingest, add_runs, run_ids
from truth import assert_is_truth

from demo.server import GitHubServer
from demo.world import World
from ingest.errors import DatabaseError
from ingest.lock import only_ingest

REPOS = ("acme/api", "acme/web", "acme/docs")
FILES = ("ci.yml", "deploy.yml")
POLLS = 500
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("server_error", {}),
    ("html_error", {}),
    ("drop", {}),
    ("truncate", {}),
    ("invalid_json", {}),
    ("missing_field", {}),
    ("wrong_type", {}),
    ("empty_list", {}),
    ("stale", {"seconds": 300}),
    ("not_found", {}),
    ("forbidden", {}),
    ("secondary_limit", {"retry_after": 30}),
    ("primary_limit", {"seconds": 120}),
    ("moved", {}),
    ("partial", {}),
]


@pytest.fixture(autouse=True)
def _one_try_each() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


class Life:
    """Runs that are born, progress, end and are re-run, by a seeded chance."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.open: list[Any] = []
        self.done: list[Any] = []

    def step(self) -> None:
        for _ in range(self.chance.randrange(4)):
            self.open.append(
                self.world.add_run(
                    self.chance.choice(REPOS),
                    self.chance.choice(FILES),
                    status="queued",
                    head_branch=self.chance.choice(("main", "main", "feature")),
                )
            )
        for run in list(self.open):
            if self.chance.random() < 0.3:
                self._move(run)
        if self.done and self.chance.random() < 0.2:
            run = self.chance.choice(self.done)
            self.done.remove(run)
            self.world.rerun(run)
            self.open.append(run)

    def _move(self, run: Any) -> None:
        if self.chance.random() < 0.5:
            self.world.update_run(run, status="in_progress")
            return
        words = ("success", "failure", "cancelled", "timed_out")
        self.world.update_run(run, conclusion=self.chance.choice(words))
        self.open.remove(run)
        self.done.append(run)


def test_after_500_polls_with_faults_the_table_is_github_s_truth(db):
    chance = random.Random(1)  # noqa: S311 (a repeatable test)
    world = World("2026-03-02T09:00:00Z")
    life = Life(world, chance)
    for repo in REPOS:
        for name in FILES:
            world.add_workflow(repo, name)
    with GitHubServer(world) as github, closing(Ingest(db, github)) as ingest:
        ingest.restart(repos=REPOS, workflows=FILES)
        for _ in range(POLLS):
            github.advance(60)
            life.step()
            github.faults.clear()
            kind, options = chance.choice(FAULTS)
            github.faults.add(kind, probability=0.2, count=None, **options)
            ingest.poll()
            if chance.random() < 0.02:
                ingest.restart()
        github.faults.clear()
        for _ in range(3):
            github.advance(timedelta(days=1).total_seconds())
            ingest.poll()

    assert_is_truth(db, world)


def poll_times(ingest, github, *between):
    """Run the loop, calling one thing in each wait; it ends after the last."""
    steps = iter(between)

    async def wait(seconds: float) -> None:
        github.advance(seconds)
        try:
            next(steps)()
        except StopIteration:
            raise asyncio.CancelledError from None

    with pytest.raises(asyncio.CancelledError):
        ingest.run_forever(wait)


def test_a_full_disk_loses_nothing(world, github, ingest, db, caplog):
    add_runs(world, 5)
    ingest.poll()
    add_runs(world, 20)
    [[pages]] = db.execute("pragma page_count")
    db.execute(f"pragma max_page_count = {pages}")

    def make_room() -> None:
        assert len(run_ids(db)) == 5
        db.execute("pragma max_page_count = 1000000")

    poll_times(ingest, github, make_room)

    assert "disk is full" in caplog.text
    assert len(run_ids(db)) == 25
    assert db.execute("pragma integrity_check").fetchall() == [("ok",)]


def test_a_locked_database_loses_nothing(world, github, ingest, db, db_path, caplog):
    add_runs(world, 5)
    db.execute("pragma busy_timeout = 0")
    other = sqlite3.connect(db_path, isolation_level=None)
    other.execute("begin immediate")

    def let_go() -> None:
        other.execute("rollback")

    poll_times(ingest, github, let_go)
    other.close()

    assert "database is locked" in caplog.text
    assert len(run_ids(db)) == 5


def test_a_clock_that_jumps_back_and_forth_loses_nothing(world, github, db):
    jump = timedelta(0)
    with closing(Ingest(db, github, clock=lambda: github.clock() + jump)) as ingest:
        for hours in (3, -2, 48, -48, 0):
            jump = timedelta(hours=hours)
            world.add_run(REPO, FILE, duration=0)
            ingest.poll()
            github.advance(60)

    assert len(run_ids(db)) == 5


def test_a_second_ingest_on_one_database_is_refused(db_path):
    with (
        only_ingest(db_path),
        pytest.raises(DatabaseError, match="Another ingest is polling"),
        only_ingest(db_path),
    ):
        pass

    with only_ingest(db_path):
        pass
