"""SQLite's errors in plain words: the fault of the file or disk, and the remedy."""

import shutil
import sqlite3
from pathlib import Path

# A disk with less free space counts as full: SQLite then reports several errors.
FULL_BYTES = 100_000

DISK_ERRORS = ("SQLITE_IOERR", "SQLITE_CANTOPEN")

# The beginning of SQLite's name of the error → advice; the first match wins.
# https://www.sqlite.org/rescode.html
_ADVICE = {
    "SQLITE_FULL": "Make room on the disk of {path}; then polling continues by itself.",
    "SQLITE_BUSY": "Another program holds a lock on {path}: close it.",
    "SQLITE_LOCKED": "Another program holds a lock on {path}: close it.",
    "SQLITE_CORRUPT": "{path} is damaged: restore a backup, or repair it with "
    "sqlite3's .recover.",
    "SQLITE_NOTADB": "Check CI_OBSERVER_DB, or restore a backup of {path}.",
    "SQLITE_READONLY": "Make {path} and its folder writable for this user.",
    "SQLITE_CANTOPEN": "Check that {path} and its folder exist and are writable.",
    "SQLITE_PERM": "Make {path} and its folder writable for this user.",
    "SQLITE_IOERR": "The disk of {path} does not work: check it.",
}


def explain(error: sqlite3.Error, path: Path) -> str:
    """SQLite's message and the remedy, as sentences."""
    name, message = _name_of(error), str(error)
    if name.startswith(DISK_ERRORS) and _is_full(path):
        name, message = "SQLITE_FULL", f"the disk is full ({error})"
    for start, advice in _ADVICE.items():
        if name.startswith(start):
            return f"{message}. {advice.format(path=path)}"
    return f"{message}."


def has_advice(error: sqlite3.Error) -> bool:
    """Whether the cause is clear. A file that cannot be opened may have several."""
    name = _name_of(error)
    is_unclear = name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
    return not is_unclear and any(name.startswith(start) for start in _ADVICE)


def _name_of(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", None) or ""


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < FULL_BYTES
    except OSError:
        return False
