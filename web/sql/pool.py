"""A few worker processes for the statements of Datasette, which can be killed.

The standard library's pools and `pebble` would import this process's main module in
each worker, with all of Datasette, and pass a result on only when it is complete.
"""

import asyncio
import marshal
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from ci_observer.web.sql import worker as sql_worker

WORKERS = 3
# From the time limit of a statement, which interrupts it, to the end of its process:
# within one call of a function such as replace() SQLite ignores an interrupt.
GRACE_SECONDS = 2
# For a worker that becomes free, with any limit of the statement itself.
WAIT_SECONDS = 5
# For the start of a process, on a machine that is busy.
START_SECONDS = 30
# The environment of a worker: where SQLite makes its temporary files, and a malloc that
# returns memory.
INHERITED = ("SQLITE_TMPDIR", "TMPDIR", "LD_LIBRARY_PATH")
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "262144",
    "MALLOC_TRIM_THRESHOLD_": "262144",
}


class Busy(Exception):
    """No worker became free in time."""


class Killed(Exception):
    """The statement did not end when it was interrupted, so its process was killed."""


class Crashed(Exception):
    """The process has ended while it ran the statement."""


@dataclass(frozen=True)
class Statement:
    """A statement for a worker.

    `key` changes when the file at `uri` is another one; `max_rows` is None for all.
    `unchanged` has the path, the device, the inode, the modification time and the size
    of a file that must be the same at the end; None if nothing is compared.
    """

    sql: str
    params: dict[str, Any] | list[Any]
    uri: str
    key: tuple[Any, ...]
    seconds: float
    max_rows: int | None
    unchanged: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Outcome:
    """A worker's response: chunks of rows as bytes, and the end or the error.

    `end` is `(columns or None, is_truncated, number of rows)`, and `error` is
    `(class name, message)`.
    """

    chunks: list[bytes]
    end: tuple[list[str] | None, bool, int] | None = None
    error: tuple[str, str] | None = None

    @property
    def is_out_of_memory(self) -> bool:
        """Whether the worker's memory may be fragmented, so that it is of no use."""
        return self.error is not None and self.error[1] == sql_worker.TOO_MUCH_MEMORY

    @property
    def size(self) -> int:
        """The size of the rows in bytes."""
        return sum(map(len, self.chunks))

    @property
    def cells(self) -> int:
        """The number of cells."""
        columns, _, rows = self.end or (None, False, 0)
        return len(columns or ()) * rows

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows; removes the bytes on the way, so that memory never has both."""
        rows: list[tuple[Any, ...]] = []
        self.chunks.reverse()
        while self.chunks:
            rows += marshal.loads(self.chunks.pop())  # noqa: S302 (of our own process)
        return rows


class SqlPool:
    """Starts workers when they are needed, and replaces those that were killed."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._slots = asyncio.Semaphore(workers)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="sql")
        self._idle: list[Worker] = []
        self._workers: set[Worker] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    async def run(self, statement: Statement) -> Outcome:
        """The response to a statement.

        A cancelled statement is stopped by killing its worker. Raises `Busy`, `Killed`
        and `Crashed`.
        """
        async with self._slot():
            call = _Call()
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(
                    self._threads, self._run, statement, call
                )
            except asyncio.CancelledError:
                call.cancel()
                raise

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            yield
        finally:
            self._slots.release()

    def _run(self, statement: Statement, call: "_Call") -> Outcome:
        worker = self._take()
        try:
            call.begin(worker)
            outcome = worker.run(statement)
        except BaseException:
            self._end(worker)
            raise
        if call.end() or outcome.is_out_of_memory:
            self._end(worker)
        else:
            self._release(worker)
        return outcome

    def _release(self, worker: "Worker") -> None:
        with self._lock:
            self._idle.append(worker)

    def _take(self) -> "Worker":
        with self._lock:
            if self._is_closed:
                raise Crashed("The server is stopping.")
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive:
                    return worker
                self._workers.discard(worker)
                worker.wait()
            worker = Worker()
            self._workers.add(worker)
            return worker

    def _end(self, worker: "Worker") -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.kill()
        worker.wait()

    def warm_up(self) -> None:
        """Start a worker ahead of the first statement."""
        self._release(self._take())

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        with self._lock:
            return [worker.pid for worker in self._workers]

    def close(self) -> None:
        """Kill all workers; statements that still run raise `Crashed`."""
        with self._lock:
            self._is_closed = True
            workers = [*self._workers]
            idle = [*self._idle]
            self._idle.clear()
        for worker in workers:
            worker.kill()
        # A thread waits for the others.
        for worker in idle:
            worker.wait()
        self._threads.shutdown(wait=False, cancel_futures=True)


class Worker:
    """One process of `web/sql/worker.py`, and the pipes to it."""

    def __init__(self) -> None:
        inherited = {k: v for k, v in os.environ.items() if k in INHERITED}
        # Isolated: no package, no setting and no module of the current folder.
        command = [sys.executable, "-I", "-S", str(Path(sql_worker.__file__))]
        self._process = subprocess.Popen(  # noqa: S603 (our own command)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=inherited | MALLOC,
            bufsize=0,
        )
        self.pid = self._process.pid
        self._stdin = cast(IO[bytes], self._process.stdin).fileno()
        self._stdout = cast(IO[bytes], self._process.stdout).fileno()
        self._readable = select.poll()
        self._readable.register(self._stdout)
        self._is_ready = False

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def run(self, statement: Statement) -> Outcome:
        """Run a statement; raises `Killed` and `Crashed`, and is then of no use."""
        try:
            if not self._is_ready:
                self._frame(time.monotonic() + START_SECONDS)
                self._is_ready = True
            self._write(sql_worker.to_frame(sql_worker.REQUEST, vars(statement)))
        except OSError as error:
            raise Crashed from error
        deadline = time.monotonic() + statement.seconds + GRACE_SECONDS
        chunks: list[bytes] = []
        while True:
            kind, content = self._frame(deadline)
            if kind == sql_worker.ROWS:
                chunks.append(content)
            elif kind == sql_worker.END:
                return Outcome(chunks, end=marshal.loads(content))  # noqa: S302 (ours)
            else:
                return Outcome([], error=marshal.loads(content))  # noqa: S302 (ours)

    def _write(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._stdin, content) :]

    def _frame(self, deadline: float) -> tuple[bytes, bytes]:
        head = self._read(sql_worker.HEAD_BYTES, deadline)
        content = self._read(int.from_bytes(head[1:], "big"), deadline)
        return head[:1], content

    def _read(self, size: int, deadline: float) -> bytes:
        content = bytearray()
        while len(content) < size:
            seconds = deadline - time.monotonic()
            if seconds <= 0 or not self._readable.poll(seconds * 1000):
                raise Killed
            part = os.read(self._stdout, size - len(content))
            if not part:
                raise Crashed
            content += part
        return bytes(content)

    def kill(self) -> None:
        """End the process; the thread that waits for it raises `Crashed`."""
        self._process.kill()

    def wait(self) -> None:
        """Wait for the end of a killed process, and close the pipes to it."""
        with self._process:
            pass


class _Call:
    """A statement in a thread, which the event loop may cancel."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._is_cancelled = False

    def begin(self, worker: Worker) -> None:
        with self._lock:
            if self._is_cancelled:
                raise Crashed
            self._worker = worker

    def end(self) -> bool:
        """Leave the worker alone from now on; whether it has been killed already."""
        with self._lock:
            self._worker = None
            return self._is_cancelled

    def cancel(self) -> None:
        with self._lock:
            self._is_cancelled = True
            if self._worker is not None:
                self._worker.kill()
