"""Reads that are done sooner than another thread could be asked to do them.

A select by an index takes a fraction of a millisecond; handing it to a thread and the
answer back takes as long again, and the more requests wait, the longer. So it is tried
on the event loop's own thread first, and given up before anybody else would notice.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from datasette.utils.sqlite import sqlite3

# Longer than any read of the wall or of a page of runs takes.
QUICK_SECONDS = 0.02
# What was too slow is not tried here again for so long.
FORGET_SECONDS = 60
MAX_SLOW = 1000
# Machine instructions of SQLite between two looks at the clock: some 20 microseconds.
INSTRUCTIONS = 2000
CACHE_KIB = 16_000

T = TypeVar("T")
Connect = Callable[[], sqlite3.Connection]


class QuickReads:
    """One connection for short reads, and what is known of those that are not short."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._conn: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._deadline = 0.0
        self._slow_since: dict[str, float] = {}

    def read(self, name: str, read: Callable[[sqlite3.Connection], T]) -> T | None:
        """What `read` gives, or None when it would keep others waiting.

        `name` tells one kind of read from another. Raises `sqlite3.DatabaseError`.
        """
        now = time.perf_counter()
        if now < self._slow_since.get(name, -FORGET_SECONDS) + FORGET_SECONDS:
            return None
        # Another thread's: only tests have two.
        if not self._lock.acquire(blocking=False):
            return None
        try:
            self._deadline = now + QUICK_SECONDS
            return read(self._conn or self._open())
        except sqlite3.OperationalError as error:
            if not _is_impatient(error):
                raise
            self._remember(name, now)
            return None
        finally:
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        conn = self._connect()
        conn.execute("pragma busy_timeout = 0")
        conn.execute(f"pragma cache_size = -{CACHE_KIB}")
        conn.set_progress_handler(self._is_late, INSTRUCTIONS)
        self._conn = conn
        return conn

    def _is_late(self) -> bool:
        return time.perf_counter() > self._deadline

    def _remember(self, name: str, now: float) -> None:
        if len(self._slow_since) >= MAX_SLOW:
            self._slow_since.clear()
        self._slow_since[name] = now


def _is_impatient(error: sqlite3.OperationalError) -> bool:
    """Whether it may do with more time: it was interrupted, or did not wait."""
    return any(word in str(error) for word in ("interrupted", "locked", "busy"))
