"""Reads the one database: read-only connections, SQLite's errors in plain words."""

from collections.abc import Callable, Mapping
from pathlib import Path
from sqlite3 import Row
from typing import Any, Literal, TypeVar

from datasette.app import Datasette
from datasette.database import Database
from datasette.utils.sqlite import sqlite3

from ci_observer.web.errors import Unavailable
from ci_observer.web.quick import QuickReads
from ci_observer.web.readers import Readers
from ci_observer.web.slow import SlowKinds, may_need_time

DATABASE = "ci_observer"
# How long a read may take on the event loop's thread; on the one beside it, with the
# wait for those before it; and at all.
QUICK_SECONDS = 0.02
BESIDE_SECONDS = 0.2
TIME_LIMIT_SECONDS = 10
# How long a patient one waits for a lock on the file.
BUSY_SECONDS = 5

Params = dict[str, str | int | None]
How = Literal["quickly", "beside", "patiently"]
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

    `quick` reads on the event loop's own thread, `beside` on one beside it, `patient`
    on several: so those that take long are not in the way of the others.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.quick = QuickReads(self._connect_prepared)
        # One: more of them would take Python's lock from the loop, and from each other.
        self.beside = Readers(self._connect_prepared, threads=1, cache_kib=64_000)
        self.patient = Readers(self._connect_prepared, threads=4, cache_kib=4_000)
        self.slow = SlowKinds()

    def _connect_prepared(self) -> sqlite3.Connection:
        conn = self.connect()
        self.ds._prepare_connection(conn, self.name)
        return conn

    def connect(self, write: bool = False) -> sqlite3.Connection:
        if write:
            raise Unavailable("The web side only reads: ci-observer ingest writes.")
        # Datasette puts the path into the URI as it is: a ? or # would end it.
        uri = f"{Path(self.path).absolute().as_uri()}?mode=ro"
        conn = sqlite3.connect(
            uri, uri=True, check_same_thread=False, timeout=BUSY_SECONDS
        )
        self._all_file_connections.append(conn)
        return conn

    def interrupt(self) -> None:
        """End every query that is running, and begin no other."""
        self.beside.close()
        self.patient.close()
        for conn in self._all_file_connections:
            conn.interrupt()


async def fetch_rows(
    datasette: Datasette, sql: str, params: Params | None = None
) -> list[Row]:
    """Run one select; raise `Unavailable`, with advice, when SQLite cannot."""
    return (await fetch_snapshot(datasette, {"": sql}, params))[""]


async def fetch_row(
    datasette: Datasette, sql: str, params: Params | None = None
) -> Row:
    """Run a select that gives one row."""
    return (await fetch_rows(datasette, sql, params))[0]


async def fetch_snapshot(
    datasette: Datasette, selects: Mapping[str, str], params: Params | None = None
) -> dict[str, list[Row]]:
    """Run several selects on one state of the database; the rows by their names."""

    def read(conn: sqlite3.Connection) -> dict[str, list[Row]]:
        return {
            name: conn.execute(sql, params or {}).fetchall()
            for name, sql in selects.items()
        }

    return await fetch(datasette, "".join(selects.values()), read)


async def fetch(
    datasette: Datasette,
    kind: str,
    read: Callable[[sqlite3.Connection], T],
    *,
    how: How = "quickly",
) -> T:
    """What `read` gives, on one state of the database.

    First it is tried as `how` says: on the event loop's thread, which is best for what
    takes microseconds, or on the one beside it. When that takes too long, patient
    threads do it, at once the next time that its `kind` comes. Raises `Unavailable`,
    with advice, when SQLite cannot.
    """
    database: ReadOnlyDatabase = datasette.get_database(DATABASE)

    def read_at_once(conn: sqlite3.Connection) -> T:
        conn.execute("begin")
        try:
            return read(conn)
        finally:
            conn.rollback()

    try:
        if how != "patiently" and kind not in database.slow:
            try:
                return await _try(database, read_at_once, how)
            except sqlite3.OperationalError as error:
                if not may_need_time(error):
                    raise
                database.slow.add(kind)
        return await database.patient.read(read_at_once, seconds=TIME_LIMIT_SECONDS)
    except sqlite3.DatabaseError as error:
        raise Unavailable(_advice(error, database.path)) from error


async def _try(
    database: ReadOnlyDatabase, read: Callable[[sqlite3.Connection], T], how: How
) -> T:
    found: T
    if how == "beside":
        found = await database.beside.read(read, seconds=BESIDE_SECONDS)
    else:
        found = database.quick.read(read, seconds=QUICK_SECONDS)
    return found


def _advice(error: sqlite3.DatabaseError, path: str) -> str:
    for words, advice in _ADVICE.items():
        if words in str(error):
            return advice.format(path=path, seconds=TIME_LIMIT_SECONDS)
    return f"The database {path} cannot be read: {error}."
