"""One ingest for one database: a lock that ends with its process, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_observer.ingest.errors import AlreadyPolling, DatabaseError


@contextmanager
def only_ingest(db_path: Path) -> Iterator[None]:
    """Hold the database's lock; raise `AlreadyPolling` when another ingest does.

    Not on the database file itself: SQLite's own locks on it would be lost with ours.
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
