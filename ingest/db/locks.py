"""SQLite's locks: what waits for another process, and what does not by itself.

SQLite waits for the busy timeout only if it holds no lock itself. A connection that has
begun to read and then wants to write fails at once, since the other one may wait for
it: https://www.sqlite.org/c3ref/busy_handler.html
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_TRIES = 0.02


@contextmanager
def write_transaction(conn: sqlite3.Connection) -> Iterator[None]:
    """A transaction that takes the write lock before its first read.

    It waits for another process's transaction, at most for the busy timeout.
    """
    conn.execute("begin immediate")
    try:
        yield
        conn.commit()
    except BaseException:
        conn.rollback()
        raise


def use_wal(conn: sqlite3.Connection, *, timeout: float) -> None:
    """Switch the file to WAL; wait at most `timeout` seconds for other processes.

    The switch reads the file before it locks it, so two first starts at the same time
    refuse each other.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            conn.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
        else:
            return


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process holds a lock."""
    return (getattr(error, "sqlite_errorname", None) or "").startswith("SQLITE_BUSY")
