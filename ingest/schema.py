"""The database and its schema: `migrations` for tables, `views.sql` for the views.

The schema is the contract between `ingest` (the only writer) and the web side, which
only selects. A view changes by editing `views.sql`, and is made anew at the next start.
"""

import logging
import re
import sqlite3
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from sqlite_utils import Database

from ingest.errors import DatabaseError
from ingest.migrations import migrations, statements

log = logging.getLogger("ci_observer")

BUSY_TIMEOUT_SECONDS = 20
# The tables that are made of the runs, as views of theirs define.
DERIVED = ("tiles", "decisions", "branch_events")
# What a full disk, a lock that is held too long or a broken file raises.
StorageError = sqlite3.Error


def connect(path: Path) -> Database:
    """Open the database for writing, making the file and its folder when absent.

    WAL lets the web side read while a poll writes. Raises `DatabaseError` when the file
    cannot be opened or is not an SQLite database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        conn = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
        conn.execute("pragma journal_mode = wal")
        conn.execute("pragma synchronous = normal")
        conn.execute("pragma foreign_keys = on")
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(
            f"Cannot open the database {path}: {error}. Check CI_OBSERVER_DB, that its "
            "folder exists and is writable, and that the file is an SQLite database."
        ) from error
    return Database(conn)


def connect_read_only(path: Path) -> Database:
    """Open the database without a way to change it.

    Raises `DatabaseError` when it is not there or has an older version's schema.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        conn = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS)
        conn.execute("select 1 from run_history, runs_full, payload_parts limit 0")
    except sqlite3.Error as error:
        raise DatabaseError(
            f"Cannot read the database {path}: {error}. Check CI_OBSERVER_DB, or bring "
            "the database up to date with ci-observer migrate."
        ) from error
    return Database(conn)


def migrate(db: Database) -> list[str]:
    """Bring the schema up to date; return the names of the migrations that ran."""
    pending = [migration.name for migration in migrations.pending(db)]
    made = [*views().values(), *triggers().values()]
    if not pending and sorted(_stored_views_and_triggers(db)) == sorted(made):
        return []
    if pending and migrations.applied(db):
        # Making indexes anew takes seconds for each million runs.
        log.info("Bringing the database up to date: %s", ", ".join(pending))
    with db.atomic():
        # Views may name columns that a migration is about to change.
        for kind, name in db.execute(
            "select type, name from sqlite_master where type in ('trigger', 'view')"
            " order by type"
        ).fetchall():
            db.execute(f"drop {kind} [{name}]")
        migrations.apply(db)
        for sql in made:
            db.execute(sql)
        remake_tiles(db)
    return pending


def remake_tiles(db: Database, repo: str | None = None) -> None:
    """Make all tiles anew, or those of one repository."""
    params = {"repo": repo}
    for table in DERIVED:
        db.execute(
            f"delete from {table} where :repo is null or repo = :repo",  # noqa: S608
            params,
        )
    keys = db.execute(
        "select distinct repo, workflow, head_branch from branch_runs"
        " where :repo is null or repo = :repo",
        params,
    )
    for key in keys.fetchall():
        remake_tile(db, *key)


def remake_tile(db: Database, repo: str, workflow: str, branch: str) -> None:
    """Make what is derived of a branch's runs anew: their decisions and their tile."""
    key = [repo, workflow, branch]
    of_branch = "where repo = ? and workflow = ? and branch = ?"
    for table in DERIVED:
        db.execute(f"delete from {table} {of_branch}", key)  # noqa: S608
    save_decisions(db, of_branch, key)
    refresh_tile(db, *key)


def save_decisions(db: Database, where: str, params: Sequence[str | int]) -> None:
    """Write what runs decide, and of which events they are; `where` tells which.

    An event of which a run took time stays, until all of the branch is made anew.
    """
    db.execute(
        f"insert into decisions select * from run_decisions {where}",  # noqa: S608
        params,
    )
    db.execute(
        "insert or ignore into branch_events select repo, workflow, branch, event"  # noqa: S608
        f" from timed_events {where}",
        params,
    )


def refresh_tile(db: Database, repo: str, workflow: str, branch: str) -> None:
    """Make one row of `tiles` equal to the view `tile_facts`, which defines it."""
    key = [repo, workflow, branch]
    db.execute(
        "insert or ignore into tiles (repo, workflow, branch) values (?, ?, ?)", key
    )
    db.execute(
        "replace into tiles select * from tile_facts"
        " where repo = ? and workflow = ? and branch = ?",
        key,
    )


def views() -> dict[str, str]:
    """Name → `create view` statement, in the order in which they must be made."""
    return _made_anew("view")


def triggers() -> dict[str, str]:
    """Name → `create trigger` statement."""
    return _made_anew("trigger")


def _made_anew(kind: str) -> dict[str, str]:
    text = resources.files("ingest").joinpath("views.sql").read_text()
    made = [
        [*sql.split(maxsplit=3), sql]
        for sql in statements(re.sub(r"(?m)^--.*\n", "", text))
    ]
    return {name: sql for _, of, name, _, sql in made if of == kind}


def _stored_views_and_triggers(db: Database) -> list[str]:
    """Their statements as we write them: SQLite writes the first two words anew."""
    sql = "select sql from sqlite_master where type in ('trigger', 'view')"
    return [
        re.sub(r"^CREATE \w+", lambda words: words[0].lower(), row[0])
        for row in db.execute(sql)
    ]
