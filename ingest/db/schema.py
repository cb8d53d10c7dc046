"""The database and its schema: `migrations` for the tables, SQL files for the rest.

The schema is the contract between `ingest` (the only writer) and the web side, which
only selects. A view or an index changes by editing `views.sql` or `indexes.sql`, and is
made anew at the next start.
"""

import logging
import re
import sqlite3
from importlib import resources
from pathlib import Path

from sqlite_utils import Database

from ci_observer.ingest.db import derived
from ci_observer.ingest.db.migrations import migrations, statements
from ci_observer.ingest.errors import DatabaseError
from ci_observer.ingest.progress import Each, log_each, quietly

log = logging.getLogger("ci_observer")

BUSY_TIMEOUT_SECONDS = 20
# Of a new file. Rows of a kilobyte leave less of such a page empty than of one half as
# large, which makes the file 4 % smaller.
PAGE_SIZE = 8192
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
        conn.execute(f"pragma page_size = {PAGE_SIZE}")
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


def migrate(db: Database, *, each: Each = log_each) -> list[str]:
    """Bring the schema up to date; return the names of the migrations that ran.

    All of it is one transaction: whatever ends it leaves the database as it was, which
    is read meanwhile. `each` tells how far the long parts of it have come.
    """
    pending = [migration.name for migration in migrations.pending(db)]
    stored, made = _stored(db, "trigger", "view"), triggers() | views()
    if not pending and stored == made and _stored(db, "index") == indexes():
        return []
    if not migrations.applied(db):
        each = quietly
    elif pending:
        log.info("Bringing the database up to date: %s", ", ".join(pending))
    with db.atomic():
        # Views may name columns that a migration is about to change.
        for kind in ("trigger", "view"):
            for name in _stored(db, kind):
                db.execute(f"drop {kind} [{name}]")
        migrations.apply(db)
        _make_indexes(db, each)
        for sql in (views() | triggers()).values():
            db.execute(sql)
        derived.remake(db, stored, made, each)
    return pending


def _make_indexes(db: Database, each: Each) -> None:
    """Drop the indexes that have changed, and make what is missing."""
    stored, wanted = _stored(db, "index"), indexes()
    for name, sql in stored.items():
        if wanted.get(name) != sql:
            db.execute(f"drop index [{name}]")
    missing = [name for name, sql in wanted.items() if stored.get(name) != sql]
    for name in each(missing, "making indexes"):
        db.execute(wanted[name])


def views() -> dict[str, str]:
    """Name → `create view` statement, in the order in which they must be made."""
    return _made_anew("views.sql", "view")


def triggers() -> dict[str, str]:
    """Name → `create trigger` statement."""
    return _made_anew("views.sql", "trigger")


def indexes() -> dict[str, str]:
    """Name → `create index` statement."""
    return _made_anew("indexes.sql", "index")


def _made_anew(file: str, kind: str) -> dict[str, str]:
    text = resources.files("ci_observer.ingest.db").joinpath("sql", file).read_text()
    made = [
        [*sql.split(maxsplit=3), sql]
        for sql in statements(re.sub(r"(?m)^--.*\n", "", text))
    ]
    return {name: sql for _, of, name, _, sql in made if of == kind}


def _stored(db: Database, *kinds: str) -> dict[str, str]:
    """Name → statement of what we made, as we write it.

    SQLite writes the first two words anew. The tables of sqlite-utils are its own.
    """
    rows = db.execute(
        "select type, name, sql from sqlite_master"
        " where sql is not null and tbl_name not like '\\_%' escape '\\'"
    )
    return {
        name: re.sub(r"^CREATE \w+", lambda words: words[0].lower(), sql)
        for kind, name, sql in rows
        if kind in kinds
    }
