"""The database file as a whole: transactions, upserts, and its space on disk."""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.alerts.outbox import record_changed
from ci_observer.ingest.db.database_file import FileDatabase
from ci_observer.ingest.db.locks import write_transaction
from ci_observer.ingest.errors import DatabaseError
from ci_observer.ingest.states.updates import update_marked

# VACUUM writes a copy of the file, and then its pages into the write-ahead log.
# https://www.sqlite.org/lang_vacuum.html
COPIES = 2


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """A transaction that may write. A nested one is part of the outer one.

    It ends with computing the spans of feeds whose recorded states have changed, and
    with the alerts of the tiles that have.
    Raises `DatabaseGone` instead of writing to a file that is no longer at its path.
    """
    if db.conn.in_transaction:
        with db.atomic():
            yield
        return
    refuse_other_file(db)
    with write_transaction(db.conn):
        yield
        update_marked(db)
        record_changed(db)
        refuse_other_file(db)


@contextmanager
def page_transaction(db: Database) -> Iterator[None]:
    """A transaction for the rows of one response.

    SQLite keeps its temporary data in memory. By default, the former pages of a
    statement that may be undone go to a file, from 64 kB on:
    https://www.sqlite.org/tempfiles.html#statement_journal_files
    A statement over many runs would need as much memory.
    """
    if db.conn.in_transaction:
        with transaction(db):
            yield
        return
    db.execute("pragma temp_store = memory")
    try:
        with transaction(db):
            yield
    finally:
        db.execute("pragma temp_store = default")


def refuse_other_file(db: Database) -> None:
    """Raise `DatabaseGone` if the open file is no longer the one at its path."""
    if isinstance(db, FileDatabase):
        db.refuse_other_file()


def upsert(
    db: Database, table: str, row: Mapping[str, Any], keys: Sequence[str]
) -> None:
    """Insert a row or replace the one with its keys, in the caller's transaction."""
    # sqlite-utils' own upsert reads the table's schema for every row.
    db.execute(_upsert_sql(table, tuple(row), tuple(keys)), dict(row))


def upsert_all(
    db: Database, table: str, rows: Collection[Mapping[str, Any]], keys: Sequence[str]
) -> None:
    """Insert or replace rows, all with the same columns."""
    if columns := tuple(next(iter(rows), ())):
        db.conn.executemany(_upsert_sql(table, columns, tuple(keys)), rows)


@cache
def _upsert_sql(table: str, columns: tuple[str, ...], keys: tuple[str, ...]) -> str:
    values = ", ".join(f":{name}" for name in columns)
    rest = ", ".join(
        f"{name} = excluded.{name}" for name in columns if name not in keys
    )
    return (
        f"insert into {table} ({', '.join(columns)}) values ({values})"
        f" on conflict ({', '.join(keys)}) do update set {rest}"
    )


def free_bytes(db: Database) -> int:
    """The free space inside the file, which new rows use first."""
    [[size]] = db.execute("pragma page_size")
    [[pages]] = db.execute("pragma freelist_count")
    return int(size * pages)


def vacuum(db: Database, path: Path) -> int:
    """Rewrite the file without its free pages. Returns the bytes saved.

    Readers continue meanwhile, writers wait. Raises `DatabaseError` if the disk is too
    full for the copy.
    """
    db.execute("pragma wal_checkpoint(truncate)")
    before = path.stat().st_size
    needed = COPIES * max(0, before - free_bytes(db))
    if (free := shutil.disk_usage(path.parent).free) < needed:
        raise DatabaseError(
            f"To give space back, {needed / 1e6:.0f} MB must be free on the disk of "
            f"{path}, and {free / 1e6:.0f} MB are. The free space inside the file is "
            "used for new runs in any case."
        )
    # The default is /tmp, which is small in a container.
    folder = str(path.resolve().parent).replace("'", "''")
    db.execute(f"pragma temp_store_directory = '{folder}'")
    db.execute("vacuum")
    db.execute("pragma wal_checkpoint(truncate)")
    return before - path.stat().st_size
