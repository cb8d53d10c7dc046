"""The database file at its path: noticed when it is deleted, replaced or back again.

An open connection continues to read a file that is gone from its path.
"""

import json
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TypeVar

from datasette.utils.sqlite import sqlite3

from ci_observer.web.errors import Unavailable

FileId = tuple[int, int]
T = TypeVar("T")

log = logging.getLogger("ci_observer")

NEVER_SEEN = (
    "There is no readable database at {path}. Start ci-observer ingest to make it, or "
    "check CI_OBSERVER_DB and the file's permissions."
)
GONE = (
    "The database {path} was deleted or moved away. Restore it, or a backup, at this "
    "path: it is then used without a restart. To begin with an empty database instead, "
    "stop CI Observer and start it again."
)


@dataclass(frozen=True)
class FileState:
    """Which file is at the path.

    `former_wal` is the -wal file of a replaced database that still lies next to it.
    Its pages are not those of the new file, so that must be read without it. A file is
    at rest if no program has it open for writing, and this process does not create the
    -wal file that SQLite needs even for reading. The others are of `serve --read-only`
    only: `stamp` is the file's modification time in nanoseconds and its size, if it
    changes in place, `path` where a link at the path leads, and `is_read_only` is true.
    """

    database: FileId
    former_wal: FileId | None = None
    is_at_rest: bool = False
    stamp: tuple[int, int] | None = None
    path: str | None = None
    is_read_only: bool = False

    @property
    def has_no_wal(self) -> bool:
        """Whether the file is to be read alone."""
        return self.former_wal is not None or self.is_at_rest

    @property
    def key(self) -> tuple[Any, ...]:
        """The state as a tuple, for another process."""
        return astuple(self)

    @property
    def uri_options(self) -> str:
        """The query of SQLite's URI: https://www.sqlite.org/uri.html"""
        if self.has_no_wal:
            return "mode=ro&immutable=1"
        # Without the last option SQLite would create a missing -shm file.
        return "mode=ro&readonly_shm=1" if self.is_read_only else "mode=ro"


class ReadGuard:
    """Checks of a read transaction; these are of `serve --read-only` only."""

    # Whether the connection is of no use any more.
    is_outdated = False

    def check_begin(self, conn: sqlite3.Connection) -> None:
        """Raise `Unavailable` if the file must not be read."""

    def check_end(self) -> None:
        """Raise an exception if the rows may be of two states of the file."""


class DatabaseFile:
    """Compares the file at a path with the one that was there before."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder = Path(path).absolute().parent
        self._lock = threading.Lock()
        self._state: FileState | None = None
        self._wal: FileId | None = None
        self._logged = ""

    def check(self) -> FileState:
        """The state of the file now; raises `Unavailable` if there is none."""
        with self._lock:
            return self._check(self.path)

    def _check(self, path: str) -> FileState:
        database, wal = file_id(path), file_id(f"{path}-wal")
        if database is None:
            raise self._missing()
        before = self._state or FileState(database)
        is_former = wal is not None and (
            wal == before.former_wal
            or (database != before.database and wal == self._wal)
            or (self._state is None and is_recorded_as_former(self.path))
        )
        if database != before.database:
            self._logged = ""
        is_at_rest = wal is None and not os.access(self._folder, os.W_OK)
        self._state = FileState(database, wal if is_former else None, is_at_rest)
        if not is_former:
            self._wal = wal
        return self._state

    def _missing(self) -> Unavailable:
        return self.problem(GONE if self._state else NEVER_SEEN)

    def problem(self, text: str, kind: type[Unavailable] = Unavailable) -> Unavailable:
        """The error for a text with `{path}`, which is logged with the whole path."""
        self.log_problem(text.format(path=self.path))
        return kind(text.format(path=Path(self.path).name))

    async def current(self) -> FileState:
        """The state of the file, when it can be read; raises `Unavailable`."""
        return self.check()

    async def read_one_state(self, read: Callable[[], Awaitable[T]]) -> T:
        """The result of `read`, which may be repeated."""
        return await read()

    def guard(self, state: FileState) -> ReadGuard:
        """The checks for a new connection to the file in this state."""
        return ReadGuard()

    def close(self) -> None:
        """Close what is open of the file."""

    def log_problem(self, text: str) -> None:
        """Log a problem with the whole path, which visitors do not see.

        Every request meets the problem, so it is logged when it is another one.
        """
        if self.path in text and text != self._logged:
            self._logged = text
            log.warning("%s", text)


class CurrentConnection:
    """A connection that is replaced when the file at the path is another one."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], file: DatabaseFile | None
    ) -> None:
        self._connect = connect
        self._file = file
        self._conn: sqlite3.Connection | None = None
        self._state: FileState | None = None

    def get(self) -> sqlite3.Connection:
        """The connection to the file that is there now.

        Raises `Unavailable` if there is none, and `sqlite3.DatabaseError`.
        """
        state = self._file.check() if self._file else None
        if self._conn is not None and state == self._state:
            guard: ReadGuard | None = getattr(self._conn, "guard", None)
            if guard is None or not guard.is_outdated:
                return self._conn
        if self._conn is not None:
            self._conn.close()
            self._conn = None
        self._conn, self._state = self._connect(), state
        return self._conn


def file_id(path: str) -> FileId | None:
    """The device and the inode of a file; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_recorded_as_former(path: str) -> bool:
    """Whether ingest had the -wal file open with another file than the one at the path.

    For a process whose first look at the files comes after the replacement.
    """
    try:
        files = json.loads(Path(f"{path}.lock").read_text("utf-8"))["files"]
        database, wal = tuple(files[""]), tuple(files["-wal"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return database != file_id(path) and wal == file_id(f"{path}-wal")


def read_problem(path: str) -> str | None:
    """Why ingest cannot write the database, from its lock file; None if it can.

    The text names the database's file without its folder.
    """
    try:
        record: Any = json.loads(Path(f"{path}.lock").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    problem = record.get("problem") if isinstance(record, dict) else None
    if not isinstance(problem, str):
        return None
    for whole in (str(Path(path).absolute()), path):
        problem = problem.replace(whole, Path(path).name)
    return problem
