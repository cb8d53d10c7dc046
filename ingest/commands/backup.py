"""The command `backup`: a verified copy of the database, while ingest may be running.

The copy gets its name when it is complete and verified. A temporary file that a killed
backup has left is deleted by the next one in the folder.
"""

import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import click

from ci_observer.ingest.commands.terminal import megabytes, progress_bar
from ci_observer.ingest.db import copies
from ci_observer.ingest.db.copies import Contents, Damaged
from ci_observer.ingest.db.database_file import file_id, files_of
from ci_observer.ingest.db.permissions import FILE_MODE
from ci_observer.ingest.errors import BackupError

# The disk needs a little room for others while the copy is written.
SPARE_BYTES = 10_000_000


def back_up(database: Path, target: Path, *, force: bool, now: datetime) -> Path:
    """Write a verified copy, report it, and return its path.

    `target` is a file, or a folder for a file with a dated name. Raises `BackupError`.
    """
    try:
        path = _file_for(database, target, now)
        _refuse_target(database, path, force=force)
        with closing(copies.open_live(database)) as source:
            refuse_full_disk(path, copies.size_of(source))
            with _part_of(path, database) as part:
                copied = _copy(source, part, database)
                if os.geteuid() == 0:
                    copies.give_to_owner(part, database.stat())
                _refuse_target(database, path, force=force)
                part.replace(path)
        copies.sync_folder(path.parent)
    except OSError as error:
        raise BackupError(f"Cannot write {target}: {error.strerror}.") from error
    click.echo(f"Saved {copied} in {path} ({megabytes(copied.size)}, verified).")
    return path


def create_folder(folder: Path) -> None:
    """Create a missing folder for backups, but not the one that it is in.

    A disk that is not mounted is thus an error. Raises `BackupError`.
    """
    try:
        folder.mkdir(0o750, exist_ok=True)
    except OSError as error:
        raise BackupError(f"Cannot create {folder}: {error.strerror}.") from error


def delete_older(database: Path, newest: Path, keep: int) -> None:
    """Delete all but `keep` of the dated backups in the folder of the newest one."""
    others = [
        path for path in _files(newest.parent, _dated(database)) if path != newest
    ]
    # The names are in the order of their times.
    older = others[: max(0, len(others) - keep + 1)]
    for path in older:
        path.unlink(missing_ok=True)
    if older:
        click.echo(f"Deleted {len(older)} older: {older[0].name} to {older[-1].name}.")


def refuse_full_disk(path: Path, size: int) -> None:
    """Raise `BackupError` if the disk of a path has no room for a file of this size."""
    free = shutil.disk_usage(path.parent).free
    if free < size + SPARE_BYTES:
        raise BackupError(
            f"The copy needs {megabytes(size + SPARE_BYTES)} on the disk of "
            f"{path.parent}, and {megabytes(free)} are free. Make room, or choose a "
            "folder on another disk. Nothing has been changed."
        )


def _file_for(database: Path, target: Path, now: datetime) -> Path:
    if target.is_dir():
        target /= f"{database.stem}-{now:%Y%m%dT%H%M%SZ}{database.suffix}"
    return target.resolve()


def _dated(database: Path) -> str:
    """A regular expression for the names that `_file_for` gives."""
    stem, suffix = re.escape(database.stem), re.escape(database.suffix)
    return rf"{stem}-\d{{8}}T\d{{6}}Z{suffix}"


def _files(folder: Path, name: str) -> list[Path]:
    """The files in a folder whose whole name matches, in the order of their names."""
    return sorted(
        path
        for path in folder.iterdir()
        if re.fullmatch(name, path.name) and path.is_file() and not path.is_symlink()
    )


def _refuse_target(database: Path, path: Path, *, force: bool) -> None:
    own = files_of(database)
    if path in [file.resolve() for file in own] or (
        path.exists() and file_id(path) in map(file_id, own)
    ):
        raise BackupError(
            f"{path} belongs to the database itself: choose another name."
        )
    if path.exists() and not path.is_file():
        raise BackupError(f"{path} is not a file: choose another name.")
    if path.exists() and not force:
        raise BackupError(
            f"{path} exists already. Choose another name, or a folder for a file with "
            "a dated name, or give --force."
        )


@contextmanager
def _part_of(path: Path, database: Path) -> Iterator[Path]:
    """A temporary file for the copy, which is locked and deleted at the end."""
    part = path.with_name(f".{path.name}.part")
    for former in [part, *_files(path.parent, rf"\.{_dated(database)}\.part")]:
        _delete_unless_locked(former)
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        raise BackupError(f"Another backup is writing {path} now.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(descriptor)


def _delete_unless_locked(part: Path) -> None:
    try:
        descriptor = os.open(part, os.O_RDWR)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()
    except BlockingIOError:
        pass  # The backup that writes it is running.
    finally:
        os.close(descriptor)


def _copy(source: sqlite3.Connection, part: Path, database: Path) -> Contents:
    try:
        return copy_verified(source, part)
    except Damaged as damage:
        raise BackupError(
            f"The copy of {database} is damaged ({damage}) and was deleted. If it is "
            "damaged again at the next try, so is the database: restore an earlier "
            "backup with ci-observer restore."
        ) from damage


def copy_verified(source: sqlite3.Connection, part: Path) -> Contents:
    """Copy a database and verify the copy, with progress bars on a terminal.

    Raises `Damaged`, and `BackupError` if the copy cannot be written.
    """
    with progress_bar(None, 1, "copying") as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        copied = copies.copy_into(part, source, show)
    with progress_bar(None, 1, "verifying") as bar:
        copies.verify(part, copied, bar.render_progress)
        bar.update(1)
    return copied
