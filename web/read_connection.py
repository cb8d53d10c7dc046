"""A connection for a user who may only read, also while ingest writes.

SQLite repairs the -shm file when it looks broken. A reader who meets it in the middle
of an update, and may not write it, gets an error instead of a wait; a moment later the
update has ended: https://www.sqlite.org/rescode.html#readonly_recovery
"""

import time
from typing import Any

from datasette.utils.sqlite import sqlite3

from ci_observer.web.database_file import ReadGuard

TRIES = 50
SECONDS_BETWEEN_TRIES = 0.002
MID_UPDATE = "SQLITE_READONLY_RECOVERY"


class ReadConnection(sqlite3.Connection):  # type: ignore[misc]  # Datasette has no types
    """A connection whose statements wait for the end of an update of the -shm file."""

    guard: ReadGuard

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """A cursor that waits, too."""
        return super().cursor(*(args or (_ReadCursor,)), **kwargs)

    def execute(self, sql: str, *args: Any) -> Any:
        """The cursor of a statement."""
        return self.cursor().execute(sql, *args)


class _ReadCursor(sqlite3.Cursor):  # type: ignore[misc]
    def execute(self, sql: str, *args: Any) -> Any:
        for _ in range(TRIES):
            try:
                return super().execute(sql, *args)
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorname", None) != MID_UPDATE:
                    raise
                time.sleep(SECONDS_BETWEEN_TRIES)
        return super().execute(sql, *args)
