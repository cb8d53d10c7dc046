"""The lock that keeps a second ingest from a database; it ends with its process.

The locked file also holds what a full disk or a missing database keeps out of the
database: which files ingest has open, and why it cannot write. `take_lock` also locks
the files of other commands.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from ci_observer.ingest.db.database_file import lock_path, record_files
from ci_observer.ingest.db.permissions import FILE_MODE
from ci_observer.ingest.errors import AlreadyPolling, DatabaseError
from ci_observer.ingest.texts import one_line

# The file never grows: a full disk has room for other contents of the same size.
SIZE = 4096
# In UTF-8, a character takes up to four bytes.
MAX_PROBLEM = 900


class IngestLock:
    """A held lock, and the record in its file."""

    def __init__(self, descriptor: int, db_path: Path) -> None:
        self._descriptor = descriptor
        self._db_path = db_path
        self._problem: str | None = None
        self.record_open_files()

    def record_open_files(self) -> None:
        """Write which files are at the paths of the database now."""
        self._files = record_files(self._db_path)
        self._write()

    def record_problem(self, problem: str | None) -> None:
        """Write why the database cannot be written, for the web side; None if it can.

        An error is ignored: the log has the problem as well.
        """
        if problem == self._problem:
            return
        self._problem = problem
        self._write()

    def _write(self) -> None:
        text = self._problem and one_line(self._problem, MAX_PROBLEM)
        record = json.dumps({"files": self._files, "problem": text}, ensure_ascii=False)
        with suppress(OSError):
            os.pwrite(self._descriptor, record.encode().ljust(SIZE), 0)


@contextmanager
def only_ingest(db_path: Path) -> Iterator[IngestLock]:
    """Hold the lock of a database, which is open already.

    Raises `AlreadyPolling` if another process holds it. The lock is on a separate file:
    closing the database file would also drop SQLite's own locks of this process.
    https://www.sqlite.org/howtocorrupt.html
    """
    path = lock_path(db_path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    except OSError as error:
        raise DatabaseError(f"Cannot open {path}: {error.strerror}.") from error
    try:
        take_lock(
            descriptor,
            AlreadyPolling(
                f"Another ingest is polling into {db_path}. "
                "Stop it first, or set CI_OBSERVER_DB to another file for this one."
            ),
        )
        yield IngestLock(descriptor, db_path)
    finally:
        os.close(descriptor)


def take_lock(file: int | TextIO, problem: Exception) -> None:
    """Lock a file until it is closed; raise `problem` if another process has locked it.

    `file` is open, or its descriptor.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise problem from None
