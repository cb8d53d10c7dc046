"""Whether the disk of the database is nearly full.

Web measures it itself, because a full disk would keep the news out of the database.
`ingest/db/disk.py` logs the same.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

LOW_PERCENT = 10
# A warning ends only here, so that it does not come and go.
ENOUGH_PERCENT = 12
TEXT = (
    "The disk of the database is nearly full: {size} ({share}) free. Make room, because"
    " new runs cannot be stored on a full disk."
)


# Total, used and free bytes of a folder's disk, as from `shutil.disk_usage`.
Usage = Callable[[Path], tuple[int, int, int]]


class DiskSpace:
    """The free space of the disk of one folder."""

    def __init__(self, folder: Path, usage: Usage = shutil.disk_usage) -> None:
        self._folder = folder
        self._usage = usage
        self._is_low = False

    def measure(self) -> str | None:
        """A warning in two sentences; None while enough is free."""
        try:
            total, _, free = self._usage(self._folder)
        except OSError:
            return None
        if total <= 0:
            return None
        percent = 100 * free / total
        self._is_low = percent < (ENOUGH_PERCENT if self._is_low else LOW_PERCENT)
        if not self._is_low:
            return None
        return TEXT.format(share=share_text(percent), size=size_text(free))


def share_text(percent: float) -> str:
    """A percentage, rounded down: 0.4 is not nothing."""
    return f"{int(percent)} %" if percent >= 1 else "less than 1 %"


def size_text(size: int) -> str:
    """A number of bytes with its unit."""
    if size >= 1e9:  # noqa: PLR2004 (a gigabyte)
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB"
