"""A connection that keeps a database readable while no writer is running.

When the last connection to a WAL database closes, SQLite deletes its -wal and -shm
files. A user who may only read cannot create them, and so cannot open the database:
https://www.sqlite.org/wal.html#read_only_databases
"""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlite_utils import Database

from ci_observer.ingest.db import schema
from ci_observer.ingest.db.database_file import FileId, record_files
from ci_observer.ingest.db.permissions import restrict
from ci_observer.ingest.errors import DatabaseError

CHECK_IN_SECONDS = 1


class WalKeeper:
    """Keeps a connection to the file at a path, between calls without a transaction.

    It is read-only, so that closing it never writes the -wal file into the database:
    that file may by then belong to another database.
    """

    def __init__(self, path: Path, *, group: int | None) -> None:
        self._path = path
        self._group = group
        self._db: Database | None = None
        self._files: dict[str, FileId | None] = {}

    def look(self) -> None:
        """Connect to the file that is at the path now, if it is another one.

        It also repairs the -shm file after a killed writer, which only a user with
        write access can. Errors are left to ingest and web.
        """
        with suppress(sqlite3.Error, OSError):
            if self._db is not None and record_files(self._path) != self._files:
                self.close()
            if self._db is None:
                restrict(self._path, group=self._group)
                self._db = schema.connect_idle(self._path)
            self._db.execute("select 1 from sqlite_master limit 1").fetchall()
            self._files = record_files(self._path)

    def close(self) -> None:
        """Close the connection."""
        if self._db is not None:
            self._db.close()
            self._db = None


def check_in(path: Path) -> None:
    """Write the -wal file into the database, and delete it if no other process reads.

    It is emptied even if another process has the database open. For one that is in the
    middle of a read it waits for a second.
    """
    if path.exists():
        with (
            suppress(DatabaseError, sqlite3.Error, OSError),
            closing(schema.connect(path)) as db,
        ):
            db.execute(f"pragma busy_timeout = {CHECK_IN_SECONDS * 1000}")
            db.execute("pragma wal_checkpoint(truncate)").fetchall()
