"""Who may read the database files: only their owner and their group.

In a container the group is shared with the web side, which is another user.
"""

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

from ci_observer.ingest.db.database_file import files_of

FILE_MODE = 0o640

log = logging.getLogger("ci_observer")


def create_file(path: Path) -> None:
    """Create a missing file with `FILE_MODE`; SQLite gives it to the -wal file, too.

    The file must be missing: closing an open database would drop SQLite's locks.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))


def restrict(path: Path, *, group: int | None) -> None:
    """Take the rights of all others from the files of a database.

    With a `group`, the files are given to it and it may read them. A file of another
    user stays as it is, and so does a disk without modes.
    """
    for file in files_of(path):
        with suppress(OSError):
            _restrict(file, group)


def _restrict(path: Path, group: int | None) -> None:
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode) & FILE_MODE
    if group is not None:
        if found.st_gid != group:
            # If it fails, web may still read the file by the rights of all others.
            os.chown(path, -1, group)
        mode |= stat.S_IRGRP
    if mode != stat.S_IMODE(found.st_mode):
        path.chmod(mode)


def share_folder(folder: Path, *, group: int) -> None:
    """Let a group reach the files in a folder that is closed to everybody else.

    A folder whose group has rights already is left to that group.
    """
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    is_free = found.st_gid == group or not mode & stat.S_IRWXG
    if mode & stat.S_IXOTH or (mode & stat.S_IXGRP and found.st_gid == group):
        return
    with suppress(OSError):
        if is_free:
            os.chown(folder, -1, group)
            folder.chmod(mode | stat.S_IXGRP)
            log.info("Group %d may now look up files in %s.", group, folder)


def make_temporary_folder(path: Path, *, group: int) -> Path:
    """The folder next to a database for temporary files of another user's sorts."""
    folder = path.with_name("tmp")
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        os.chown(folder, -1, group)
        folder.chmod(0o770)
    return folder
