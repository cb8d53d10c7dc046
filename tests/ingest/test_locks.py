"""Processes that start together, or wait for one another, on one database file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from forked_command import start_command

from ci_observer.ingest.db import locks, schema
from ci_observer.ingest.errors import DatabaseError

PROCESSES = 4
ROUNDS = 5


def test_processes_that_start_together_create_one_database(tmp_path):
    paths = [tmp_path / f"{number}.db" for number in range(ROUNDS)]

    codes = {path.name: start_together(path) for path in paths}

    assert codes == {path.name: [0] * PROCESSES for path in paths}
    for path in paths:
        with closing(schema.connect(path)) as db:
            assert schema.migrate(db) == []
            assert "wall" in db.view_names()


def test_the_switch_to_wal_waits_for_another_first_start(db_path, monkeypatch):
    with locking_a_new_file(db_path) as other:
        waits = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                other.rollback()

        monkeypatch.setattr(locks.time, "sleep", sleep)
        with closing(schema.connect(db_path)) as db:
            mode = db.execute("pragma journal_mode").fetchone()

    assert len(waits) == 3
    assert mode == ("wal",)


def test_the_switch_to_wal_waits_for_the_busy_timeout_at_most(db_path, monkeypatch):
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_SECONDS", 0)

    with (
        locking_a_new_file(db_path),
        pytest.raises(DatabaseError, match=r"locked\. Another program holds a lock"),
    ):
        schema.connect(db_path)


def test_an_upgrade_that_another_process_has_made_meanwhile_is_not_repeated(db_path):
    """The other one ends while this one waits for the write lock."""
    with (
        closing(schema.connect(db_path)) as db,
        closing(schema.connect(db_path)) as other,
    ):
        others: list[list[str]] = []

        def on_statement(sql: str) -> None:
            if sql == "begin immediate":
                others.append(schema.migrate(other))

        db.conn.set_trace_callback(on_statement)
        applied = schema.migrate(db)

        assert (len(others), applied) == (1, [])
        assert len(others[0]) > 20
        assert "wall" in db.view_names()


def test_an_upgrade_that_waits_too_long_says_for_what(db, db_path):
    db.execute("drop view wall")
    db.execute("pragma busy_timeout = 0")
    with closing(sqlite3.connect(db_path)) as other:
        other.execute("begin immediate")
        with pytest.raises(DatabaseError, match="Another process is writing to the"):
            schema.migrate(db)

    assert "wall" not in db.view_names()


def start_together(path: Path) -> list[int | None]:
    """Start several first commands at once; give their exit codes."""
    environ = {"CI_OBSERVER_DB": str(path), "GH_REPOS": "acme/api"}
    processes = [start_command(environ, "migrate") for _ in range(PROCESSES)]
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


@contextmanager
def locking_a_new_file(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection in the middle of its own switch to WAL."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("create table t (x)")
        conn.execute("begin immediate")
        yield conn
