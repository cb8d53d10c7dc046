"""Cursors: the sort key of the last row of a page, as opaque text for a URL."""

import base64
import json
from typing import Any

from ci_observer.web.errors import BadRequest

Key = tuple[str | int, ...]
# SQLite's integers.
INTEGER_BYTES = 8


def encode_cursor(key: str) -> str:
    """The cursor of a sort key, which is given as a JSON array."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> Key:
    """The sort key in a cursor, with values of these kinds; raises `BadRequest`."""
    try:
        key = decode_json(cursor)
        if [*map(type, key)] != [*kinds]:
            raise TypeError(key)
        for value in key:
            _check(value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise bad_cursor(cursor) from None
    return tuple(key)


def decode_json(cursor: str) -> Any:
    """The JSON in a cursor. Raises `ValueError` or `RecursionError`."""
    padded = cursor + "=" * (-len(cursor) % 4)
    return json.loads(base64.b64decode(padded, b"-_", validate=True))


def bad_cursor(cursor: str) -> BadRequest:
    """The error for a text that is no cursor."""
    return BadRequest(
        f"cursor={cursor} is not a cursor of this API. Use the value of next, or"
        " leave it out for the first page."
    )


def _check(value: str | int) -> None:
    """Raise an error for a value that SQLite cannot store."""
    if isinstance(value, str):
        value.encode()
    else:
        value.to_bytes(INTEGER_BYTES, signed=True)
