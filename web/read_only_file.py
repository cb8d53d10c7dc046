"""The database file for `serve --read-only`: other programs write or replace it.

Nothing is created or changed next to the file. SQLite opens it by its state:

- In WAL mode, with the -wal and -shm files of a writer: by these.
- In WAL mode without them, as a backup is: alone, as a file without a writer.
- In rollback-journal mode, as a replica of Litestream is: with locks.

The path may be a link, which `ci-observer replica` sets to one of two copies in turn.

Litestream writes the pages of a replica in place, under an exclusive lock, and does not
always change the counter by which SQLite notices that. So in the last two cases a new
connection is opened as soon as the modification time is another one, and a read is
repeated if it is another one at the end.
"""

import asyncio
import os
import stat
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from datasette.utils.sqlite import sqlite3

from ci_observer.web.database_file import DatabaseFile, FileId, FileState, ReadGuard
from ci_observer.web.errors import Unavailable
from ci_observer.web.schema_check import Schema

T = TypeVar("T")

NONE_YET = (
    "There is no database yet at {path}. This page shows it as soon as the replication "
    "or a writer has made it."
)
GONE = (
    "The database {path} was deleted or moved away. This page shows it as soon as the "
    "replication or a writer has made it again."
)
BEING_WRITTEN = (
    "The database {path} is just being written, or a replication was stopped in the "
    "middle of that. If it stays so, stop the replication, delete the file and "
    "{path}-txid, and start the replication again. Without a replication, delete "
    "{path}-txid."
)
NO_SHM = (
    "The newest data of {path} are in {path}-wal, which cannot be read without the "
    "file {path}-shm of a writer. Start ci-observer ingest, or run ci-observer migrate."
)
HOT_JOURNAL = (
    "A program was stopped in the middle of writing {path}, as {path}-journal shows. "
    "The next program that may write it repairs it: start ci-observer ingest, run "
    "ci-observer migrate, or restore the replica again."
)
CHANGING = (
    "The database changes faster than it can be read. Try again in a moment, or narrow "
    "the selection."
)
# How long a request waits for the end of an update.
WAIT_SECONDS = 5
SECONDS_BETWEEN_CHECKS = 0.02
# Two changes within a tick of the kernel's clock, at most 10 ms, may have the same
# modification time.
TICK_NS = 20_000_000
# Of a read during which the file changes.
TRIES = 5
# A replica shows one of two in turn.
COPIES = 2
# Where an SQLite file says whether it is in WAL mode, and its two values.
# https://www.sqlite.org/fileformat2.html#file_format_version_numbers
VERSIONS_AT = 18
WAL = 2


class FileChanged(Exception):
    """The file has changed during a read, which is to be repeated."""


class Unsettled(Unavailable):
    """The file cannot be read in this state, which may last for a moment only.

    `text` has `{path}` instead of a path.
    """

    def __init__(self, path: str, text: str) -> None:
        super().__init__(text.format(path=Path(path).name))
        self.text = text


