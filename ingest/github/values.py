"""Values of GitHub's objects that can be stored; None for any other.

Pure functions. They accept any value that JSON may hold.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ci_observer.ingest.times import parse_instant, utc

# "A workflow run can be re-run a maximum of 50 times":
# https://docs.github.com/en/actions/reference/limits
MAX_ATTEMPTS = 100
USUAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def nested(payload: Mapping[str, Any], key: str, inner: str) -> Any:
    """A value of an object within the object."""
    value = payload.get(key)
    return value.get(inner) if isinstance(value, Mapping) else None


def text(value: Any) -> str | None:
    """A text that UTF-8 can store."""
    if not isinstance(value, str) or value.isascii():
        return value if isinstance(value, str) else None
    # JSON may hold a lone surrogate, which UTF-8 cannot store.
    return value.encode("utf-8", "replace").decode()


def time_text(value: Any) -> str | None:
    """A time as GitHub writes it; None for one that cannot be."""
    if not isinstance(value, str) or (instant := _parsed(value)) is None:
        return None
    # Formatting takes longer than all else.
    return value if USUAL_TIME.fullmatch(value) else utc(instant)


def seconds_between(start: str, end: str) -> int | None:
    """The whole seconds between two texts of times; negative if `end` is earlier."""
    first, last = _parsed(start), _parsed(end)
    return int((last - first).total_seconds()) if first and last else None


# The steps of a job repeat most times.
_parsed = lru_cache(maxsize=1000)(parse_instant)


def attempt_number(payload: Mapping[str, Any]) -> int | None:
    """The object's `run_attempt`."""
    attempt = integer(payload.get("run_attempt"))
    return attempt if attempt and 0 < attempt <= MAX_ATTEMPTS else None


def positive(value: Any) -> int | None:
    """An integer above 0, such as an id."""
    number = integer(value)
    return number if number and number > 0 else None


def integer(value: Any) -> int | None:
    """An integer that SQLite can store: it has 64 bits."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return value if is_integer and abs(value) < 2**63 else None
