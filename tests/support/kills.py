"""The files of a database as kill -9 leaves them.

The kernel keeps all that the process has written before. So a copy of the files between
two statements is the state after a kill at that moment.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlite_utils import Database

from ci_observer.ingest.db.schema import PAGE_SIZE

WAL_HEADER, WAL_FRAME = 32, 24 + PAGE_SIZE


class DatabaseFiles(NamedTuple):
    """The content of the file and of its write-ahead log."""

    file: bytes
    wal: bytes

    def __repr__(self) -> str:
        return f"<{len(self.file)} bytes, {len(self.wal)} in the log>"

    @classmethod
    def read(cls, path: Path) -> "DatabaseFiles":
        """Read them."""
        wal = Path(f"{path}-wal")
        return cls(path.read_bytes(), wal.read_bytes() if wal.exists() else b"")

    def write(self, path: Path) -> Path:
        """Write them to another path, to be opened there."""
        path.write_bytes(self.file)
        Path(f"{path}-wal").write_bytes(self.wal)
        return path


@contextmanager
def at_each_statement(db: Database, call: Callable[[], None]) -> Iterator[None]:
    """Call a function before each statement of this connection, and at the end."""
    db.conn.set_trace_callback(lambda _: call())
    try:
        yield
        call()
    finally:
        db.conn.set_trace_callback(None)


def states_within_commit(
    before: DatabaseFiles, after: DatabaseFiles
) -> list[DatabaseFiles]:
    """The states within a commit, which appends frames to the log one by one.

    The log ends between two frames or inside a frame.
    """
    written = next(
        (
            n
            for n, (a, b) in enumerate(zip(before.wal, after.wal, strict=False))
            if a != b
        ),
        min(len(before.wal), len(after.wal)),
    )
    frames = range(WAL_HEADER, len(after.wal), WAL_FRAME)
    cuts = [at for start in frames for at in (start, start + 2000) if at > written]
    chosen = {cuts[0], cuts[len(cuts) // 2], cuts[-1]} if cuts else set()
    return [
        DatabaseFiles(before.file, after.wal[:cut] + before.wal[cut:])
        for cut in sorted(chosen)
    ]
