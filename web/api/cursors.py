"""Cursors: the place of a page's last run in the order, as opaque text for a URL."""

import base64
import binascii
import json

from ci_observer.web.errors import BadRequest


def encode_cursor(key: str) -> str:
    """The sort key of a page's last run, as JSON, for a URL."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[str, int]:
    """The sort key (started_at, run_id) in a cursor; raise `BadRequest` if none is."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        started_at, run_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        started_at.encode()
        run_id.to_bytes(8, signed=True)
    except (
        binascii.Error,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        raise BadRequest(
            f"cursor={cursor} is not one that this API gave. Take the value of next,"
            " or leave it out for the first page."
        ) from None
    return started_at, run_id
