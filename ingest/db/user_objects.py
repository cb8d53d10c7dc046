"""Keeps the views, triggers and indexes of users at an upgrade, or refuses it."""

# ruff: noqa: S608 (quoted names, and no value)

import logging
import re
import sqlite3

from sqlite_utils import Database

from ci_observer.ingest.db.locks import is_busy
from ci_observer.ingest.db.objects import (
    NOTHING_CHANGED,
    Objects,
    quoted,
    shipped,
    stored,
)
from ci_observer.ingest.errors import DatabaseError

log = logging.getLogger("ci_observer")


def refuse_shipped_names(users: Objects) -> None:
    """Raise a `DatabaseError` when a user's object has the name of one of ours."""
    for kind, name in users.keys() & shipped().keys():
        raise _name_is_taken(kind, name)


def restore(db: Database, users: Objects) -> None:
    """Create the user's views and triggers, and those indexes that a table lost.

    A broken view stays, with a warning: it harms nothing else. A broken trigger would
    make every poll fail, so the upgrade is refused.
    """
    kept = {key for key in stored(db) if key[0] == "index"}
    # A view goes before its triggers.
    for (kind, name), sql in sorted(users.items(), reverse=True):
        if (kind, name) in kept:
            continue
        try:
            db.execute(sql)
            if kind == "trigger":
                _compile_writes(db, name)
        except (sqlite3.OperationalError, sqlite3.IntegrityError) as error:
            if "already" in str(error):
                raise
            raise DatabaseError(
                f"The {kind} {quoted(name)}, which is yours, does not work with this"
                f" version: {error}. Change or drop it, then try again."
                f" {NOTHING_CHANGED}"
            ) from error
    for kind, name in users:
        if kind == "view":
            _warn_if_broken(db, name)


def explained(error: sqlite3.Error) -> DatabaseError:
    """The error of an upgrade in words that say what to do."""
    if is_busy(error):
        return DatabaseError(
            "Another process is writing to the database, so it cannot be brought up to"
            f" date: wait for that process to end, then try again. {NOTHING_CHANGED}"
        )
    text = str(error)
    taken = r"(?:there is already an? )?(table|view|index|trigger) (?:named )?(\S+)"
    if "already" in text and (match := re.match(taken, text)):
        return _name_is_taken(match[1], match[2])
    # Our own views and triggers do not exist while columns change.
    if match := re.match(r"error in (\w+) (.+) after (?:drop column|rename)", text):
        kind, name = match.groups()
        return DatabaseError(
            f"The {kind} {quoted(name)}, which is yours, uses a column that this"
            f" version changes: {error}. Change or drop it, then try again."
            f" {NOTHING_CHANGED}"
        )
    return DatabaseError(
        f"The database cannot be brought up to date: {error}. {NOTHING_CHANGED}"
    )


def _name_is_taken(kind: str, name: str) -> DatabaseError:
    return DatabaseError(
        f"The {kind} {quoted(name)} is in the way: this version has one of that name,"
        f" and the one in the database is yours. Rename or drop it, then try again."
        f" {NOTHING_CHANGED}"
    )


def _compile_writes(db: Database, trigger: str) -> None:
    """Raise an `OperationalError` when a table's trigger would make a write fail."""
    [table] = db.execute(
        "select tbl_name from sqlite_master where type = 'trigger' and name = ?",
        [trigger],
    ).fetchone()
    if table not in db.table_names():
        return  # An `instead of` trigger on a view, which no code of ours writes to.
    columns = [f"{quoted(column.name)} = 1" for column in db[table].columns]
    db.execute(f"explain insert into {quoted(table)} default values")
    db.execute(f"explain update {quoted(table)} set {', '.join(columns)}")
    db.execute(f"explain delete from {quoted(table)}")


def _warn_if_broken(db: Database, view: str) -> None:
    try:
        db.execute(f"explain select * from {quoted(view)}")
    except sqlite3.OperationalError as error:
        if "no such function" in str(error):
            return  # It may work where the user's extension is loaded.
        log.warning(
            "The view %s, which is yours, no longer works: %s. It is kept. Renamed"
            " columns are in CHANGELOG.md of CI Observer's source.",
            quoted(view),
            error,
        )
