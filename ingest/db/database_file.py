"""The database file by its inode: whether the one at the path is still the open one.

A file that is moved to the path of an open database meets the -wal file of the former
one. SQLite would take it for its own and write its pages into the new file:
https://www.sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use
"""

import json
import logging
import os
import shutil
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.db.storage_errors import REPAIR
from ci_observer.ingest.errors import DamagedDatabase, DatabaseError, DatabaseGone

log = logging.getLogger("ci_observer")

# The device and the inode of a file.
FileId = tuple[int, int]

SUFFIXES = ("", "-wal", "-shm")
WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
EMPTY_SECONDS = 2


def file_id(path: Path | str) -> FileId | None:
    """Identifies the file at a path; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def lock_path(path: Path) -> Path:
    """The file that ingest locks, and in which it records what it has open."""
    return path.with_name(f"{path.name}.lock")


def files_of(path: Path) -> list[Path]:
    """The paths of all files of a database: its own three, and that of the lock."""
    return [*(Path(f"{path}{suffix}") for suffix in SUFFIXES), lock_path(path)]


def refuse_empty_file(path: Path) -> None:
    """Raise `DamagedDatabase` for a file of 0 bytes: it may have lost everything.

    Another process that creates a database has an empty file for a moment.
    """
    deadline = time.monotonic() + EMPTY_SECONDS
    while path.stat().st_size == 0:
        if time.monotonic() > deadline:
            raise DamagedDatabase(
                f"The database {path} is empty: the file has 0 bytes. Nothing was "
                f"changed. If it had data, {REPAIR} To begin with an empty database, "
                "delete the file."
            )
        time.sleep(EMPTY_SECONDS / 50)


def txid_path(path: Path) -> Path:
    """The file that Litestream writes after each change, next to a database."""
    return path.with_name(f"{path.name}-txid")


def refuse_replica(path: Path) -> None:
    """Raise `DatabaseError` for a file that Litestream writes, as its -txid file shows.

    A second writer would damage it, and the locks of WAL mode would stop Litestream.
    """
    txid = txid_path(path)
    if txid.exists():
        raise DatabaseError(
            f"The database {path} is a replica that Litestream writes, as {txid.name} "
            "shows. Read it with ci-observer serve --read-only. A writer needs a copy: "
            "make one with ci-observer backup FILE."
        )


def keep_damaged_wal(path: Path) -> None:
    """Copy a -wal file that SQLite will ignore and overwrite, since its head is broken.

    https://www.sqlite.org/fileformat2.html#the_write_ahead_log
    """
    wal, copy = Path(f"{path}-wal"), Path(f"{path}-wal.damaged")
    try:
        with wal.open("rb") as file:
            head = file.read(4)
        if not head or head in WAL_MAGIC or copy.exists():
            return
        shutil.copyfile(wal, copy)
        copy.chmod(stat.S_IMODE(path.stat().st_mode))
    except OSError:
        return
    log.warning(
        "%s is damaged, and SQLite cannot read it: the newest data may be missing. A "
        "copy of it is kept as %s.",
        wal,
        copy.name,
    )


class FileDatabase(Database):
    """A database that is open for writing, and the identity of its file."""

    def __init__(self, conn: sqlite3.Connection, path: Path) -> None:
        super().__init__(conn)
        self.file_path = path
        self._opened = file_id(path)

    def refuse_other_file(self) -> None:
        """Raise `DatabaseGone` if the file at the path is not the open one."""
        found = file_id(self.file_path)
        if found == self._opened:
            return
        if found is None:
            raise missing(self.file_path)
        raise DatabaseGone(
            f"The database {self.file_path} was replaced by another file. Nothing was "
            "written to it. This process ends; the next start uses the new file, and "
            "ci-observer up starts it by itself."
        )


def path_of(db: Database) -> Path:
    """The path that a database was opened by; empty for one in memory."""
    return db.file_path if isinstance(db, FileDatabase) else Path()


def missing(path: Path) -> DatabaseGone:
    """The error for a file that was there before."""
    return DatabaseGone(
        f"The database {path} was deleted or moved away. Nothing is written until it "
        "is back: restore it, or a backup, at this path. To begin with an empty "
        "database instead, stop CI Observer and start it again."
    )


def record_files(path: Path) -> dict[str, FileId | None]:
    """The identities of the open database and of its two other files."""
    return {suffix: file_id(f"{path}{suffix}") for suffix in SUFFIXES}


def discard_files_of_former(path: Path) -> None:
    """Put the -wal file of a replaced or deleted database out of the way.

    It is one if ingest had it open together with another file than the one that is at
    the path now.
    """
    database, wal, shm = (file_id(f"{path}{suffix}") for suffix in SUFFIXES)
    recorded = _recorded(path)
    if not recorded or not recorded[""] or database == recorded[""]:
        return
    if wal and wal == recorded["-wal"]:
        Path(f"{path}-wal").replace(f"{path}-wal.former")
        log.warning(
            "%s is not the file that was open. The -wal file of that one is kept as "
            "%s-wal.former.",
            path,
            path.name,
        )
    if shm and shm == recorded["-shm"]:
        Path(f"{path}-shm").unlink(missing_ok=True)


def _recorded(path: Path) -> dict[str, FileId | None] | None:
    try:
        content: Any = json.loads(lock_path(path).read_text("utf-8"))
        files = content["files"]
        return {name: files[name] and tuple(files[name]) for name in SUFFIXES}
    except (OSError, ValueError, KeyError, TypeError):
        return None
