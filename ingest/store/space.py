"""What the database takes on disk, and how it is given back."""

import shutil
from pathlib import Path

from sqlite_utils import Database

from ci_observer.ingest.errors import DatabaseError

# SQLite writes a copy, and then its pages once more into the write-ahead log.
# https://www.sqlite.org/lang_vacuum.html
COPIES = 2


def free_bytes(db: Database) -> int:
    """How much of the file is free for new rows."""
    [[size]] = db.execute("pragma page_size")
    [[pages]] = db.execute("pragma freelist_count")
    return int(size * pages)


def vacuum(db: Database, path: Path) -> int:
    """Write the file anew without its free pages; return how much smaller it is.

    Readers go on meanwhile; writers wait. Raises `DatabaseError` when the disk has not
    the space for it.
    """
    db.execute("pragma wal_checkpoint(truncate)")
    before = path.stat().st_size
    needed = COPIES * max(0, before - free_bytes(db))
    if (free := shutil.disk_usage(path.parent).free) < needed:
        raise DatabaseError(
            f"To give space back, {needed / 1e6:.0f} MB must be free on the disk of "
            f"{path}, and {free / 1e6:.0f} MB are. The free space inside the file is "
            "used for new runs in any case."
        )
    # The copy is made beside the database: a container's /tmp is small.
    folder = str(path.resolve().parent).replace("'", "''")
    db.execute(f"pragma temp_store_directory = '{folder}'")
    db.execute("vacuum")
    db.execute("pragma wal_checkpoint(truncate)")
    return before - path.stat().st_size
