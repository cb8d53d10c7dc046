"""SQLite's errors in plain words: what is wrong with the file, and what to do."""

import shutil
import sqlite3
from pathlib import Path

# A disk with less free space counts as full: SQLite then reports several errors.
FULL_BYTES = 100_000

# The beginning of SQLite's name of the error → advice; the first match wins.
# https://www.sqlite.org/rescode.html
_ADVICE = {
    "SQLITE_FULL": "Make room on the disk of {path}; then polling continues by itself.",
    "SQLITE_BUSY": "Another program holds a lock on {path}: close it.",
    "SQLITE_LOCKED": "Another program holds a lock on {path}: close it.",
    "SQLITE_CORRUPT": "{path} is damaged: restore a backup, or repair it with "
    "sqlite3's .recover.",
    "SQLITE_NOTADB": "{path} is not an SQLite database: check CI_OBSERVER_DB, or "
    "restore a backup.",
    "SQLITE_READONLY": "Make {path} and its folder writable for this user.",
    "SQLITE_CANTOPEN": "Check that {path} and its folder exist and are writable.",
    "SQLITE_PERM": "Make {path} and its folder writable for this user.",
    "SQLITE_IOERR": "The disk of {path} does not work: check it.",
}


def explain(error: sqlite3.Error, path: Path) -> str:
    """SQLite's message and what to do about it, as sentences."""
    name = getattr(error, "sqlite_errorname", None) or ""
    message = str(error)
    if name.startswith("SQLITE_IOERR") and _is_full(path):
        name, message = "SQLITE_FULL", f"the disk is full ({error})"
    for start, advice in _ADVICE.items():
        if name.startswith(start):
            return f"{message}. {advice.format(path=path)}"
    return f"{message}."


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < FULL_BYTES
    except OSError:
        return False
