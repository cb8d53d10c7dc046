"""Log lines about a disk that is nearly full; `web/disk.py` shows it on the wall."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

# Percents below which a line is logged, once each. The last applies on a full disk.
STEPS = (10, 5, 2, 1, 0.1)
# With this much all steps are logged again.
ENOUGH_PERCENT = 12

log = logging.getLogger("ci_observer")


# Total, used and free bytes of a folder's disk, as from `shutil.disk_usage`.
Usage = Callable[[Path], tuple[int, int, int]]


class DiskLog:
    """Logs when the disk of a folder is nearly full, and again when it is fuller."""

    def __init__(self, folder: Path, usage: Usage = shutil.disk_usage) -> None:
        self._folder = folder
        self._usage = usage
        self._logged = 0

    def log_if_worse(self) -> None:
        """Measure the disk, and log what is new."""
        found = free_space(self._folder, self._usage)
        if found is None:
            return
        percent, text = found
        steps = sum(percent < step for step in STEPS)
        if steps > self._logged:
            log.warning("%s", warning_text(self._folder, text))
            self._logged = steps
        elif self._logged and percent >= ENOUGH_PERCENT:
            log.info("The disk of %s has room again: %s.", self._folder, text)
            self._logged = 0


def warning_text(folder: Path, free: str) -> str:
    """What to do about a disk that is nearly full."""
    return (
        f"The disk of {folder} is nearly full: {free}. Make room, because new runs "
        "cannot be stored on a full disk."
    )


def existing_folder(path: Path) -> Path:
    """The folder of a file, or the nearest one above it that exists."""
    return next(folder for folder in path.absolute().parents if folder.exists())


def free_space(
    folder: Path, usage: Usage = shutil.disk_usage
) -> tuple[float, str] | None:
    """The percentage of the disk that is free, and a text; None if it is not known."""
    try:
        total, _, free = usage(folder)
    except OSError:
        return None
    if total <= 0:
        return None
    percent = 100 * free / total
    size = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.0f} MB"  # noqa: PLR2004
    share = f"{int(percent)} %" if percent >= 1 else "less than 1 %"
    return percent, f"{size} ({share}) free"
