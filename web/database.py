"""Reads the one database: read-only connections, SQLite's errors in plain words."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from datasette.app import Datasette
from datasette.database import Database
from datasette.utils import sqlite_timelimit
from datasette.utils.sqlite import sqlite3

from web.errors import Unavailable
from web.quick import QuickReads

DATABASE = "ci_observer"
TIME_LIMIT_MS = 10_000

Params = dict[str, str | int | None]
Row = sqlite3.Row
T = TypeVar("T")

# SQLite's words → what somebody can do about it. The first that occurs is taken.
_ADVICE = {
    "unable to open": "There is no readable database at {path}. Start ci-observer"
    " ingest to make it, or check CI_OBSERVER_DB and the file's permissions.",
    "no such": "The database {path} has no CI Observer tables of this version. Run"
    " ci-observer migrate.",
    "locked": "The database {path} is locked by another program. Close what holds it;"
    " this page works again by itself.",
    "busy": "The database {path} is busy. Try again in a moment.",
    "interrupted": "The database took longer than {seconds} seconds to answer. Narrow"
    " the selection, for example with repo= and since=.",
    "not a database": "The file {path} is not an SQLite database. Check CI_OBSERVER_DB,"
    " or restore a backup.",
    "malformed": "The database {path} is damaged. Restore a backup, or repair it with"
    " sqlite3's .recover.",
}


class ReadOnlyDatabase(Database):  # type: ignore[misc]  # Datasette has no types
    """Datasette's database, for any path and without a way to write.

    `quick` reads on the caller's own thread, for whom another one would be slower.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.quick = QuickReads(self._connect_prepared)

    def _connect_prepared(self) -> sqlite3.Connection:
        conn = self.connect()
        self.ds._prepare_connection(conn, self.name)
        return conn

    def connect(self, write: bool = False) -> sqlite3.Connection:
        if write:
            raise Unavailable("The web side only reads: ci-observer ingest writes.")
        # Datasette puts the path into the URI as it is: a ? or # would end it.
        uri = f"{Path(self.path).absolute().as_uri()}?mode=ro"
        conn = sqlite3.connect(uri, uri=True, check_same_thread=False)
        self._all_file_connections.append(conn)
        return conn

    def interrupt(self) -> None:
        """End every query that is running."""
        for conn in self._all_file_connections:
            conn.interrupt()


async def fetch_rows(
    datasette: Datasette, sql: str, params: Params | None = None
) -> list[sqlite3.Row]:
    """Run one select; raise `Unavailable`, with advice, when SQLite cannot."""
    return (await fetch_snapshot(datasette, {"": sql}, params))[""]


async def fetch_row(
    datasette: Datasette,
    sql: str,
    params: Params | None = None,
    *,
    in_thread: bool = False,
) -> sqlite3.Row:
    """Run a select that gives one row."""
    rows = await fetch_snapshot(datasette, {"": sql}, params, in_thread=in_thread)
    return rows[""][0]


async def fetch_snapshot(
    datasette: Datasette,
    selects: Mapping[str, str],
    params: Params | None = None,
    *,
    in_thread: bool = False,
) -> dict[str, list[sqlite3.Row]]:
    """Run several selects on one state of the database; the rows by their names."""

    def read(conn: sqlite3.Connection) -> dict[str, list[sqlite3.Row]]:
        return {
            name: conn.execute(sql, params or {}).fetchall()
            for name, sql in selects.items()
        }

    return await fetch(datasette, "".join(selects.values()), read, in_thread=in_thread)


async def fetch(
    datasette: Datasette,
    name: str,
    read: Callable[[sqlite3.Connection], T],
    *,
    in_thread: bool = False,
) -> T:
    """What `read` gives, on one state of the database; `name` tells its like.

    One after another of them would keep the event loop to itself: who does that asks
    for a thread. Raises `Unavailable`, with advice, when SQLite cannot.
    """
    database = datasette.get_database(DATABASE)

    def read_at_once(conn: sqlite3.Connection) -> T:
        conn.execute("begin")
        try:
            return read(conn)
        finally:
            conn.rollback()

    def read_patiently(conn: sqlite3.Connection) -> T:
        # Not Datasette's own execute: its limits are for queries that people type.
        with sqlite_timelimit(conn, TIME_LIMIT_MS):
            return read_at_once(conn)

    found: T | None = None
    try:
        if not in_thread:
            found = database.quick.read(name, read_at_once)
        if found is None:
            found = await database.execute_fn(read_patiently)
    except sqlite3.DatabaseError as error:
        raise Unavailable(_advice(error, database.path)) from error
    return found


def _advice(error: sqlite3.DatabaseError, path: str) -> str:
    for words, advice in _ADVICE.items():
        if words in str(error):
            return advice.format(path=path, seconds=TIME_LIMIT_MS // 1000)
    return f"The database {path} cannot be read: {error}."
