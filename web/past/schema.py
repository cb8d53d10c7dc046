"""The temporary tables and views with which a connection computes past walls.

The views of the wall are the stored ones, word by word. They are created again as
temporary views, where each name means the temporary object first: `as_of.sql`.
"""

import re
from dataclasses import dataclass
from importlib import resources
from sqlite3 import Connection

# Words in braces in `as_of.sql`.
SQL_VALUES = {
    "is_open": "exists (select 1 from open_attempts o"
    " where o.run_id = a.run_id and o.run_attempt = a.run_attempt)",
}
# The stored views that are computed as of a past time, with all that they use.
ROOTS = ("wall", "tile_facts", "run_decisions", "timed_events")
# Tables that are filled with the rows of a past time; they are like the stored ones.
FILLED = (
    *("runs", "tiles", "feeds", "feed_settings", "repos", "watch_errors"),
    "branch_events",
)
# The views whose row of a tile is computed once and kept, in a table of the name; the
# view itself has the prefix.
KEPT = frozenset(
    (
        *("tile_key_runs", "tile_last_results", "tile_streaks", "tile_red_spans"),
        *("tile_later_runs", "tile_success_rates", "tile_flakiness"),
        *("tile_queues", "tile_strips"),
    )
)
PREFIX = "computed_"
# The results of most branches are the stored ones but for the newest.
STORED_DECISIONS = """
create temp view decisions as
select * from main.decisions
where created_at between '' and (select at from past_time)
  and run_id not in (select run_id from past_runs);

create temp view mended_decisions as
select * from main.decisions indexed by decisions_mended
where red_at is not null and created_at between '' and (select at from past_time)
  and run_id not in (select run_id from past_runs);
"""
DROP_STORED = "drop view temp.mended_decisions;\ndrop view temp.decisions;"
DROP_COPIED = "drop view temp.mended_decisions;\ndrop table temp.decisions;"
MENDED = """
create index temp.decisions_mended on decisions
  (repo, workflow, branch, result, created_at) where red_at is not null;
create temp view mended_decisions as select * from decisions where red_at is not null;
"""


@dataclass(frozen=True)
class Layout:
    """The columns of tables and views, and the order of the kept views."""

    runs: list[str]
    tiles: list[str]
    facts: list[str]
    decisions: list[str]
    kept: list[str]


def create(conn: Connection) -> Layout:
    """Create all temporary objects, which are empty."""
    views = _stored_views(conn)
    text = resources.files("ci_observer.web.past").joinpath("as_of.sql")
    _run(conn, _filled_in(text.read_text("utf-8")))
    for table in FILLED:
        conn.execute(_temporary(_stored_sql(conn, table)))
    conn.execute(
        "create index temp.runs_branch on runs"
        " (repo, workflow, tile_branch, created_at)"
    )
    _run(conn, STORED_DECISIONS)
    shadowed = _temporary_names(conn)
    for name in _used(views):
        if name in KEPT:
            sql = _temporary(views[name]).replace(name, PREFIX + name, 1)
            conn.execute(sql)
        elif name not in shadowed:
            conn.execute(_temporary(views[name]))
    kept = _kept_in_order(views)
    # A view is short if those that it uses are tables already.
    for name in kept:
        # Without the key's types and collation, the views could not use its index.
        others = _view_columns(conn, PREFIX + name)[3:]
        conn.execute(
            f"create temp table {name} (repo text collate nocase, workflow text,"
            f" branch text, {', '.join(others)}, primary key (repo, workflow, branch))"
        )
    return Layout(
        runs=_columns(conn, "runs"),
        tiles=_columns(conn, "tiles"),
        facts=_view_columns(conn, "tile_facts"),
        decisions=_view_columns(conn, "main.run_decisions"),
        kept=kept,
    )


def drop(conn: Connection) -> None:
    """Drop all temporary objects: the stored views have changed."""
    rows = conn.execute(
        "select type, name from temp.sqlite_master where type in ('view', 'table')"
        " and name not like 'sqlite\\_%' escape '\\'"
    ).fetchall()
    for kind, name in rows:
        conn.execute(f"drop {kind} temp.{name}")


def copy_decisions(conn: Connection) -> None:
    """Replace the view of the stored results by an empty table for all results."""
    _run(conn, DROP_STORED)
    conn.execute(_temporary(_stored_sql(conn, "decisions")))
    _run(conn, MENDED)


def restore_decisions(conn: Connection) -> None:
    """The reverse."""
    _run(conn, DROP_COPIED)
    _run(conn, STORED_DECISIONS)


def _kept_in_order(views: dict[str, str]) -> list[str]:
    """The views of `KEPT`, each after those that it uses."""
    names = [name for name in _used(views) if name in KEPT]
    ordered: list[str] = []
    while names:
        # A view uses another one, or a view that does.
        ordered += [
            name for name in names if not set(names) & set(_used(views, (name,))[1:])
        ]
        names = [name for name in names if name not in ordered]
    return ordered


def _columns(conn: Connection, table: str) -> list[str]:
    """The columns of a stored table that can be written, a user's included."""
    rows = conn.execute(f"pragma main.table_xinfo({table})").fetchall()
    return [row[1] for row in rows if not row[6]]


def _view_columns(conn: Connection, view: str) -> list[str]:
    """The columns of a view."""
    empty = conn.execute(f"select * from {view} limit 0")  # noqa: S608 (own names)
    return [name for name, *_ in empty.description]


def _run(conn: Connection, script: str) -> None:
    # `executescript` would end the transaction.
    for statement in re.sub(r"(?m)^ *--.*\n", "", script).split(";\n"):
        if statement.strip(" \n;"):
            conn.execute(statement)


def _filled_in(sql: str) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda name: SQL_VALUES[name[1]], sql)


def _stored_views(conn: Connection) -> dict[str, str]:
    rows = conn.execute("select name, sql from main.sqlite_master where type = 'view'")
    return dict(map(tuple, rows))


def _stored_sql(conn: Connection, table: str) -> str:
    [sql] = conn.execute(
        "select sql from main.sqlite_master where type = 'table' and name = ?", [table]
    ).fetchone()
    return str(sql)


def _temporary_names(conn: Connection) -> set[str]:
    return {name for (name,) in conn.execute("select name from temp.sqlite_master")}


def _temporary(sql: str) -> str:
    return re.sub(r"^create (table|view)", r"create temp \1", sql, flags=re.I)


def _used(views: dict[str, str], roots: tuple[str, ...] = ROOTS) -> list[str]:
    """The names of the roots and of all views that they use."""
    names = list(roots)
    for name in names:
        words = re.sub(r"--.*", "", views[name])
        names += {word for word in re.findall(r"\w+", words) if word in views} - set(
            names
        )
    return names
