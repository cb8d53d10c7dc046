"""Datasette's statements: sent to a worker process, and what its response means."""

import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from datasette.database import QueryInterrupted, Results
from datasette.utils.sqlite import sqlite3

from ci_observer.web.errors import Unavailable
from ci_observer.web.read_only_file import FileChanged
from ci_observer.web.sql import worker as sql_worker
from ci_observer.web.sql.large_results import admit_result
from ci_observer.web.sql.pool import Busy, Crashed, Killed, Outcome, SqlPool, Statement

BUSY = (
    "The server is busy with other statements. Try again in a moment; a narrower "
    "selection is faster."
)
CRASHED = (
    "The statement has ended its process, for example because it needed too much "
    "memory. Select fewer or shorter texts."
)
# Parameters in SQL. Datasette has some whose values it computes when they are read.
_NAMES = re.compile(r"[:@$](\w+)")


async def run_statement(pool: SqlPool, statement: Statement) -> Outcome:
    """A worker's response; raises `QueryInterrupted` and `sqlite3.DatabaseError`.

    Raises `Unavailable` while all workers are busy, and `FileChanged`.
    """
    try:
        outcome = await pool.run(statement)
    except Busy:
        raise Unavailable(BUSY) from None
    except Killed:
        raise _interrupted(statement) from None
    except Crashed:
        raise sqlite3.OperationalError(CRASHED) from None
    if outcome.error is not None:
        raise _error(*outcome.error, statement)
    await admit_result(outcome.size, outcome.cells)
    return outcome


def plain_params(params: Any, sql: str) -> dict[str, Any] | list[Any]:
    """Parameters that can be sent to another process.

    A mapping may compute its values, as Datasette's magic parameters do.
    """
    if params is None:
        return {}
    if type(params) is dict:
        return params
    if isinstance(params, Mapping):
        return dict(_computed(params, {*_NAMES.findall(sql)}))
    if isinstance(params, Sequence):
        return list(params)
    raise sqlite3.ProgrammingError("Parameters are a mapping or a sequence.")


def _computed(params: Mapping[str, Any], names: set[str]) -> Any:
    for name in names:
        try:
            yield name, params[name]
        except KeyError:
            continue  # SQLite reports it.


def results_of(outcome: Outcome) -> Results:
    """Datasette's results, with rows as SQLite returns them."""
    columns, is_truncated, _ = outcome.end or (None, False, 0)
    if columns is None:
        return Results([], is_truncated, None)
    cursor = _cursor_with(columns)
    rows = [sqlite3.Row(cursor, row) for row in outcome.rows()]
    return Results(rows, is_truncated, cursor.description)


def _cursor_with(columns: list[str]) -> sqlite3.Cursor:
    """A cursor with these columns: a `Row` can be made only with one."""
    names = ", ".join("null as " + _quoted(column) for column in columns)
    return _memory().execute(f"select {names}")


@cache
def _memory() -> sqlite3.Connection:
    # Only the thread of the event loop uses it; tests have several loops.
    return sqlite3.connect(":memory:", check_same_thread=False)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _interrupted(statement: Statement) -> Exception:
    error = sqlite3.OperationalError("interrupted")
    result: Exception = QueryInterrupted(error, statement.sql, statement.params)
    return result


def _error(name: str, message: str, statement: Statement) -> Exception:
    if name == sql_worker.CHANGED:
        return FileChanged()
    if message == "interrupted":
        return _interrupted(statement)
    kinds: dict[str, type[Exception]] = vars(sqlite3)
    return kinds[name](message)


def log_error(error: Exception, statement: Statement) -> None:
    """Write a failed statement to stderr, as Datasette does."""
    sys.stderr.write(
        f"ERROR: sql = {statement.sql!r}, params = {statement.params}: {error}\n"
    )
    sys.stderr.flush()
