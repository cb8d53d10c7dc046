"""The schema of the archive, and SQL on it, within the limits of Datasette's pages."""

import base64
import math
import sqlite3
from typing import Any

from datasette.app import Datasette
from datasette.database import QueryInterrupted
from datasette.utils import InvalidSql, validate_sql_select

from ci_observer.web.access import Actor, may_view
from ci_observer.web.agents.replies import MAX_TEXT, Reply, limited
from ci_observer.web.database import DATABASE, fetch_rows
from ci_observer.web.errors import BadRequest, NotFound, NotPermitted
from ci_observer.web.guard import TOO_LONG
from ci_observer.web.metadata import tables_of
from ci_observer.web.permissions import is_allowed
from ci_observer.web.settings import settings_of
from ci_observer.web.sql import adhoc
from ci_observer.web.texts import cut

MAX_ROWS = 200

_COLUMNS = "select name, type from pragma_table_info(:table)"
NOT_ALLOWED = "You do not have permission to run SQL here."


async def schema(datasette: Datasette, actor: Actor | None, table: str | None) -> Reply:
    """The tables and views with their descriptions, or the columns of one of them.

    Raises `NotFound` for an unknown table, or one that the actor may not see.
    """
    tables = tables_of(datasette, DATABASE)
    if table is None:
        hidden = set(await datasette.get_database(DATABASE).hidden_table_names())
        listed = [
            {"name": name, "description": described.get("description", "")}
            for name, described in tables.items()
            if name not in hidden
            and await may_view(datasette, actor, "view-table", name)
        ]
        return limited({"tables": listed}, "tables")
    rows = await fetch_rows(datasette, _COLUMNS, {"table": table})
    if not rows or not await may_view(datasette, actor, "view-table", table):
        raise NotFound(f"There is no table or view {table!r}. Call schema for a list.")
    # SQLite finds a table in any letter case.
    table = next((name for name in tables if name.lower() == table.lower()), table)
    described = tables.get(table, {})
    texts = described.get("columns", {})
    columns = [
        {"name": name, "type": kind, "description": texts.get(name, "")}
        for name, kind in rows
    ]
    reply = {"table": table, "description": described.get("description", "")}
    return limited(reply | {"columns": columns}, "columns")


async def execute_sql(datasette: Datasette, actor: Actor | None, sql: str) -> Reply:
    """The rows of one select.

    Raises `NotPermitted` without the permission for ad-hoc SQL, and `BadRequest` for a
    statement that fails, writes or takes too long.
    """
    if not await is_allowed(datasette, actor, "execute-sql", DATABASE):
        is_off = settings_of(datasette).adhoc_sql == adhoc.OFF
        raise NotPermitted(adhoc.SWITCHED_OFF if is_off else NOT_ALLOWED)
    try:
        validate_sql_select(sql)
        results = await datasette.get_database(DATABASE).execute(
            sql, truncate=True, log_sql_errors=False
        )
    except QueryInterrupted:
        raise BadRequest(TOO_LONG) from None
    except (InvalidSql, sqlite3.Error) as error:
        reason = str(error).rstrip(".")
        raise BadRequest(f"The query cannot be run: {reason}.") from None
    rows = [[_cell(value) for value in row] for row in results.rows[:MAX_ROWS]]
    reply = {
        "columns": list(results.columns),
        "untrusted_rows": rows,
        "is_truncated": len(results.rows) > MAX_ROWS,
    }
    return limited(reply, "untrusted_rows")


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value[:MAX_TEXT]).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has no number for it.
        return str(value)
    return cut(value, MAX_TEXT * 10) if isinstance(value, str) else value
