"""Databases as `serve --read-only` meets them: replicas, backups, other versions."""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from ci_observer.ingest.db import schema
from ci_observer.web.schema_check import Schema
from ci_observer.web.settings import WebSettings

# Where a page of SQLite's first bytes has the counter of changes, and the version that
# goes with it.
COUNTERS = slice(24, 40)


@cache
def read_only() -> WebSettings:
    """The settings of `serve --read-only`, for databases whose clock is stopped."""
    views = schema.shipped_views()
    # `set_clock` replaces it.
    del views["clock"]
    return WebSettings(schema=Schema("0.1.0", schema.migration_names(), views))


def to_rollback_mode(path: Path) -> None:
    """Leave WAL mode, as the files that Litestream restores."""
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("pragma journal_mode = delete").fetchone() == ("delete",)


def write_in_place(path: Path, content: bytes, *, is_counted: bool = False) -> None:
    """Write other pages into a file, as Litestream's follower does.

    It does not count the change if the first page is the same, as in most updates.
    """
    with path.open("r+b") as file:
        before = file.read(100)
        file.seek(0)
        file.write(content)
        file.truncate(len(content))
        if not is_counted:
            file.seek(COUNTERS.start)
            file.write(before[COUNTERS])


def files_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """The inode, the modification time and the content of each file of a folder."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.iterdir()
    }
