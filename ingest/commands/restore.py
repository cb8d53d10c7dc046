"""The command `restore`: a verified backup takes the place of the database.

The former database is renamed and stays complete. A web server that is running notices
the new file by its inode.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import click
from sqlite_utils import Database

from ci_observer.ingest.commands.backup import copy_verified, refuse_full_disk
from ci_observer.ingest.commands.terminal import is_interactive
from ci_observer.ingest.db import copies, schema
from ci_observer.ingest.db.copies import Contents, Damaged
from ci_observer.ingest.db.database_file import (
    discard_files_of_former,
    file_id,
    lock_path,
    refuse_replica,
)
from ci_observer.ingest.db.permissions import FILE_MODE
from ci_observer.ingest.errors import AlreadyPolling, BackupError, DatabaseError
from ci_observer.ingest.lock import IngestLock, only_ingest


def restore(backup: Path, database: Path, *, is_confirmed: bool, now: datetime) -> None:
    """Put a copy of the backup in the place of the database, and report it.

    Asks for confirmation on a terminal, unless `is_confirmed`. Raises `BackupError`,
    and `DatabaseError` for a replica, without a change.
    """
    if not is_confirmed and not is_interactive():
        raise click.UsageError("Confirmation needs a terminal: add --yes.")
    try:
        if file_id(backup) is not None and file_id(backup) == file_id(database):
            raise BackupError(f"{backup} is the database itself.")
        refuse_replica(database)
        _refuse_litestream(database)
        with closing(copies.open_backup(backup)) as source:
            _refuse_newer(source, backup)
            with (
                _no_ingest(database) as lock,
                _verified_copy(source, backup, database.resolve()) as (part, copied),
            ):
                click.echo(f"{backup} is sound: {copied}.")
                if not is_confirmed:
                    question = f"Put it in the place of {database}?"
                    click.confirm(question, abort=True)
                former = _replace(part, database.resolve(), now)
                lock.record_open_files()
    except OSError as error:
        raise BackupError(f"Cannot restore {backup}: {error.strerror}.") from error
    _report(database, former)


@contextmanager
def _verified_copy(
    source: sqlite3.Connection, backup: Path, database: Path
) -> Iterator[tuple[Path, Contents]]:
    """A copy next to the database, with its owner and mode; deleted at the end."""
    refuse_full_disk(database, copies.size_of(source))
    # Only the holder of the lock is here, so that the name needs no number.
    part = database.with_name(f"{database.name}.restoring")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))
        copied = copy_verified(source, part)
        _take_owner_and_mode(part, database)
        yield part, copied
    except Damaged as damage:
        raise BackupError(
            f"{backup} is damaged ({damage}): restore another backup. Nothing has been "
            "changed."
        ) from damage
    finally:
        part.unlink(missing_ok=True)


def _refuse_litestream(database: Path) -> None:
    """Raise `BackupError` if Litestream uploads the changes of a database.

    It would go on with the former file, which it has open, and with the new -wal file.
    """
    folder = database.with_name(f".{database.name}-litestream")
    if folder.exists():
        raise BackupError(
            f"Litestream replicates {database}, and would mix the two files. Stop "
            f"Litestream, delete the folder {folder}, and restore again; Litestream "
            "then begins with a new snapshot. Nothing has been changed."
        )


def _refuse_newer(source: sqlite3.Connection, backup: Path) -> None:
    try:
        schema.refuse_newer_version(Database(source))
    except DatabaseError:
        raise BackupError(
            f"{backup} belongs to a newer version of CI Observer. Install that version "
            "to restore it, or restore an older backup. Nothing has been changed."
        ) from None


@contextmanager
def _no_ingest(database: Path) -> Iterator[IngestLock]:
    database.parent.mkdir(parents=True, exist_ok=True)
    # The lock's file is about to record the files of now.
    discard_files_of_former(database)
    try:
        with only_ingest(database) as lock:
            if os.geteuid() == 0:
                copies.give_to_owner(lock_path(database), _owner(database))
            yield lock
    except AlreadyPolling:
        raise BackupError(
            f"CI Observer is running and polls into {database}. Stop it, for example "
            "with docker compose stop or systemctl stop ci-observer, and restore again."
        ) from None


def _owner(database: Path) -> os.stat_result:
    """The file or folder whose owner the restored database gets."""
    return (database if database.exists() else database.parent).stat()


def _take_owner_and_mode(part: Path, database: Path) -> None:
    if not database.exists() and os.geteuid() != 0:
        return
    owner = _owner(database)
    try:
        copies.give_to_owner(part, owner)
    except PermissionError:
        raise BackupError(
            f"{database} belongs to the user {owner.st_uid} and the group "
            f"{owner.st_gid}. Run this command as that user, or as root. Nothing has "
            "been changed."
        ) from None
    if stat.S_ISREG(owner.st_mode):
        part.chmod(stat.S_IMODE(owner.st_mode) | stat.S_IRUSR | stat.S_IWUSR)


def _replace(part: Path, database: Path, now: datetime) -> Path | None:
    """Give the copy the database's name; return the new name of the former one.

    The former -wal file is kept, because it holds the last transactions, and because
    its inode must not become that of the new database's.
    """
    former = None
    if database.exists():
        former = database.with_name(f"{database.name}.former-{now:%Y%m%dT%H%M%SZ}")
        _add_name(database, former)
    wal, shm = Path(f"{database}-wal"), Path(f"{database}-shm")
    if wal.exists():
        wal.rename(f"{former or f'{database}.former'}-wal")
    shm.unlink(missing_ok=True)
    part.replace(database)
    copies.sync_folder(database.parent)
    return former


def _add_name(file: Path, name: Path) -> None:
    try:
        os.link(file, name)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links: no file is at the path for a moment.
        file.rename(name)


def _report(database: Path, former: Path | None) -> None:
    click.echo(f"Restored to {database}. Start CI Observer again.")
    if former:
        click.echo(
            f"The former database is kept as {former.name}. Delete it, and its -wal "
            "file if there is one, when you do not need it."
        )
