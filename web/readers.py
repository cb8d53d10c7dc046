"""Threads that only read, each with a connection of its own.

Not Datasette's: a few slow queries that somebody types would keep all pages waiting.
And its limit is a callback of SQLite's, which takes Python's lock from the event loop
every few microseconds; here a timer interrupts what takes too long, so that a select
runs beside the loop, on another core, from beginning to end.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from datasette.utils.sqlite import sqlite3

# SQLite does not hear that it shall stop before a statement, or between two.
AGAIN_SECONDS = 0.05

T = TypeVar("T")
Connect = Callable[[], sqlite3.Connection]


class Readers:
    """A few threads; each connects when it has something to read for the first time.

    It keeps up to `cache_kib` of the pages of the file that it has read.
    """

    def __init__(self, connect: Connect, *, threads: int, cache_kib: int) -> None:
        self._connect = connect
        self._cache_kib = cache_kib
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._own = threading.local()

    async def read(
        self, read: Callable[[sqlite3.Connection], T], *, seconds: float
    ) -> T:
        """What `read` gives; it is interrupted when that takes longer.

        Raises `sqlite3.DatabaseError`.
        """
        reading = _Reading(read)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if reading.stop():
                loop.call_later(AGAIN_SECONDS, stop)

        limit = loop.call_later(seconds, stop)
        try:
            return await loop.run_in_executor(
                self._threads, lambda: reading.run(self._connection())
            )
        finally:
            limit.cancel()
            # Of use only when nobody waits for it any more.
            stop()

    def close(self) -> None:
        """Begin nothing more; what is being read is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _connection(self) -> sqlite3.Connection:
        conn: sqlite3.Connection | None = getattr(self._own, "conn", None)
        if conn is None:
            conn = self._connect()
            conn.execute(f"pragma cache_size = -{self._cache_kib}")
            self._own.conn = conn
        return conn


class _Reading(Generic[T]):
    """One read, which may be stopped before, while and after it is done."""

    def __init__(self, read: Callable[[sqlite3.Connection], T]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._conn: sqlite3.Connection | None = None
        self._is_stopped = False

    def run(self, conn: sqlite3.Connection) -> T:
        with self._lock:
            if self._is_stopped:
                raise sqlite3.OperationalError("interrupted")
            self._conn = conn
        try:
            return self._read(conn)
        finally:
            with self._lock:
                self._conn = None

    def stop(self) -> bool:
        """Stop it; return whether it is being done all the same."""
        with self._lock:
            self._is_stopped = True
            if self._conn is not None:
                self._conn.interrupt()
            return self._conn is not None
