"""A worker process: runs one statement at a time, within limits of memory and size.

Run as a script, it imports the standard library only. It reads requests from stdin and
writes frames to stdout; `web/sql/pool.py` is the other side. Everything here may run
for too long or use too much memory: the process can be killed at any time.
"""

import marshal
import os
import select
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

# A whole payload of GitHub has 13 kB, and seldom more than 100.
MAX_CELL_BYTES = 4_000_000
MAX_RESULT_BYTES = 10_000_000
# 5,000 rows of 50 columns.
MAX_RESULT_CELLS = 250_000
# SQLite's own memory: cells of the largest size in several copies, and its page cache.
HEAP_BYTES = 24_000_000
# All memory of the process, which has 6 MB at its start.
DATA_BYTES = 80_000_000
# Each temporary file, for sorting and grouping.
TEMPORARY_FILE_BYTES = 256_000_000
# https://www.sqlite.org/limits.html; the constants of `sqlite3` → the value.
SQLITE_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_CELL_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 200_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 1000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 500_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 127,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    # The time of LIKE grows with a power of the number of its wildcards.
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    # Datasette looks up the labels of 5,000 rows at once.
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 10_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
# Behind the wall and all pages.
NICE = 10
OOM_SCORE = 1000
# Instructions of SQLite's virtual machine between two looks at the clock.
INSTRUCTIONS = 1000
# While another process updates the -shm file.
TRIES = 50
SECONDS_BETWEEN_TRIES = 0.002
# Rows are sent while others are fetched, so that this process never has all of them.
CHUNK_BYTES = 256_000
CHUNK_ROWS = 500
STACK_BYTES = 256 * 1024

TOO_MANY_BYTES = (
    f"The result has more than {MAX_RESULT_BYTES // 1_000_000} MB. Select fewer rows "
    "or columns, or shorter texts, for example with limit or substr()."
)
TOO_MANY_CELLS = (
    f"The result has more than {MAX_RESULT_CELLS:,} cells. Select fewer rows or "
    "columns, for example with limit."
)
TOO_MUCH_MEMORY = (
    f"The statement needs more than {HEAP_BYTES // 1_000_000} MB of memory. Select "
    "fewer or shorter texts."
)
TOO_LARGE_CELL = (
    f"A text or blob in this statement has more than {MAX_CELL_BYTES // 1_000_000} MB. "
    "Select a part of it, for example with substr()."
)
TOO_LARGE_FILE = (
    "The statement needs a temporary file of more than "
    f"{TEMPORARY_FILE_BYTES // 1_000_000} MB, or the disk has no room. Sort or group "
    "fewer rows, or use limit."
)
# Part of SQLite's message → ours.
PLAIN_WORDS = {
    "string or blob too big": TOO_LARGE_CELL,
    "out of memory": TOO_MUCH_MEMORY,
    "is full": TOO_LARGE_FILE,
    "disk I/O error": TOO_LARGE_FILE,
}

# Kinds of frames: a kind, four bytes of length, and an object.
HEAD_BYTES = 5
READY, REQUEST, ROWS, END, ERROR = b".", b"?", b"r", b"e", b"!"

# The class of errors to which Datasette responds with 400.
REFUSED = "OperationalError"
# Instead of such a class: the file has changed during the statement.
CHANGED = "FileChanged"

Frame = tuple[bytes, Any]


class TooLarge(Exception):
    """The result exceeds a limit; the message says which one."""


class FileChanged(Exception):
    """The file is not the one that the request names, or has been changed."""


def to_frame(kind: bytes, value: Any) -> bytes:
    """An object as bytes, with their kind and number in front."""
    content = marshal.dumps(value)
    return kind + len(content).to_bytes(HEAD_BYTES - 1, "big") + content


