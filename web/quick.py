"""Reads on the event loop's own thread, done sooner than another could be asked.

What the wall asks for takes microseconds, and a change of threads some fifty. What
takes longer is given up before anybody else would notice.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from datasette.utils.sqlite import sqlite3

# Machine instructions of SQLite between two looks at the clock: some 20 microseconds.
INSTRUCTIONS = 2000
# Of the pages of the file that were read: the wall comes back to them.
CACHE_KIB = 16_000

T = TypeVar("T")
Connect = Callable[[], sqlite3.Connection]


class QuickReads:
    """One connection for short reads, on whichever thread asks."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._conn: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._deadline = 0.0

    def read(self, read: Callable[[sqlite3.Connection], T], *, seconds: float) -> T:
        """What `read` gives; it is interrupted when that takes longer.

        A lock on the file is not waited for. Raises `sqlite3.DatabaseError`.
        """
        # Only tests ask from several threads.
        with self._lock:
            self._deadline = time.perf_counter() + seconds
            return read(self._conn or self._open())

    def _open(self) -> sqlite3.Connection:
        conn = self._connect()
        conn.execute("pragma busy_timeout = 0")
        conn.execute(f"pragma cache_size = -{CACHE_KIB}")
        conn.set_progress_handler(self._is_late, INSTRUCTIONS)
        self._conn = conn
        return conn

    def _is_late(self) -> bool:
        return time.perf_counter() > self._deadline
