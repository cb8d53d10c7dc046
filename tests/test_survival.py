"""What ingest lives through, one thing at a time: disks, locks, clocks."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
import stamina
from polling import FILE, REPO, Ingest, add_runs, run_ids

from ingest.errors import DatabaseError
from ingest.lock import only_ingest


@pytest.fixture(autouse=True)
def _one_try_each() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


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
