"""The views, triggers and indexes of the database: which are ours and which a user's.

Ours stand in `sql/` and are recorded in the table `schema_objects`. Any other object is
a user's: it outlives every upgrade as it is, or the upgrade is refused.
"""

# ruff: noqa: S608 (quoted names, and no value)

import logging
import re
import sqlite3
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

from sqlite_utils import Database

from ci_observer.ingest.db import payload_tokens, vocabulary
from ci_observer.ingest.db.migrations import migrations, statements
from ci_observer.ingest.db.names_before_record import NAMES_BEFORE_RECORD
from ci_observer.ingest.errors import DatabaseError

log = logging.getLogger("ci_observer")

# Type (view, trigger or index) and name → the `create` statement.
Objects = dict[tuple[str, str], str]

# What `{{name}}` stands for in the SQL files.
SQL_VALUES = payload_tokens.SQL_VALUES | vocabulary.SQL_VALUES
# The migration that creates the table `schema_objects`.
RECORD = "m071_schema_objects"
NOTHING_CHANGED = "Nothing has been changed."


@cache
def shipped() -> Objects:
    """The objects of this version, in the order in which they are created."""
    found: Objects = {}
    for text in sql_files():
        for sql in statements(fill_in(re.sub(r"(?m)^--.*\n", "", text))):
            _, kind, name, _ = sql.split(maxsplit=3)
            found[kind, name] = sql
    return found


def sql_files() -> list[str]:
    """The texts of the files in `sql/`, in the order of their names."""
    folder = resources.files("ci_observer.ingest.db").joinpath("sql")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return [file.read_text() for file in files]


def fill_in(sql: str) -> str:
    """Replace each `{{name}}` by its value, whose later lines get its indentation."""

    def value(match: re.Match[str]) -> str:
        return match[1] + SQL_VALUES[match[2]].replace("\n", f"\n{match[1]}")

    return re.sub(r"( *)\{\{(\w+)\}\}", value, sql)


def stored(db: Database) -> Objects:
    """Every object of the database, the user's included.

    SQLite writes the words before the name in capitals; ours are in small letters.
    """
    rows = db.execute(
        "select type, name, sql from sqlite_master"
        " where type in ('view', 'trigger', 'index') and sql is not null"
    )
    return {
        (kind, name): re.sub(r"^CREATE \w+", lambda words: words[0].lower(), sql)
        for kind, name, sql in rows
    }


def split_by_owner(db: Database) -> tuple[Objects, Objects]:
    """Our objects of the database, and the user's."""
    names = _recorded(db) or NAMES_BEFORE_RECORD
    objects = stored(db)
    ours = {key: sql for key, sql in objects.items() if key in names}
    return ours, {key: sql for key, sql in objects.items() if key not in names}


def are_up_to_date(db: Database) -> bool:
    """Whether the database has all shipped objects, and no former ones of ours."""
    wanted, found = shipped(), stored(db)
    return _recorded(db) == wanted.keys() and all(
        found.get(key) == sql for key, sql in wanted.items()
    )


def record(db: Database) -> None:
    """Record the shipped objects as ours."""
    db.execute("delete from schema_objects")
    db.conn.executemany("insert into schema_objects values (?, ?)", shipped())


def _recorded(db: Database) -> set[tuple[str, str]]:
    # Until the migration has run, a table of this name is the user's.
    if RECORD not in {migration.name for migration in migrations.applied(db)}:
        return set()
    return set(db.execute("select type, name from schema_objects").fetchall())


def drop(db: Database, keys: Iterable[tuple[str, str]]) -> None:
    """Drop these objects; a trigger goes before its view, which takes it along."""
    for kind, name in sorted(keys):
        db.execute(f"drop {kind} {_quoted(name)}")


def restore(db: Database, users: Mapping[tuple[str, str], str]) -> None:
    """Create the user's views and triggers, and those indexes that a table lost.

    A view that no longer works harms nobody and is kept, with a warning. A trigger that
    no longer works would make every poll fail: then the upgrade is refused.
    """
    kept = {key for key in stored(db) if key[0] == "index"}
    # A view goes before its triggers.
    for (kind, name), sql in sorted(users.items(), reverse=True):
        if (kind, name) in kept:
            continue
        try:
            db.execute(sql)
            if kind == "trigger":
                _compile_trigger(db, name, sql)
        except (sqlite3.OperationalError, sqlite3.IntegrityError) as error:
            refuse_taken_name(error)
            raise DatabaseError(
                f"The {kind} {name}, which is yours, does not work with this version:"
                f" {error}. Change or drop it, then try again. {NOTHING_CHANGED}"
            ) from error
    for kind, name in users:
        if kind == "view":
            _warn_if_broken(db, name)


def refuse_taken_name(error: sqlite3.Error) -> None:
    """Raise a `DatabaseError` when SQLite says that a name is already in use."""
    words = r"(?:there is already an? )?(table|view|index|trigger) (?:named )?(\S+)"
    if "already" in str(error) and (match := re.match(words, str(error))):
        kind, name = match.groups()
        raise DatabaseError(
            f"The {kind} {name} is in the way: this version has one of that name, and"
            f" the one in the database is yours. Rename or drop it, then try again."
            f" {NOTHING_CHANGED}"
        ) from error


def _compile_trigger(db: Database, name: str, sql: str) -> None:
    """Raise an `OperationalError` when a table's trigger would make a write fail."""
    [table] = db.execute(
        "select tbl_name from sqlite_master where type = 'trigger' and name = ?", [name]
    ).fetchone()
    if table not in db.table_names():
        return  # An `instead of` trigger on a view, which no code of ours writes to.
    columns = [f"{_quoted(column.name)} = 1" for column in db[table].columns]
    write = {
        "insert": f"insert into {_quoted(table)} default values",
        "update": f"update {_quoted(table)} set {', '.join(columns)}",
        "delete": f"delete from {_quoted(table)}",
    }
    event = re.findall(r"\b(insert|update|delete)\b", sql, re.IGNORECASE)[0]
    db.execute(f"explain {write[event.lower()]}")


def _warn_if_broken(db: Database, view: str) -> None:
    try:
        db.execute(f"explain select * from {_quoted(view)}")
    except sqlite3.OperationalError as error:
        log.warning("The view %s, which is yours, no longer works: %s.", view, error)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