class ReadOnlyFile(DatabaseFile):
    """A file of other programs: waits for it, and tells its states apart.

    `schema` is that of this version, which is the only one that is read.
    """

    def __init__(self, path: str, schema: Schema) -> None:
        super().__init__(path)
        self._schema = schema
        self._header_files: dict[FileId, int] = {}
        self._given_up: tuple[str, int | None] | None = None
        self._was_read = False

    def check(self) -> FileState:
        """The state of the file now; raises `Unavailable` if it cannot be read."""
        with self._lock:
            try:
                path = os.path.join(self._folder, os.readlink(self.path))
            except OSError:
                return self._check(self.path)
            return replace(self._check(path), path=path)

    def _check(self, path: str) -> FileState:
        state = super()._check(path)
        try:
            found = os.stat(path)
        except OSError:
            raise self._missing() from None
        # Docker makes a folder where a file is to be mounted and missing.
        if found.st_size == 0 or not stat.S_ISREG(found.st_mode):
            raise self._missing()
        wal_size = _size(f"{path}-wal")
        is_alone = state.former_wal is not None
        if self._is_in_wal_mode(path, state.database):
            has_shm = _size(f"{path}-shm") is not None
            if not is_alone and wal_size is not None and has_shm:
                self._was_read = True
                return replace(state, is_at_rest=False, is_read_only=True)
            if not is_alone and wal_size:
                raise Unsettled(self.path, NO_SHM)
            is_alone = True
        elif wal_size is not None:
            # SQLite would use it, although it cannot belong to this file.
            is_alone = True
        if is_alone and _size(f"{path}-journal"):
            raise Unsettled(self.path, HOT_JOURNAL)
        if _is_being_written(path, found):
            raise Unsettled(self.path, BEING_WRITTEN)
        self._was_read = True
        return replace(
            state,
            is_at_rest=is_alone,
            stamp=_stamp(found),
            is_read_only=True,
        )

    def is_unchanged(self, state: FileState) -> bool:
        """Whether a file that was read, under a lock if it has one, is as it was.

        Another copy may be shown meanwhile: the one that was read is then still whole.
        """
        if state.stamp is None or state.is_at_rest:
            return self.check() == state
        try:
            found = os.stat(state.path or self.path)
        except OSError:
            return False
        identity = found.st_dev, found.st_ino
        return (identity, _stamp(found)) == (state.database, state.stamp)

    def _missing(self) -> Unavailable:
        return self.problem(GONE if self._was_read else NONE_YET)

    def _is_in_wal_mode(self, path: str, database: FileId) -> bool:
        # The descriptors stay open: to close one would end all locks of this process on
        # the file, and so those of SQLite's reads.
        try:
            descriptor = self._header_files.get(database) or self._open_header(path)
            return WAL in os.pread(descriptor, 2, VERSIONS_AT)
        except OSError:
            return False  # SQLite reports it.

    def _open_header(self, path: str) -> int:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        opened = os.fstat(descriptor)
        self._header_files[opened.st_dev, opened.st_ino] = descriptor
        if len(self._header_files) > COPIES:
            os.close(self._header_files.pop(next(iter(self._header_files))))
        return descriptor

    async def current(self) -> FileState:
        """The state of the file; waits for the end of an update.

        Raises `Unavailable` if there is none, or if the update does not end.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                state = self.check()
            except Unsettled as error:
                # Later requests about the same state do not wait again.
                situation = (error.text, _modified_at(self.path))
                if situation == self._given_up or time.monotonic() > deadline:
                    self._given_up = situation
                    raise self.problem(error.text) from None
            else:
                if self._given_up is not None:
                    self._given_up, self._logged = None, ""
                return state
            await asyncio.sleep(SECONDS_BETWEEN_CHECKS)

    async def read_one_state(self, read: Callable[[], Awaitable[T]]) -> T:
        """The result of `read`, repeated if the file changes meanwhile."""
        for _ in range(TRIES):
            await self.current()
            with suppress(FileChanged, Unsettled):
                return await read()
        raise Unavailable(CHANGING)

    def guard(self, state: FileState) -> ReadGuard:
        """The checks for a new connection to the file in this state."""
        return _Guard(self, state)

    def refuse_other_schema(self, conn: sqlite3.Connection) -> None:
        """Raise `Unavailable` if the database is of another version."""
        difference = self._schema.difference(conn)
        if difference is not None:
            text, kind = difference
            raise self.problem(text, kind)

    def close(self) -> None:
        """Close the descriptors."""
        while self._header_files:
            os.close(self._header_files.popitem()[1])


class _Guard(ReadGuard):
    def __init__(self, file: ReadOnlyFile, state: FileState) -> None:
        self._file, self._state = file, state
        self._checked_schema: int | None = None

    def check_begin(self, conn: sqlite3.Connection) -> None:
        """Raise `Unavailable` if the schema is of another version."""
        # Takes the lock of the transaction. SQLite changes it with the schema.
        [version] = conn.execute("pragma schema_version").fetchone()
        if version != self._checked_schema:
            self._file.refuse_other_schema(conn)
            self._checked_schema = version

    def check_end(self) -> None:
        """Raise `FileChanged` if the file is not as it was when it was opened."""
        self.is_outdated = True
        if not self._file.is_unchanged(self._state):
            raise FileChanged
        self.is_outdated = False


def _is_being_written(path: str, found: os.stat_result) -> bool:
    """Whether an update may be incomplete.

    Litestream writes the -txid file after each update. If it is killed in between, some
    pages are new and some old, and only that file shows it.
    """
    recorded_at = _modified_at(f"{path}-txid")
    if recorded_at is not None and recorded_at < found.st_mtime_ns:
        return True
    return 0 <= time.time_ns() - found.st_mtime_ns < TICK_NS


def _stamp(found: os.stat_result) -> tuple[int, int]:
    return found.st_mtime_ns, found.st_size


def _modified_at(path: str) -> int | None:
    """The modification time of a file in nanoseconds; None if there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def _size(path: str) -> int | None:
    """The size of a file in bytes; None if there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return None
