"""A few threads for slow reads, each with a connection of its own.

Datasette's threads would not do: a few slow queries typed by a visitor would delay
every page. Datasette also limits a query by a callback, which takes the global
interpreter lock from the event loop every few microseconds. Here a timer interrupts a
late query, so that a select runs on another core without the lock.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from datasette.utils.sqlite import sqlite3

from ci_observer.web.database_file import CurrentConnection, DatabaseFile

THREADS = 4
# Page cache of each connection, in KiB.
CACHE_KIB = 4_000
# SQLite ignores an interrupt between two statements, so it is repeated.
INTERRUPT_AGAIN_SECONDS = 0.05

T = TypeVar("T")
Connect = Callable[[], sqlite3.Connection]


class ReadPool:
    """Threads that connect on their first read and keep their connections."""

    def __init__(
        self,
        connect: Connect,
        file: DatabaseFile | None = None,
        *,
        threads: int = THREADS,
    ) -> None:
        self._connect = connect
        self._file = file
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._local = threading.local()

    async def read(
        self, select: Callable[[sqlite3.Connection], T], *, seconds: float
    ) -> T:
        """The result of `select`, which is interrupted after `seconds`.

        The time in the queue counts. Raises `sqlite3.DatabaseError`.
        """
        read = _InterruptibleRead(select)
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            if read.interrupt():
                loop.call_later(INTERRUPT_AGAIN_SECONDS, interrupt)

        timer = loop.call_later(seconds, interrupt)
        try:
            return await loop.run_in_executor(
                self._executor, lambda: read.run(self._connection())
            )
        finally:
            timer.cancel()
            # Only matters if the caller was cancelled.
            interrupt()

    def close(self) -> None:
        """Start no further read; do not wait for the running ones."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _connection(self) -> sqlite3.Connection:
        current: CurrentConnection | None = getattr(self._local, "current", None)
        if current is None:
            current = self._local.current = CurrentConnection(self._open, self._file)
        return current.get()

    def _open(self) -> sqlite3.Connection:
        conn = self._connect()
        conn.execute(f"pragma cache_size = -{CACHE_KIB}")
        return conn


class _InterruptibleRead(Generic[T]):
    """One read, which another thread may interrupt before, during or after its run."""

    def __init__(self, select: Callable[[sqlite3.Connection], T]) -> None:
        self._select = select
        self._lock = threading.Lock()
        self._conn: sqlite3.Connection | None = None
        self._is_interrupted = False

    def run(self, conn: sqlite3.Connection) -> T:
        with self._lock:
            if self._is_interrupted:
                raise sqlite3.OperationalError("interrupted")
            self._conn = conn
        try:
            return self._select(conn)
        finally:
            with self._lock:
                self._conn = None

    def interrupt(self) -> bool:
        """Interrupt the read; return whether it is still running."""
        with self._lock:
            self._is_interrupted = True
            if self._conn is not None:
                self._conn.interrupt()
            return self._conn is not None
