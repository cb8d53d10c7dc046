"""Complete copies of the database file: for a backup, and to restore one.

A copy has no -wal file and can be read on its own, also on a read-only disk.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from ci_observer.ingest.db.migrations import migrations
from ci_observer.ingest.db.schema import BUSY_TIMEOUT_SECONDS
from ci_observer.ingest.db.storage_errors import explain, is_damage
from ci_observer.ingest.errors import BackupError

# A step of 8 MB takes 30 ms.
STEP_PAGES = 1024
# Instructions of SQLite's virtual machine between two calls of `on_progress`.
CHECK_INSTRUCTIONS = 1_000_000

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Contents:
    """The rows of each table of a database, and its newest run.

    `newest` is a time as text, None without a run; `size` is in bytes.
    """

    rows: dict[str, int]
    newest: str | None
    size: int

    def __str__(self) -> str:
        runs = self.rows["runs"]
        if not self.newest:
            return "no runs"
        return f"{runs:,} run{'s' if runs != 1 else ''} up to {self.newest}"


class Damaged(Exception):
    """A database or its copy is damaged; the text is SQLite's."""


def open_live(path: Path) -> sqlite3.Connection:
    """Open a database that another process may be writing to, for reading.

    Raises `BackupError` if it is not a database of CI Observer, of any version.
    """
    if not path.exists():
        raise BackupError(f"There is no database at {path}. Check CI_OBSERVER_DB.")
    return _open(path, "mode=ro")


def open_backup(path: Path) -> sqlite3.Connection:
    """Open a backup for reading; creates no file next to it.

    Raises `BackupError` if it is not a database of CI Observer, of any version.
    """
    if not path.is_file():
        raise BackupError(f"There is no file {path}.")
    others = (Path(f"{path}{suffix}") for suffix in ("-wal", "-journal"))
    has_more = any(other.exists() and other.stat().st_size for other in others)
    return _open(path, "mode=ro" if has_more else "mode=ro&immutable=1")


def _open(path: Path, options: str) -> sqlite3.Connection:
    conn = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
    )
    try:
        if migrations.applied(Database(conn)):
            conn.execute("select run_id, started_at from runs limit 0")
            return conn
    except sqlite3.DatabaseError as error:
        conn.close()
        raise BackupError(_unreadable_text(path, error)) from error
    conn.close()
    raise BackupError(f"{path} is not a database of CI Observer.")


def _unreadable_text(path: Path, error: sqlite3.DatabaseError) -> str:
    text = f"{path} cannot be read: {error}."
    if getattr(error, "sqlite_errorname", None) == "SQLITE_CANTOPEN":
        text += (
            f" SQLite has to write to its folder, because of {path.name}-wal: copy "
            "both files to a folder that is writable."
        )
    return text


def open_for_bulk(path: Path) -> sqlite3.Connection:
    """Open a file that no other process reads, and that a failure deletes."""
    conn = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rwc", uri=True, isolation_level=None
    )
    for pragma in ("journal_mode = off", "synchronous = off", "cache_size = -200000"):
        conn.execute(f"pragma {pragma}").fetchall()
    # Python runs its handler of a signal, such as Ctrl-C, between two calls.
    conn.set_progress_handler(lambda: 0, CHECK_INSTRUCTIONS)
    # The default is /tmp, which is small in a container.
    folder = str(path.absolute().parent).replace("'", "''")
    conn.execute(f"pragma temp_store_directory = '{folder}'")
    return conn


def contents(conn: sqlite3.Connection) -> Contents:
    """The contents of the database in the connection's transaction."""
    # Virtual tables have no pages, and may need an extension that is not loaded.
    tables = conn.execute(
        "select name from sqlite_schema where type = 'table' and rootpage > 0"
    )
    rows = {name: _count(conn, name) for [name] in tables.fetchall()}
    [newest] = conn.execute("select max(started_at) from runs").fetchone()
    return Contents(rows, newest, size_of(conn))


def size_of(conn: sqlite3.Connection) -> int:
    """The size of the database in bytes."""
    [pages] = conn.execute("pragma page_count").fetchone()
    [page_size] = conn.execute("pragma page_size").fetchone()
    return int(pages * page_size)


def _count(conn: sqlite3.Connection, table: str) -> int:
    name = table.replace('"', '""')
    [count] = conn.execute(f'select count(*) from "{name}"').fetchone()  # noqa: S608
    return int(count)


def copy_into(
    target: Path, source: sqlite3.Connection, on_progress: OnProgress
) -> Contents:
    """Copy one state of the database into an empty file, in small steps.

    The source is in one read transaction meanwhile: without it, each write of another
    process would start the copy again. Writers do not wait for it. Raises `Damaged`,
    and `BackupError` if the copy cannot be written.
    """
    try:
        source.execute("begin")
        copied = contents(source)
        _copy_pages(source, target, on_progress)
        source.rollback()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise Damaged(str(error)) from error
        raise BackupError(f"The copy failed: {explain(error, target)}") from error
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return copied


def _copy_pages(
    source: sqlite3.Connection, target: Path, on_progress: OnProgress
) -> None:
    # The file is of no use unless it is complete: it needs no journal.
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute("pragma journal_mode = off")
        copy.execute("pragma synchronous = off")
        source.backup(
            copy,
            pages=STEP_PAGES,
            progress=lambda _, left, total: on_progress(total - left, total),
        )
        # Otherwise a reader needs a -wal and a -shm file.
        copy.execute("pragma journal_mode = delete").fetchall()


def verify(copy: Path, expected: Contents, on_progress: Callable[[], None]) -> None:
    """Raise `Damaged` unless a copy is sound and has the expected rows."""
    with closing(open_backup(copy)) as conn:
        conn.set_progress_handler(on_progress, CHECK_INSTRUCTIONS)
        try:
            problems = [row[0] for row in conn.execute("pragma integrity_check")]
            found = contents(conn)
        except sqlite3.DatabaseError as error:
            raise_if_interrupted(error)
            raise Damaged(str(error)) from error
    if problems != ["ok"]:
        raise Damaged(str(problems[0]))
    if found.rows != expected.rows:
        raise Damaged("rows are missing")


def raise_if_interrupted(error: sqlite3.DatabaseError) -> None:
    """Raise `KeyboardInterrupt` if a signal, such as Ctrl-C, has ended a statement."""
    if getattr(error, "sqlite_errorname", None) == "SQLITE_INTERRUPT":
        raise KeyboardInterrupt from None


def give_to_owner(path: Path, owner: os.stat_result) -> None:
    """Give a file to the owner and group of another one; only root may have to."""
    found = path.stat()
    if (found.st_uid, found.st_gid) != (owner.st_uid, owner.st_gid):
        os.chown(path, owner.st_uid, owner.st_gid)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
