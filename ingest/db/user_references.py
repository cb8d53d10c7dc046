"""Refuses an upgrade that would leave a user's rows without the rows they refer to."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlite_utils import Database

from ci_observer.ingest.db.migrations import table_names
from ci_observer.ingest.db.objects import NOTHING_CHANGED, quoted
from ci_observer.ingest.errors import DatabaseError


@contextmanager
def without_foreign_keys(db: Database) -> Iterator[None]:
    """Enforce no foreign keys meanwhile. Has no effect within a transaction.

    SQLite deletes the rows of a table that it drops. A user's foreign key would make
    that fail, or delete the user's rows too.
    """
    [enforced] = db.execute("pragma foreign_keys").fetchone()
    db.execute("pragma foreign_keys = off")
    try:
        yield
    finally:
        db.execute(f"pragma foreign_keys = {enforced}")


@contextmanager
def refusing_lost_rows(db: Database) -> Iterator[None]:
    """Raise `DatabaseError` when more rows of users' tables refer to missing rows."""
    tables = _user_tables(db)
    before = _missing_rows(db, tables)
    yield
    if lost := _missing_rows(db, tables) - before:
        table, parent = min(lost)
        raise DatabaseError(
            f"The table {quoted(table)}, which is yours, has a foreign key to rows of"
            f" {quoted(parent)} that this version deletes or moves. Remove the foreign"
            f" key or drop your table, then try again. {NOTHING_CHANGED}"
        )


def _user_tables(db: Database) -> list[str]:
    """The users' tables that have a foreign key."""
    rows = db.execute(
        "select distinct t.name from sqlite_master t"
        " join pragma_foreign_key_list(t.name) where t.type = 'table'"
    )
    return [name for (name,) in rows if name not in table_names()]


def _missing_rows(db: Database, tables: Iterable[str]) -> Counter[tuple[str, str]]:
    """How many rows are missing for each table and the table it refers to."""
    missing: Counter[tuple[str, str]] = Counter()
    for table in tables:
        try:
            rows = db.execute(f"pragma foreign_key_check({quoted(table)})").fetchall()
        except sqlite3.OperationalError:
            # The key refers to columns that are missing or not unique.
            keys = db.execute(f"pragma foreign_key_list({quoted(table)})").fetchall()
            rows = [(table, None, key[2], key[0]) for key in keys]
        missing.update((child, parent) for child, _, parent, _ in rows)
    return missing
