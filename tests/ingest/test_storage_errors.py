"""SQLite's errors in plain words, each from a real failure."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from ci_observer.ingest.db import schema
from ci_observer.ingest.db.storage_errors import explain
from ci_observer.ingest.errors import DatabaseError


@pytest.fixture
def conn(db_path: Path, db: Database) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(db_path, timeout=0, isolation_level=None)) as conn:
        yield conn


def test_a_full_disk_says_to_make_room(conn, db_path):
    [pages] = conn.execute("pragma page_count").fetchone()
    conn.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(sqlite3.Error) as error:
        conn.execute("create table t as select randomblob(10_000_000)".replace("_", ""))

    text = explain(error.value, db_path)

    assert text.startswith("database or disk is full. Make room on the disk of")


def test_a_lock_says_to_close_the_other_program(conn, db, db_path):
    conn.execute("begin immediate")
    db.execute("pragma busy_timeout = 0")
    with pytest.raises(sqlite3.Error) as error:
        db.conn.execute("begin immediate")

    assert explain(error.value, db_path) == (
        f"database is locked. Another program holds a lock on {db_path}: close it."
    )


@pytest.mark.parametrize("open_it", [schema.connect, schema.connect_read_only])
def test_a_file_of_another_kind_is_told_as_such(tmp_path, open_it):
    path = tmp_path / "notes.txt"
    path.write_text("These are notes. " * 100)

    with pytest.raises(DatabaseError, match="file is not a database"):
        open_it(path)


def test_a_missing_file_is_told_as_such(tmp_path):
    with pytest.raises(DatabaseError, match="There is no such file"):
        schema.connect_read_only(tmp_path / "none.db")


def test_an_error_without_advice_is_told_as_it_is(conn, db_path):
    with pytest.raises(sqlite3.Error) as error:
        conn.execute("select * from absent")

    assert explain(error.value, db_path) == "no such table: absent."
