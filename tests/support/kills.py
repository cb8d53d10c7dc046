"""What kill -9 leaves of a database: its files as they are between two statements.

What a process has not yet written to them dies with it; the rest the kernel keeps.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlite_utils import Database

from ci_observer.ingest.db.schema import PAGE_SIZE

WAL_HEADER, WAL_FRAME = 32, 24 + PAGE_SIZE


class Left(NamedTuple):
    """The bytes of the file and of its write-ahead log."""

    file: bytes
    wal: bytes

    def __repr__(self) -> str:
        return f"<{len(self.file)} bytes, {len(self.wal)} in the log>"

    @classmethod
    def of(cls, path: Path) -> "Left":
        """As they are now."""
        wal = Path(f"{path}-wal")
        return cls(path.read_bytes(), wal.read_bytes() if wal.exists() else b"")

    def put(self, path: Path) -> Path:
        """Write them elsewhere, to be opened there."""
        path.write_bytes(self.file)
        Path(f"{path}-wal").write_bytes(self.wal)
        return path


@contextmanager
def at_each_statement(db: Database, call: Callable[[], None]) -> Iterator[None]:
    """Call something before each statement of this connection, and at the end."""
    db.conn.set_trace_callback(lambda _: call())
    try:
        yield
        call()
    finally:
        db.conn.set_trace_callback(None)


def in_the_middle_of(before: Left, after: Left) -> list[Left]:
    """A commit cut off: the log's frames are written one after the other.

    In the middle of a frame, and behind all but the last one.
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
        Left(before.file, after.wal[:cut] + before.wal[cut:]) for cut in sorted(chosen)
    ]
