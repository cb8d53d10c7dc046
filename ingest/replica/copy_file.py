"""The files of a replica: copies in folders of their own, and a link to the shown one.

A reader thus has either the former copy or a complete new one.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_observer.ingest.db.database_file import lock_path, txid_path
from ci_observer.ingest.db.permissions import FILE_MODE, restrict
from ci_observer.ingest.errors import ConfigError, DatabaseError
from ci_observer.ingest.lock import take_lock

# The two bytes of the header for the kind of journal, and their value for none:
# https://www.sqlite.org/fileformat2.html#file_format_version_numbers
JOURNAL_OFFSET = 18
ROLLBACK_JOURNAL = b"\x01\x01"
FOLDER_MODE = 0o750
ABOUT = "ci-observer replica makes the database of this name, and replaces it.\n"


def marker_path(database: Path) -> Path:
    """The file that says that a database is a copy, which may be replaced."""
    return database.with_name(f"{database.name}.replica")


def claim(database: Path) -> Path:
    """Mark a path as the place of a replica, and return the path of the mark.

    Raises `ConfigError` if a database of another kind or another replica is there,
    `DatabaseError` if the folder cannot be written to.
    """
    mark = marker_path(database)
    others = [database, lock_path(database)]
    if not mark.exists() and any(path.exists() for path in others):
        raise ConfigError(
            f"CI_OBSERVER_DB: {database} was not made by ci-observer replica, which "
            "would replace it. Write a path in an empty folder."
        )
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        if not mark.exists():
            descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT, FILE_MODE)
            with os.fdopen(descriptor, "w") as file:
                file.write(ABOUT)
        with lock(database):
            pass  # Fail now instead of restarting a follower that cannot start.
    except OSError as error:
        raise DatabaseError(
            f"Cannot write to {database.parent}: {error.strerror}. Make it writable for"
            " this user, or set CI_OBSERVER_DB to a file in another folder."
        ) from error
    return mark


@contextmanager
def lock(database: Path) -> Iterator[None]:
    """Keep other replicas away from a path that is marked as the place of one.

    Raises `ConfigError` if there is another one, `OSError` without the mark.
    """
    with marker_path(database).open("r+") as file:
        take_lock(
            file,
            ConfigError(
                f"CI_OBSERVER_DB: another ci-observer replica writes {database}. Write "
                "another path, or stop it."
            ),
        )
        yield


def empty_folder(database: Path) -> Path:
    """An empty folder on the disk of a database, for the next copy.

    Litestream cannot continue with the files of a follower that was killed. Those of
    the copy that is at the path are kept, and all others removed.
    """
    parent = _folder_of_copies(database)
    parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    shown = database.resolve().parent
    for folder in parent.iterdir():
        if folder.resolve() != shown:
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=parent))
    # The web side, which may be another user of the group, looks into it.
    folder.chmod(FOLDER_MODE)
    return folder


def prepare(restored: Path, *, group: int | None) -> None:
    """Make a restored file ready for readers, while Litestream is paused.

    Its header still says that it has a -wal file. A reader would then hold a lock for
    as long as it has the file open, and Litestream would wait for it forever.
    """
    before = restored.stat()
    descriptor = os.open(restored, os.O_WRONLY)
    try:
        os.pwrite(descriptor, ROLLBACK_JOURNAL, JOURNAL_OFFSET)
        # A file that is newer than its -txid file would look like an incomplete change.
        os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
    finally:
        os.close(descriptor)
    restrict(restored, group=group)


def publish(restored: Path, database: Path) -> None:
    """Make the path of the database lead to a restored file, in place of another."""
    for target, path in (
        (restored, database),
        (txid_path(restored), txid_path(database)),
    ):
        link = restored.with_name("link")
        link.symlink_to(target.relative_to(database.parent))
        link.replace(path)


def _folder_of_copies(database: Path) -> Path:
    return database.with_name(f".{database.name}-replica")
