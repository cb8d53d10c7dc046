"""Opens the database and brings its schema up to date.

The schema is the contract between `ingest` (the only writer) and the web side, which
only selects. `migrations` creates the tables. To change a view, trigger or index, edit
its file in `sql/`: the next start replaces it.
"""

import logging
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.config import database_group
from ci_observer.ingest.db import derived, indexes, objects, user_objects
from ci_observer.ingest.db.database_file import (
    FileDatabase,
    discard_files_of_former,
    keep_damaged_wal,
    refuse_empty_file,
    refuse_replica,
    txid_path,
)
from ci_observer.ingest.db.disk import existing_folder
from ci_observer.ingest.db.locks import use_wal, write_transaction
from ci_observer.ingest.db.migrations import known_names, migrations
from ci_observer.ingest.db.objects import Objects
from ci_observer.ingest.db.permissions import create_file, restrict
from ci_observer.ingest.db.storage_errors import (
    REPAIR,
    explain,
    has_advice,
    is_damage,
)
from ci_observer.ingest.db.user_references import (
    refusing_lost_rows,
    without_foreign_keys,
)
from ci_observer.ingest.errors import DamagedDatabase, DatabaseError
from ci_observer.ingest.progress import Progress, log_progress, no_progress
from ci_observer.ingest.texts import one_line

log = logging.getLogger("ci_observer")

BUSY_TIMEOUT_SECONDS = 20
DAMAGE_CHECK_SECONDS = 20
# One of them is in every database of ours; the first is of sqlite-utils' migrations.
OUR_TABLES = {"_sqlite_migrations", "runs"}
# For new files. With rows of a kilobyte, these pages waste less space than pages of
# half the size: the file is 4 % smaller.
PAGE_SIZE = 8192
# Raised for a full disk, a lock that is held too long and a broken file.
StorageError = sqlite3.Error
# Raised for a value that cannot be stored; the file is not the reason.
VALUE_ERRORS = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


def connect(path: Path) -> Database:
    """Open the database for writing; create the file and its folder when absent.

    WAL lets the web side read while a poll writes. Raises `DatabaseError` when the file
    cannot be opened or is not an SQLite database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        discard_files_of_former(path)
        if path.exists():
            refuse_replica(path)
            refuse_empty_file(path)
            keep_damaged_wal(path)
        create_file(path)
        restrict(path, group=database_group())
        conn = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
        conn.execute(f"pragma page_size = {PAGE_SIZE}")
        use_wal(conn, timeout=BUSY_TIMEOUT_SECONDS)
        conn.execute("pragma synchronous = normal")
        conn.execute("pragma foreign_keys = on")
    except (OSError, sqlite3.Error) as error:
        raise _cannot_open(path, error) from error
    return FileDatabase(conn, path)


def refuse_other_program(path: Path) -> None:
    """Raise `DamagedDatabase` if the file has tables, but none of ours.

    It is not opened for writing. Another error is left to `connect`.
    """
    names: list[str] = []
    with suppress(sqlite3.Error), closing(connect_idle(path)) as db:
        names = db.table_names()
    if names and not OUR_TABLES.intersection(names):
        raise DamagedDatabase(
            f"{path} is a database of another program: it has the table {names[0]}, and"
            " none of CI Observer's. Nothing was changed. Check CI_OBSERVER_DB; if this"
            f" was the database, {REPAIR}"
        )


def connect_idle(path: Path) -> Database:
    """Open a database that is there for reading, without waiting for locks.

    Raises `sqlite3.Error`.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    conn = sqlite3.connect(uri, uri=True, timeout=0)
    try:
        # Opens the -wal and -shm files, too.
        conn.execute("select 1 from sqlite_master limit 1").fetchall()
    except sqlite3.Error:
        conn.close()
        raise
    return Database(conn)


def describe(path: Path) -> str:
    """Try to open the database for writing, and describe it. Changes nothing.

    Raises `DatabaseError` like `connect` and `migrate`.
    """
    try:
        if not path.exists():
            return _describe_missing(path)
        refuse_empty_file(path)
        refuse_other_program(path)
        uri = f"{path.absolute().as_uri()}?mode=rw"
        conn = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS)
        with closing(Database(conn)) as db:
            # The lock is refused if the file or its folder is read-only.
            db.execute("begin immediate")
            refuse_newer_version(db)
            db.execute("rollback")
            _refuse_damage(db, path)
            if _is_up_to_date(db):
                return "found, up to date"
            return "found, the next start brings it up to date"
    except (OSError, sqlite3.Error) as error:
        raise _cannot_open(path, error) from error


