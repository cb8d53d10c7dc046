"""The files that `reshard` reads: checked, locked and never changed."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from ci_observer.ingest.config.shard import Shard
from ci_observer.ingest.db import copies, objects
from ci_observer.ingest.db.database_file import file_id, lock_path
from ci_observer.ingest.db.migrations import migrations, table_names
from ci_observer.ingest.db.schema import refuse_newer_version
from ci_observer.ingest.errors import BackupError, DatabaseError
from ci_observer.ingest.lock import take_lock
from ci_observer.ingest.store.instance import stored_shard

NOTHING_WRITTEN = "Nothing has been written."


@dataclass(frozen=True)
class Source:
    """A database to read. `number` is its place in the command, from 0.

    `uri` opens it read-only; `size` is in bytes. `shard` is that of its instance.
    `others` are the names of tables, views and columns that belong to its user.
    """

    number: int
    path: Path
    uri: str
    size: int
    shard: Shard | None
    others: tuple[str, ...]


@contextmanager
def open_sources(paths: Sequence[Path]) -> Iterator[list[Source]]:
    """Check the files, and keep ingest from them meanwhile.

    Raises `BackupError` if one cannot be used, or has changed at the end.
    """
    if len({file_id(path) or path for path in paths}) < len(paths):
        raise BackupError(f"A FILE is named twice: name each once. {NOTHING_WRITTEN}")
    with ExitStack() as stack:
        sources = []
        for number, path in enumerate(paths):
            stack.enter_context(_without_ingest(path))
            source = _open(number, path)
            stack.enter_context(_unchanged(source))
            sources.append(source)
        yield sources


def _open(number: int, path: Path) -> Source:
    with closing(copies.open_backup(path)) as conn:
        db = Database(conn)
        try:
            refuse_newer_version(db)
        except DatabaseError:
            raise BackupError(
                f"{path} belongs to a newer version of CI Observer: install that "
                f"version. {NOTHING_WRITTEN}"
            ) from None
        if migrations.pending(db) or not objects.are_up_to_date(db):
            raise BackupError(
                f"{path} belongs to another version of CI Observer. Bring it up to "
                f"date first: CI_OBSERVER_DB={path} ci-observer migrate. "
                f"{NOTHING_WRITTEN}"
            )
        return Source(
            number,
            path,
            _uri(path),
            copies.size_of(conn),
            stored_shard(db),
            tuple(_others(db)),
        )


def refuse_missing_shards(sources: Sequence[Source]) -> None:
    """Raise `BackupError` if the file of a shard is not among the sources."""
    known = {source.shard for source in sources if source.shard}
    for count in sorted({shard.count for shard in known}):
        every = {Shard(number, count) for number in range(1, count + 1)}
        missing = sorted(shard.number for shard in every - known)
        if missing:
            names = ", ".join(map(str, missing))
            noun = "shard" if len(missing) == 1 else "shards"
            raise BackupError(
                f"The FILEs are those of {count} shards, without {noun} {names}: name "
                "every file. With --incomplete, the history of the missing ones is "
                f"left out. {NOTHING_WRITTEN}"
            )


def _uri(path: Path) -> str:
    wal = Path(f"{path}-wal")
    has_wal = wal.exists() and wal.stat().st_size > 0
    # With `immutable`, SQLite creates no file next to it.
    return f"{path.absolute().as_uri()}?mode=ro{'' if has_wal else '&immutable=1'}"


def _others(db: Database) -> Iterator[str]:
    """The names of the user's own tables, views, triggers, indexes and columns."""
    ours = table_names()
    for (name,) in db.execute(
        "select name from sqlite_master where type = 'table'"
        " and name not like 'sqlite\\_%' escape '\\' order by name"
    ).fetchall():
        if name not in ours:
            yield f"table {name}"
    _, users = objects.split_by_owner(db)
    yield from (f"{kind} {name}" for kind, name in users)
    with closing(Database(memory=True)) as empty:
        migrations.apply(empty)
        for table in sorted(ours):
            known = {column.name for column in empty[table].columns}
            for column in db[table].columns:
                if column.name not in known:
                    yield f"column {table}.{column.name}"


@contextmanager
def _without_ingest(path: Path) -> Iterator[None]:
    """Hold the lock of ingest, if there has ever been one with this file."""
    try:
        descriptor = os.open(lock_path(path), os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        take_lock(
            descriptor,
            BackupError(
                f"CI Observer is running and polls into {path}. Stop it, since an alert"
                " that it sends meanwhile would be sent again; or reshard a copy, to "
                f"try it: ci-observer backup FILE. {NOTHING_WRITTEN}"
            ),
        )
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _unchanged(source: Source) -> Iterator[None]:
    """Raise `BackupError` at the end if another process has written to the file."""
    with closing(copies.open_backup(source.path)) as conn:
        before = _version(conn, source.path)
        yield
        if _version(conn, source.path) != before:
            raise BackupError(
                f"{source.path} was changed while it was read: stop the process that "
                f"writes to it, and try again. {NOTHING_WRITTEN}"
            )


def _version(conn: sqlite3.Connection, path: Path) -> tuple[object, ...]:
    [version] = conn.execute("pragma data_version").fetchone()
    found, wal = path.stat(), Path(f"{path}-wal")
    # Without its content, an empty -wal file is not read.
    added = wal.stat().st_size if wal.exists() else 0
    return version, found.st_ino, found.st_size, found.st_mtime_ns, added
