"""The lock that keeps a second ingest from a database; it ends with its process."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_observer.ingest.errors import AlreadyPolling, DatabaseError


@contextmanager
def only_ingest(db_path: Path) -> Iterator[None]:
    """Hold the lock of a database.

    Raises `AlreadyPolling` if another process holds it. The lock is on a separate file:
    closing the database file would also drop SQLite's own locks of this process.
    https://www.sqlite.org/howtocorrupt.html
    """
    path = db_path.with_name(f"{db_path.name}.lock")
    try:
        file = path.open("a")
    except OSError as error:
        raise DatabaseError(f"Cannot open {path}: {error.strerror}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyPolling(
                f"Another ingest is polling into {db_path}. "
                "Stop it first, or set CI_OBSERVER_DB to another file for this one."
            ) from None
        yield
