"""Cursors: the sort key of the last row of a page, as opaque text for a URL."""

import base64
import binascii
import json

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
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, b"-_", validate=True))
        if [*map(type, key)] != [*kinds]:
            raise TypeError(key)
        for value in key:
            _check(value)
    except (
        binascii.Error,
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
    ):
        raise BadRequest(
            f"cursor={cursor} is not a cursor of this API. Use the value of next, or"
            " leave it out for the first page."
        ) from None
    return tuple(key)


def _check(value: str | int) -> None:
    """Raise an error for a value that SQLite cannot store."""
    if isinstance(value, str):
        value.encode()
    else:
        value.to_bytes(INTEGER_BYTES, signed=True)