def _refuse_damage(db: Database, path: Path) -> None:
    """Raise `DamagedDatabase` if a page is broken; look for at most 20 seconds."""
    deadline = time.monotonic() + DAMAGE_CHECK_SECONDS
    db.conn.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
    try:
        [[found]] = db.execute("pragma quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_INTERRUPT":
            raise
        return
    finally:
        db.conn.set_progress_handler(None, 0)
    if found != "ok":
        raise DamagedDatabase(f"{path} is damaged ({one_line(found)}): {REPAIR}")


def _describe_missing(path: Path) -> str:
    """Try to create a file in the database's folder, or where that would be made."""
    tempfile.TemporaryFile(dir=existing_folder(path)).close()
    return "none yet, the first start creates it"


def _cannot_open(path: Path, error: Exception) -> DatabaseError:
    if isinstance(error, sqlite3.Error) and has_advice(error):
        text = explain(error, path)
        kind = DamagedDatabase if is_damage(error) else DatabaseError
        return kind(f"Cannot open the database {path}: {text}")
    return DatabaseError(
        f"Cannot open the database {path}: {error}. Check CI_OBSERVER_DB, that its "
        "folder exists and is writable, and that the file is an SQLite database."
    )


class ReplicaConnection(sqlite3.Connection):
    """Reads a file that Litestream writes.

    Litestream changes pages without the counter by which SQLite notices that, so each
    statement forgets the pages of those before it:
    https://www.sqlite.org/fileformat2.html#file_change_counter
    """

    def execute(self, *args: Any) -> sqlite3.Cursor:
        """Execute a statement, with the pages that the file has now."""
        if not self.in_transaction:
            super().execute("pragma shrink_memory")
        return super().execute(*args)


def connect_read_only(path: Path) -> Database:
    """Open the database read-only.

    Raises `DatabaseError` when it is not there or has another version's schema.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if path.exists():
        refuse_empty_file(path)
        refuse_other_program(path)
    try:
        conn = sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_TIMEOUT_SECONDS,
            factory=(
                ReplicaConnection if txid_path(path).exists() else sqlite3.Connection
            ),
        )
        refuse_newer_version(Database(conn))
        conn.execute("select 1 from run_history, runs_full, payload_parts limit 0")
    except sqlite3.Error as error:
        raise DatabaseError(
            f"Cannot read the database {path}: {error}. {_reading_advice(path, error)}"
        ) from error
    return Database(conn)


def _reading_advice(path: Path, error: sqlite3.Error) -> str:
    if is_damage(error):
        return explain(error, path).removeprefix(f"{error}. ")
    # The extended code tells more than the message: https://www.sqlite.org/wal.html
    if error.sqlite_errorname.startswith("SQLITE_READONLY"):
        return (
            f"SQLite needs a -wal and a -shm file next to it, also for reading: make "
            f"the folder {path.absolute().parent} writable for this user, or copy the "
            "database and its -wal file to another folder and set CI_OBSERVER_DB."
        )
    if not path.exists():
        return "There is no such file. Check CI_OBSERVER_DB."
    return (
        "Check CI_OBSERVER_DB, or bring the database up to date with ci-observer "
        "migrate."
    )


def migration_names() -> tuple[str, ...]:
    """The names of this version's migrations, in their order."""
    with closing(Database(memory=True)) as empty:
        return tuple(migration.name for migration in migrations.pending(empty))


def shipped_views() -> dict[str, str]:
    """The `create view` statements of this version by name."""
    return _views(objects.shipped())


def migrate(db: Database, *, progress: Progress = log_progress) -> list[str]:
    """Bring the schema up to date; return the names of the migrations that ran.

    It is one transaction: an error or a kill leaves the database as it was, and readers
    see the former state until it ends. Some indexes of large tables are left to
    `indexes.make_next`. `progress` reports on the long parts. Raises `DatabaseError`
    when the upgrade is refused or fails.
    """
    refuse_newer_version(db)
    if _is_up_to_date(db):
        return []
    try:
        with without_foreign_keys(db), write_transaction(db.conn):
            # Another process may have done it while this one waited for the lock.
            refuse_newer_version(db)
            return [] if _is_up_to_date(db) else _upgrade(db, progress)
    except sqlite3.Error as error:
        if is_damage(error):
            raise
        raise user_objects.explained(error) from error


def _is_up_to_date(db: Database) -> bool:
    return (
        not migrations.pending(db)
        and objects.are_up_to_date(db)
        and not indexes.due_at_once(db)
    )


def refuse_newer_version(db: Database) -> None:
    """Raise `DatabaseError` when a newer version has migrated the database."""
    applied = [migration.name for migration in migrations.applied(db)]
    if unknown := [name for name in applied if name not in known_names()]:
        raise DatabaseError(
            "The database belongs to a newer version of CI Observer: this one does not"
            f" know its migration {unknown[-1]}. Install the newer version again, or"
            " restore the backup from before the update: ci-observer restore FILE."
            " Nothing has been changed."
        )


def _upgrade(db: Database, progress: Progress) -> list[str]:
    pending = [migration.name for migration in migrations.pending(db)]
    if not migrations.applied(db):
        progress = no_progress
    elif pending:
        log.info(
            "Bringing the database up to date: %s. An older version cannot use it then;"
            " ci-observer restore can put back a backup from before.",
            ", ".join(pending),
        )
    with refusing_lost_rows(db):
        _replace_schema(db, progress)
    return pending


def _replace_schema(db: Database, progress: Progress) -> None:
    ours, users = objects.split_by_owner(db)
    user_objects.refuse_shipped_names(users)
    # While a view or trigger refers to a dropped view, SQLite refuses to rename a
    # column; otherwise it would rewrite their texts.
    objects.drop(db, [key for key in ours | users if key[0] != "index"])
    migrations.apply(db)
    _create_indexes(db, users, progress)
    for (kind, _), sql in objects.shipped().items():
        if kind != "index":
            db.execute(sql)
    user_objects.restore(db, users)
    objects.record(db)
    derived.rebuild_changed(db, _views(ours), _views(objects.shipped()), progress)


def _create_indexes(db: Database, users: Objects, progress: Progress) -> None:
    """Drop our former indexes, and create those that cannot wait."""
    wanted = objects.shipped()
    # Read again: old migrations create indexes too.
    former = objects.stored(db).keys() - users.keys() - wanted.keys()
    objects.drop(db, [key for key in former if key[0] == "index"])
    for name in progress(indexes.due_at_once(db), "creating indexes"):
        indexes.replace(db, name)


def _views(found: Objects) -> dict[str, str]:
    """The `create view` statements by name."""
    return {name: sql for (kind, name), sql in found.items() if kind == "view"}
