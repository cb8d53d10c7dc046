"""Read-only access to the one database, and SQLite's errors in plain words.

A read runs inline first, on the event loop's thread: for a trivial select that takes
27 µs of processor time, and 180 to 250 µs when another thread runs it. A read that
misses its deadline is interrupted and repeated in the read pool. The slow-query memo
then sends its like to the pool at once, for a minute.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from sqlite3 import Row
from typing import Any, TypeVar
from weakref import WeakSet

from datasette.app import Datasette
from datasette.database import Database, QueryInterrupted, Results
from datasette.tracer import trace
from datasette.utils.sqlite import sqlite3

from ci_observer.web.database_file import CurrentConnection, DatabaseFile, FileState
from ci_observer.web.disk import DiskSpace
from ci_observer.web.errors import BadRequest, OtherSchema, Unavailable
from ci_observer.web.metadata import tables_of
from ci_observer.web.read_connection import ReadConnection
from ci_observer.web.read_only_file import HOT_JOURNAL, FileChanged, ReadOnlyFile
from ci_observer.web.read_pool import Connect, ReadPool
from ci_observer.web.settings import is_read_only, settings_of
from ci_observer.web.sql import table_hints
from ci_observer.web.sql.pool import SqlPool, Statement
from ci_observer.web.sql.statements import (
    log_error,
    plain_params,
    results_of,
    run_statement,
)
from ci_observer.web.sql.table_pages import (
    MAX_COUNTED,
    counts_of_tables,
    current_page,
    fast_statement,
    within_limits,
)
from ci_observer.web.texts import display_name, display_text, display_title
from ci_observer.web.transactions import in_transaction

DATABASE = "ci_observer"
# Processor time of an inline read. The elapsed time may be longer: on a busy machine a
# fast read waits for a core, and in the pool it would wait for slow reads as well.
INLINE_SECONDS = 0.02
ELAPSED_FACTOR = 10
TIME_LIMIT_SECONDS = 10
# How long a read in the pool waits for a lock on the file.
BUSY_SECONDS = 5
# The same for a replica. Its replication waits for the end of a visitor's statement,
# which is killed after 7 seconds, and lets no other read begin meanwhile.
REPLICA_BUSY_SECONDS = 8
# Instructions of SQLite's virtual machine between two checks of the deadline: 20 µs.
INSTRUCTIONS = 2000
# Page cache of the inline connection, in KiB: the index pages that every page of runs
# needs stay in memory.
CACHE_KIB = 64_000
MEMO_SECONDS = 60
MEMO_SIZE = 1000

# Name → number of arguments, function.
TEXT_FUNCTIONS: dict[str, tuple[int, Callable[..., str | None]]] = {
    "display_text": (1, display_text),
    "display_title": (1, display_title),
    "display_name": (2, display_name),
}

Params = dict[str, str | int | None]
T = TypeVar("T")

# Parts of SQLite's messages about a statement that is too large for it.
_TOO_LARGE = ("too complex", "too large", "too big", "too many", "stack overflow")
DAMAGED = (
    "The database {path} is damaged. Restore a backup with ci-observer restore FILE, or"
    " repair it with sqlite3's .recover. Stop CI Observer first."
)
_DAMAGED_FILE = ("not a database", "disk image is malformed")
# Part of SQLite's message → advice; the first match wins.
_ADVICE = {
    "unable to open": "The database {path} cannot be opened: make the file readable,"
    " and its folder writable, for the user of this process.",
    "attempt to write a readonly": "The database {path} cannot be read: SQLite needs a"
    " -wal and a -shm file next to it. Make its folder writable for the user of this"
    " process.",
    "is full": "The disk has no room for SQLite's temporary files. Make room on the"
    " disk of {path} and of the folder for temporary files.",
    "disk I/O error": "The disk of {path} returns errors, or is full: check it.",
    "no such": "The database {path} has no CI Observer tables of this version. Run"
    " ci-observer migrate.",
    "locked": "The database {path} is locked by another program, which may be a"
    " replication that writes. This page recovers by itself when it has ended; if it"
    " does not, close that program.",
    "busy": "The database {path} is busy. Try again in a moment.",
    "interrupted": "The database took longer than {seconds} seconds to answer. Narrow"
    " the selection, for example with repo= and since=.",
    "not a database": "The file {path} is not an SQLite database. Check CI_OBSERVER_DB,"
    " or restore a backup.",
    "malformed": DAMAGED,
    "decode to UTF-8": DAMAGED,
}


class ReadOnlyDatabase(Database):  # type: ignore[misc]  # Datasette has no types
    """Datasette's database, for any path and without a way to write.

    Statements of Datasette's pages, and SQL typed by visitors, run in worker processes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        schema = settings_of(self.ds).schema
        self.file = (
            DatabaseFile(str(self.path))
            if schema is None
            else ReadOnlyFile(str(self.path), schema)
        )
        self.disk = DiskSpace(Path(self.path).absolute().parent)
        self.inline = InlineReader(self._connect_prepared, self.file)
        self.pool = ReadPool(self._connect_prepared, self.file)
        # Computes walls of past times: its connection has temporary tables.
        self.past = ReadPool(self._connect_past, self.file, threads=1)
        self.workers = SqlPool()
        self._local = threading.local()
        # Those that are closed disappear by themselves.
        self._connections_lock = threading.Lock()
        self._connections: WeakSet[sqlite3.Connection] = WeakSet()
        self.slow_queries = SlowQueryMemo()

    def _connect_prepared(self) -> sqlite3.Connection:
        conn = self._connect_plain()
        add_text_functions(conn)
        return conn

    def _connect_past(self) -> sqlite3.Connection:
        conn = self._connect_prepared()
        conn.execute("pragma temp_store = memory")
        return conn

    async def execute(  # noqa: PLR0917 (Datasette's)
        self,
        sql: str,
        params: Any = None,
        truncate: bool = False,
        custom_time_limit: int | None = None,
        page_size: int | None = None,
        log_sql_errors: bool = True,
    ) -> Results:
        """Run a statement of Datasette in a worker process.

        Raises `QueryInterrupted`, `sqlite3.DatabaseError` and `Unavailable`.
        """

        async def run() -> Results:
            return await self._execute(
                sql,
                params,
                is_truncated=truncate,
                custom_time_limit=custom_time_limit,
                page_size=page_size,
                is_logged=log_sql_errors,
            )

        return await self.file.read_one_state(run)

    async def _execute(
        self,
        sql: str,
        params: Any,
        *,
        is_truncated: bool,
        custom_time_limit: int | None,
        page_size: int | None,
        is_logged: bool,
    ) -> Results:
        limit_ms: int = self.ds.sql_time_limit_ms
        if custom_time_limit and custom_time_limit < limit_ms:
            limit_ms = custom_time_limit
        plain = plain_params(params, sql)
        sql, limit_ms = self._made_fast(sql, plain, limit_ms)
        max_rows: int = self.ds.max_returned_rows
        if max_rows == (page_size or self.ds.page_size):
            max_rows += 1
        state = self.file.check()
        statement = Statement(
            sql=sql,
            params=plain,
            uri=self._uri(state),
            key=state.key,
            seconds=limit_ms / 1000,
            max_rows=max_rows if is_truncated and max_rows else None,
            unchanged=self._file_facts(state),
        )
        await self._refuse_other_schema()
        with trace("sql", database=self.name, sql=sql.strip(), params=params):
            results = await self._results(statement, is_logged=is_logged)
        if state.is_read_only and state.has_no_wal and self.file.check() != state:
            # A writer has begun, without whose -wal file the rows may be mixed.
            raise FileChanged
        return results

    def _file_facts(self, state: FileState) -> tuple[Any, ...] | None:
        """What a worker compares with the file at the end of a statement."""
        if state.stamp is None:
            return None
        return (str(self._path_of(state)), *state.database, *state.stamp)

    async def _refuse_other_schema(self) -> None:
        """Raise `Unavailable` if the database has the schema of another version."""
        if is_read_only(self.ds):
            with explained_errors(self):
                await self.read(in_transaction(lambda _: None), key="schema")

    def _made_fast(self, sql: str, params: Any, limit_ms: int) -> tuple[str, int]:
        """The statement of a table's page, and its time limit."""
        page = current_page.get()
        if page is None:
            return fast_statement(sql), limit_ms
        if isinstance(params, dict):

            def counts_of(values: Mapping[str, str]) -> table_hints.Counts:
                return self.inline.read(
                    partial(table_hints.count_values, values=values),
                    seconds=INLINE_SECONDS,
                )

            with suppress(sqlite3.DatabaseError):
                sql = table_hints.with_hints(sql, params, page.table, counts_of)
        return within_limits(fast_statement(sql), limit_ms, page)

    async def _results(self, statement: Statement, *, is_logged: bool) -> Results:
        try:
            return results_of(await run_statement(self.workers, statement))
        except sqlite3.DatabaseError as error:
            await self._refuse_other_schema()
            if is_logged:
                log_error(error, statement)
            # Datasette would show the message on the page of a statement, as its fault.
            if any(words in str(error) for words in _DAMAGED_FILE):
                self.file.log_problem(advice_on(error, self.path))
                raise Unavailable(advice_on(error, Path(self.path).name)) from error
            raise

    async def hidden_table_names(self) -> list[str]:
        """Datasette's, without a user's table whose name begins like a hidden one."""
        tables = tables_of(self.ds, self.name)
        hidden = tuple(name for name, about in tables.items() if about.get("hidden"))
        return [
            name
            for name in await super().hidden_table_names()
            if name in hidden or not name.startswith(hidden)
        ]

    async def table_counts(self, limit: int = 10) -> dict[str, int | None]:
        """The number of rows of each table, None above `MAX_COUNTED`.

        In one statement; each alone, for `limit` milliseconds, if that is not possible.
        """
        names = await self.table_names()
        try:
            rows = (await self.execute(counts_of_tables(names))).rows
        except (QueryInterrupted, sqlite3.DatabaseError):
            found: dict[str, int | None] = await super().table_counts(limit)
            return found
        counts = dict(map(tuple, rows))
        return {
            name: None
            if counts[name] > MAX_COUNTED and name != "runs"
            else counts[name]
            for name in names
        }

    async def attached_databases(self) -> list[Any]:
        """None: Datasette would ask the pragma that visitors must not read."""
        return []

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in one of Datasette's threads, on the current file.

        Datasette reads the schema in this way, and nothing that a visitor writes.
        """

        def run() -> T:
            if not hasattr(self._local, "current"):
                self._local.current = CurrentConnection(self._connect_plain, self.file)
            return in_transaction(fn)(self._local.current.get())

        loop = asyncio.get_running_loop()
        return await self.file.read_one_state(
            lambda: loop.run_in_executor(self.ds.executor, run)
        )

    async def read(
        self,
        transaction: Callable[[sqlite3.Connection], T],
        *,
        key: str,
        inline: bool = True,
    ) -> T:
        """The result of a transaction, run inline or in the pool; see `fetch`."""
        if inline and key not in self.slow_queries:
            try:
                return self.inline.read(transaction, seconds=INLINE_SECONDS)
            except sqlite3.OperationalError as error:
                if not _may_succeed_in_pool(error):
                    raise
                if "interrupted" in str(error):
                    self.slow_queries.add(key)
        return await self.pool.read(transaction, seconds=TIME_LIMIT_SECONDS)

    def _connect_plain(self) -> sqlite3.Connection:
        conn = self.connect()
        self.ds._prepare_connection(conn, self.name)
        return conn

    def connect(self, write: bool = False) -> sqlite3.Connection:
        """A new read-only connection; raises `Unavailable` when `write` is true."""
        if write:
            raise Unavailable("The web side only reads: ci-observer ingest writes.")
        state = self.file.check()
        conn: ReadConnection = sqlite3.connect(
            self._uri(state),
            uri=True,
            check_same_thread=False,
            timeout=REPLICA_BUSY_SECONDS if state.is_read_only else BUSY_SECONDS,
            factory=ReadConnection,
        )
        conn.guard = self.file.guard(state)
        with self._connections_lock:
            self._connections.add(conn)
        return conn

    def _uri(self, state: FileState) -> str:
        # Datasette puts the path into the URI as it is: a ? or # would end it.
        return f"{self._path_of(state).as_uri()}?{state.uri_options}"

    def _path_of(self, state: FileState) -> Path:
        return Path(state.path or self.path).absolute()

    def _open_connections(self) -> list[sqlite3.Connection]:
        with self._connections_lock:
            return list(self._connections)

    def refuse_other_schema(self) -> None:
        """Raise `OtherSchema` for the database of another version; see `WebSettings`.

        Nothing stays open, so that this process can be forked.
        """
        if not is_read_only(self.ds):
            return
        try:
            with closing(self._connect_plain()) as conn:
                in_transaction(lambda _: None)(conn)
        except OtherSchema:
            raise
        except (sqlite3.DatabaseError, Unavailable, FileChanged):
            return  # The pages show it.
        finally:
            self.file.close()

    def close(self) -> None:
        """Close all connections, and end the worker processes."""
        self.workers.close()
        super().close()
        for conn in self._open_connections():
            conn.close()
        self.file.close()

    def interrupt(self) -> None:
        """Stop all running queries, and start no other in the pools."""
        self.pool.close()
        self.past.close()
        self.workers.close()
        for conn in self._open_connections():
            # Connections to a replaced file are closed.
            with suppress(sqlite3.ProgrammingError):
                conn.interrupt()


def add_text_functions(conn: sqlite3.Connection) -> None:
    """Add the SQL functions of our own selects; SQL typed by visitors has none."""
    for name, (arguments, function) in TEXT_FUNCTIONS.items():
        conn.create_function(name, arguments, function, deterministic=True)


class InlineReader:
    """One connection for reads of microseconds, used by the calling thread."""

    def __init__(self, connect: Connect, file: DatabaseFile | None = None) -> None:
        self._connect = connect
        self._current = CurrentConnection(self._open, file)
        self._lock = threading.Lock()
        self._first_check = self._processor_deadline = self._elapsed_deadline = 0.0

    def read(self, select: Callable[[sqlite3.Connection], T], *, seconds: float) -> T:
        """The result of `select`, which is interrupted after `seconds`.

        They are processor time; see `ELAPSED_FACTOR`. Does not wait for a lock on the
        file. Raises `sqlite3.DatabaseError`.
        """
        # The server has one event loop; only tests call this from several threads.
        with self._lock:
            now = time.perf_counter()
            self._first_check = now + seconds
            self._processor_deadline = time.thread_time() + seconds
            self._elapsed_deadline = now + seconds * ELAPSED_FACTOR
            return select(self._current.get())

    def _open(self) -> sqlite3.Connection:
        conn = self._connect()
        conn.execute("pragma busy_timeout = 0")
        conn.execute(f"pragma cache_size = -{CACHE_KIB}")
        conn.set_progress_handler(self._is_late, INSTRUCTIONS)
        return conn

    def _is_late(self) -> bool:
        now = time.perf_counter()
        # The processor's time is not above the elapsed time, and asking for it is slow.
        return now > self._first_check and (
            now > self._elapsed_deadline
            or time.thread_time() > self._processor_deadline
        )


class SlowQueryMemo:
    """Keys of reads that missed the inline deadline within the last minute."""

    def __init__(self) -> None:
        self._added_at: dict[str, float] = {}

    def __contains__(self, key: str) -> bool:
        added_at = self._added_at.get(key)
        return added_at is not None and time.perf_counter() < added_at + MEMO_SECONDS

    def add(self, key: str) -> None:
        if len(self._added_at) >= MEMO_SIZE:
            self._added_at.clear()
        self._added_at[key] = time.perf_counter()


async def fetch_rows(
    datasette: Datasette, sql: str, params: Params | None = None
) -> list[Row]:
    """The rows of one select; raises `Unavailable` when SQLite fails."""
    return (await fetch_snapshot(datasette, {"": sql}, params))[""]


async def fetch_row(
    datasette: Datasette, sql: str, params: Params | None = None
) -> Row:
    """The row of a select that has one; raises `Unavailable` when SQLite fails."""
    return (await fetch_rows(datasette, sql, params))[0]


async def fetch_snapshot(
    datasette: Datasette, selects: Mapping[str, str], params: Params | None = None
) -> dict[str, list[Row]]:
    """The rows of several selects by their names, all of one state of the database.

    Every select gets the same parameters. Raises `Unavailable` when SQLite fails.
    """

    def select(conn: sqlite3.Connection) -> dict[str, list[Row]]:
        return {
            name: conn.execute(sql, params or {}).fetchall()
            for name, sql in selects.items()
        }

    return await fetch(datasette, select, key="".join(selects.values()))


async def fetch(
    datasette: Datasette,
    select: Callable[[sqlite3.Connection], T],
    *,
    key: str,
    inline: bool = True,
) -> T:
    """The result of `select`, run in one read transaction.

    Reads with the same `key` are expected to take about as long as each other. With
    `inline=False` the read goes to the pool at once. Raises `Unavailable`, with advice,
    when SQLite fails or the read takes longer than `TIME_LIMIT_SECONDS`, and
    `BadRequest` when the statement is too large.
    """
    database: ReadOnlyDatabase = datasette.get_database(DATABASE)
    transaction = in_transaction(select)
    with explained_errors(database):
        return await database.file.read_one_state(
            lambda: database.read(transaction, key=key, inline=inline)
        )


async def fetch_past(
    datasette: Datasette, select: Callable[[sqlite3.Connection], T]
) -> T:
    """The result of `select` on the connection that computes past walls.

    In one transaction, which keeps the temporary tables. Raises as `fetch` does.
    """
    database: ReadOnlyDatabase = datasette.get_database(DATABASE)
    transaction = in_transaction(select, keeps=True)
    with explained_errors(database):
        return await database.file.read_one_state(
            lambda: database.past.read(transaction, seconds=TIME_LIMIT_SECONDS)
        )


@contextmanager
def explained_errors(database: ReadOnlyDatabase) -> Iterator[None]:
    """Turn SQLite's errors into `Unavailable` with advice, or `BadRequest`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if any(words in str(error) for words in _TOO_LARGE):
            raise BadRequest(
                f"These filters are too large for the database ({error}). Use fewer or "
                "shorter values."
            ) from error
        database.file.log_problem(advice_on(error, database.path))
        raise Unavailable(advice_on(error, Path(database.path).name)) from error


def _may_succeed_in_pool(error: sqlite3.OperationalError) -> bool:
    """Whether the read missed its deadline, or met a lock that the pool waits for."""
    return any(word in str(error) for word in ("interrupted", "locked", "busy"))


def advice_on(error: sqlite3.DatabaseError, path: str) -> str:
    """SQLite's error in plain words: what is wrong, and what to do."""
    if getattr(error, "sqlite_errorname", None) == "SQLITE_READONLY_ROLLBACK":
        return HOT_JOURNAL.format(path=path)
    for words, advice in _ADVICE.items():
        if words in str(error):
            return advice.format(path=path, seconds=TIME_LIMIT_SECONDS)
    return f"The database {path} cannot be read: {error}."
