"""Reads during writes of ingest: neither waits for the other or gets an error."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from kills import at_each_statement
from polling import FILE, REPO, add_runs, run_ids
from truth import assert_is_truth

PAGE = 50
WALL = "select count(*) from wall"
NEWER_PAGE = """
    select run_id, length(raw_json) from runs_full
    where run_id > ? order by run_id limit ?
"""


@pytest.fixture(autouse=True)
def _no_waiting(db):
    """A lock is an immediate error, and checkpoints are frequent."""
    db.execute("pragma busy_timeout = 0")
    db.execute("pragma wal_autocheckpoint = 50")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read transaction on another connection, which does not wait for locks."""
    uri = f"{path.as_uri()}?mode=ro"
    with closing(
        sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
    ) as conn:
        conn.execute("begin")
        yield conn


def pages(conn: sqlite3.Connection) -> Iterator[list[int]]:
    """The ids of all runs, page by page."""
    last = 0
    while rows := conn.execute(NEWER_PAGE, [last, PAGE]).fetchall():
        assert all(size for _, size in rows)
        yield [run_id for run_id, _ in rows]
        last = rows[-1][0]


def test_ingest_writes_while_a_reader_pages_through_one_state(
    world, github, ingest, db, db_path
):
    add_runs(world, 300)
    ingest.poll()
    before = run_ids(db)
    read: list[int] = []

    with reading(db_path) as conn:
        for page in pages(conn):
            read += page
            github.advance(60)
            for _ in range(20):
                world.add_run(REPO, FILE, duration=0)
            result = ingest.poll()
            assert (result.error, result.feeds_failed) == (None, 0)
            assert result.runs_written == 20

    assert len(read) == 300
    assert read == before
    with reading(db_path) as conn:
        assert [run_id for page in pages(conn) for run_id in page] == run_ids(db)
    assert_is_truth(db, world)


def test_readers_read_between_any_two_statements_of_ingest(
    world, github, ingest, db, db_path
):
    add_runs(world, 60)
    ingest.poll()
    whole_pages = {60}
    counts: list[int] = []

    def read() -> None:
        with reading(db_path) as conn:
            [[tiles]] = conn.execute(WALL)
            assert tiles == 1
            counts.append(sum(map(len, pages(conn))))

    with reading(db_path) as long_reader:
        long_ago = sum(map(len, pages(long_reader)))
        with at_each_statement(db, read):
            for _ in range(2):
                github.advance(60)
                for _ in range(4):
                    world.add_run(REPO, FILE, status="in_progress")
                whole_pages.add(len(world.runs))
                result = ingest.poll()
                assert (result.error, result.feeds_failed) == (None, 0)
        assert sum(map(len, pages(long_reader))) == long_ago == 60

    assert counts == sorted(counts)
    assert set(counts) == whole_pages
    assert_is_truth(db, world)