def read_request(file: BinaryIO) -> dict[str, Any] | None:
    """The next request; None at the end of the pipe."""
    head = file.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES:
        return None
    content = file.read(int.from_bytes(head[1:], "big"))
    request: dict[str, Any] = marshal.loads(content)  # noqa: S302 (of our own process)
    return request


class Connection:
    """A connection that is replaced when the request names another file."""

    def __init__(self) -> None:
        self._key: object = None
        self._conn: sqlite3.Connection | None = None
        self._deadline = 0.0

    def get(self, key: object, uri: str, *, seconds: float) -> sqlite3.Connection:
        """The connection to a file, whose statements are interrupted after a time."""
        if self._conn is None or key != self._key:
            if self._conn is not None:
                self._conn.close()
                self._conn = None
            self._conn, self._key = _connect(uri), key
            self._conn.set_progress_handler(self._is_late, INSTRUCTIONS)
        self._deadline = time.perf_counter() + seconds
        self._conn.execute(f"pragma busy_timeout = {int(seconds * 1000)}")
        return self._conn

    def _is_late(self) -> bool:
        return time.perf_counter() > self._deadline


def _connect(uri: str) -> sqlite3.Connection:
    conn = sqlite3.connect(uri, uri=True, isolation_level=None)
    conn.text_factory = lambda text: str(text, "utf-8", "replace")
    conn.execute(f"pragma hard_heap_limit = {HEAP_BYTES}")
    for category, limit in SQLITE_LIMITS.items():
        conn.setlimit(category, min(limit, conn.getlimit(category)))
    conn.create_function("escape_fts", 1, escape_fts)
    conn.set_authorizer(_refuse_secrets)
    return conn


def _refuse_secrets(
    action: int, name: str | None, detail: str | None, *_: object
) -> int:
    """Refuse what tells more than the data of the file."""
    match action:
        case sqlite3.SQLITE_PRAGMA:
            # The path of the file; Datasette allows it.
            is_refused = name == "database_list"
        case sqlite3.SQLITE_READ:
            # The statements of other visitors.
            is_refused = (name or "").lower() == "sqlite_stmt"
        case sqlite3.SQLITE_FUNCTION:
            # An address in the memory of the process.
            is_refused = (detail or "").lower() == "fts3_tokenizer"
        case _:
            is_refused = False
    return sqlite3.SQLITE_DENY if is_refused else sqlite3.SQLITE_OK


def escape_fts(query: str) -> str:
    """Datasette's SQL function: a search as quoted words, without operators.

    Phrases in double quotes stay together.
    """
    quoted = (query + '"' * (query.count('"') % 2)).split('"')
    terms: list[str] = []
    for number, part in enumerate(quoted):
        is_phrase = number % 2 == 1
        terms += [part] if is_phrase and part else [] if is_phrase else part.split()
    return " ".join(f'"{term}"' for term in terms)


def run(conn: sqlite3.Connection, request: dict[str, Any]) -> Iterator[Frame]:
    """The frames of a response: chunks of rows, then the columns.

    Raises `TooLarge`, `FileChanged`, `sqlite3.Error` and `MemoryError`.
    """
    if request["unchanged"] is None:
        yield from _rows(conn, request)
        return
    # The transaction keeps its lock on the file until the file has been compared.
    conn.execute("begin")
    try:
        yield from _rows(conn, request)
    except sqlite3.Error:
        # An error about a file that has changed since is none of the file now.
        _refuse_changed_file(request["unchanged"])
        raise
    finally:
        if conn.in_transaction:
            conn.execute("rollback")


