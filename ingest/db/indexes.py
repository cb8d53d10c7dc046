"""The indexes of `sql/indexes.sql`: which are made at a start, and which later.

An index of ten million runs takes 2 to 10 seconds of processor time and reads the whole
table; nothing else can write meanwhile, and a start would make a dozen of them. So an
upgrade of a large table makes only those indexes at once without which a statement
fails or polling would stand still. Ingest makes the others one by one, between its
passes; an index that has changed keeps its former definition until then.
"""
# ruff: noqa: S608 (own names, and no value)

import re

from sqlite_utils import Database

from ci_observer.ingest.db import objects
from ci_observer.ingest.db.locks import write_transaction

# The indexes of a table with more rows are made one by one.
LARGE = 300_000
# Statements that name an index (`indexed by`) fail without it.
NAMED = (
    *("runs_started", "runs_workflow", "runs_branch", "runs_actor", "runs_unfinished"),
    *("runs_rerun", "decisions_mended"),
)
# Without these, storing a page of runs would read whole tables.
OF_INGEST = (
    *("runs_commit", "runs_held", "runs_undecided", "runs_scheduled", "jobs_run"),
    *("flaky_shas_sha", "payload_parts_hash", "pending_requested", "repos_id"),
)
_TABLE = re.compile(r"create index \w+ on (\w+)")


def pending(db: Database) -> list[str]:
    """The indexes that are missing or have another definition, missing ones first."""
    found = objects.stored(db)
    names = [
        name
        for (kind, name), sql in objects.shipped().items()
        if kind == "index" and found.get((kind, name)) != sql
    ]
    return sorted(names, key=lambda name: ("index", name) in found)


def due_at_once(db: Database) -> list[str]:
    """Those of `pending` that the upgrade itself makes."""
    found = objects.stored(db)
    return [
        name
        for name in pending(db)
        if _is_needed(name, found) or not _is_large(db, name)
    ]


def replace(db: Database, name: str) -> None:
    """Make an index again, within the caller's transaction."""
    db.execute(f"drop index if exists {objects.quoted(name)}")
    db.execute(objects.shipped()["index", name])


def make_next(db: Database) -> str | None:
    """Make one pending index, in its own transaction; None if all are there.

    A kill leaves the former state, and the next call begins again.
    """
    names = pending(db)
    if not names:
        return None
    with write_transaction(db.conn):
        # Another process may have made it while this one waited for the lock.
        if names[0] in pending(db):
            replace(db, names[0])
    return names[0]


def _is_needed(name: str, found: objects.Objects) -> bool:
    """Whether statements fail, or polling stands still, with what is there now."""
    former = found.get(("index", name))
    if former is None:
        return name in (*NAMED, *OF_INGEST)
    # A statement that names a partial index fails if its condition is another one.
    sql = objects.shipped()["index", name]
    return name in NAMED and " where " in " ".join((sql + former).split())


def _is_large(db: Database, name: str) -> bool:
    found = _TABLE.match(objects.shipped()["index", name])
    table = found[1] if found else "runs"
    [[rows]] = db.execute(
        f"select count(*) from (select 1 from {table} limit {LARGE + 1})"
    )
    return int(rows) > LARGE
