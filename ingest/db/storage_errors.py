"""SQLite's errors in plain words: the fault of the file or disk, and the remedy."""

import shutil
import sqlite3
from pathlib import Path

# A disk with less free space counts as full: SQLite then reports several errors.
FULL_BYTES = 100_000

DISK_ERRORS = ("SQLITE_IOERR", "SQLITE_CANTOPEN")

REPAIR = (
    "restore a backup with ci-observer restore FILE, or repair it with sqlite3's "
    ".recover. Stop CI Observer first."
)
# Parts of messages about values that only damage explains; SQLite has no code for them.
_DAMAGED_VALUES = ("malformed JSON", "Could not decode to UTF-8")

# The beginning of SQLite's name of the error → advice; the first match wins.
# https://www.sqlite.org/rescode.html
_ADVICE = {
    "SQLITE_FULL": "Make room on the disk of {path}; then polling continues by itself.",
    "SQLITE_BUSY": "Another program holds a lock on {path}: close it.",
    "SQLITE_LOCKED": "Another program holds a lock on {path}: close it.",
    "SQLITE_CORRUPT": "{path} is damaged: " + REPAIR,
    "SQLITE_NOTADB": "Check CI_OBSERVER_DB, or restore a backup of {path} with "
    "ci-observer restore FILE; sqlite3's .recover may repair it.",
    "SQLITE_READONLY": "Make {path} and its folder writable for this user.",
    "SQLITE_CANTOPEN": "Check that {path} and its folder exist and are writable.",
    "SQLITE_PERM": "Make {path} and its folder writable for this user.",
    "SQLITE_IOERR": "The disk of {path} does not work: check it.",
}


def is_damage(error: BaseException) -> bool:
    """Whether the file is broken, so that another try cannot help."""
    name = _name_of(error)
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def explain(error: sqlite3.Error, path: Path) -> str:
    """SQLite's message and the remedy, as sentences."""
    name, message = _name_of(error), str(error)
    if name.startswith(DISK_ERRORS) and _is_full(path):
        name, message = "SQLITE_FULL", f"the disk is full ({error})"
    if name == "SQLITE_FULL" and not _is_full(path):
        # SQLite also says it when a broken page counts too many others.
        advice = f"{_ADVICE[name]} If there is room, {{path}} is damaged: {REPAIR}"
        return f"{message}. {advice.format(path=path)}"
    for start, advice in _ADVICE.items():
        if name.startswith(start):
            return f"{message}. {advice.format(path=path)}"
    return f"{message}."


def has_advice(error: sqlite3.Error) -> bool:
    """Whether the cause is clear. A file that cannot be opened may have several."""
    name = _name_of(error)
    is_unclear = name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
    return not is_unclear and any(name.startswith(start) for start in _ADVICE)


def _name_of(error: BaseException) -> str:
    name = getattr(error, "sqlite_errorname", None) or ""
    is_value = isinstance(error, sqlite3.Error) and any(
        words in str(error) for words in _DAMAGED_VALUES
    )
    return "SQLITE_CORRUPT" if is_value else name


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < FULL_BYTES
    except OSError:
        return False