def _rows(conn: sqlite3.Connection, request: dict[str, Any]) -> Iterator[Frame]:
    cursor = _execute(conn, request["sql"], request["params"])
    max_rows = request["max_rows"]
    chunk: list[tuple[Any, ...]] = []
    count = size = chunk_size = 0
    is_truncated = False
    for count, row in enumerate(cursor, start=1):
        if max_rows is not None and count > max_rows:
            is_truncated = True
            break
        row_size = sum(len(cell) for cell in row if isinstance(cell, str | bytes))
        size += row_size
        chunk_size += row_size
        if size > MAX_RESULT_BYTES:
            raise TooLarge(TOO_MANY_BYTES)
        if count * len(row) > MAX_RESULT_CELLS:
            raise TooLarge(TOO_MANY_CELLS)
        chunk.append(row)
        if chunk_size > CHUNK_BYTES or len(chunk) >= CHUNK_ROWS:
            yield ROWS, chunk
            chunk, chunk_size = [], 0
    yield ROWS, chunk
    description = cursor.description
    columns = None if description is None else [column[0] for column in description]
    cursor.close()
    _refuse_changed_file(request["unchanged"])
    yield END, (columns, is_truncated, count)


def _refuse_changed_file(expected: tuple[Any, ...] | None) -> None:
    """Raise `FileChanged` if the file differs from these facts about it."""
    if expected is None:
        return
    path, *facts = expected
    try:
        found = os.stat(path)
    except OSError:
        raise FileChanged from None
    if [found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size] != facts:
        raise FileChanged


def _execute(conn: sqlite3.Connection, sql: str, params: Any) -> sqlite3.Cursor:
    """Like `web/read_connection.py`: waits while ingest updates the -shm file."""
    for _ in range(TRIES):
        try:
            return conn.execute(sql, params)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_READONLY_RECOVERY":
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
    return conn.execute(sql, params)


def respond(connection: Connection, request: dict[str, Any]) -> Iterator[Frame]:
    """The frames of a response; the last one is `END` or `ERROR`.

    The content of `ERROR` is the name of a class in `sqlite3`, and a message.
    """
    try:
        conn = connection.get(
            request["key"], request["uri"], seconds=request["seconds"]
        )
        yield from run(conn, request)
    except MemoryError:
        yield ERROR, (REFUSED, TOO_MUCH_MEMORY)
    except FileChanged:
        yield ERROR, (CHANGED, "")
    except sqlite3.Error as error:
        plain = [ours for words, ours in PLAIN_WORDS.items() if words in str(error)]
        name = REFUSED if plain else type(error).__name__
        yield ERROR, (name, plain[0] if plain else str(error))
    except (TooLarge, sqlite3.Warning, ValueError, OverflowError) as error:
        # Also two statements, a character outside UTF-8, a number of 65 bits.
        yield ERROR, (REFUSED, str(error))


def limit_process() -> None:
    """Limit the memory and the files of this process, and its share of processors."""
    import resource  # noqa: PLC0415 (not on Windows)

    limits = {
        resource.RLIMIT_DATA: DATA_BYTES,
        resource.RLIMIT_AS: 2 * DATA_BYTES,
        resource.RLIMIT_FSIZE: TEMPORARY_FILE_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for name, limit in limits.items():
        # macOS refuses some of them.
        with suppress(ValueError, OSError):
            resource.setrlimit(name, (limit, limit))
    with suppress(OSError):
        os.nice(NICE)
    be_killed_first(OOM_SCORE)


def be_killed_first(score: int) -> None:
    """Have Linux end this process before others with a lower score, up to 1000.

    https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html
    """
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(score))


def end_with_parent() -> None:
    """End this process when the other end of its stdin is closed, even in a query."""

    def wait() -> None:
        poll = select.poll()
        poll.register(sys.stdin.fileno(), 0)
        poll.poll()
        os._exit(0)

    threading.stack_size(STACK_BYTES)
    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Respond to requests until stdin is closed."""
    end_with_parent()
    limit_process()
    connection = Connection()
    sys.stdout.buffer.write(to_frame(READY, None))
    sys.stdout.buffer.flush()
    while (request := read_request(sys.stdin.buffer)) is not None:
        for kind, content in respond(connection, request):
            sys.stdout.buffer.write(to_frame(kind, content))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        # The server has ended. Skip Python's own attempt to write the rest.
        os._exit(0)
