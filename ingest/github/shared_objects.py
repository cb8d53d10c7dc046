"""Parses JSON in which the same objects repeat, each of them once.

A page of 100 runs has 200 copies of the same repository, four fifths of its text, and
its people repeat too. Python's parser would build each copy anew.
"""

import json
from contextlib import suppress
from typing import Any

# The ends of the keys of objects that repeat, also of `head_repository` and
# `triggering_actor`.
KEYS = (b'repository":', b'actor":')
# Equal objects begin alike with this many characters, most others do not.
PREFIX_LENGTH = 32
# A page of 100 runs has at most 400 different ones. Each is compared with the others.
MAX_OBJECTS = 1000
# No other object may have this key, so no body may have its only spelling in JSON.
_MARK, _MARK_IN_JSON = "\0shared", b"\\u0000"


def parse(body: bytes, decoder: json.JSONDecoder) -> Any:
    """The value of a JSON body; equal copies of an object are one object in it.

    Do not change such an object. Raises `ValueError` as `decoder` does.
    """
    if json.detect_encoding(body) == "utf-8" and _MARK_IN_JSON not in body:
        shared = _SharedObjects(decoder)
        # Otherwise it is not as GitHub writes it: the decoder reads or refuses it.
        with suppress(ValueError):
            short = body
            for key in KEYS:
                short = shared.take_out(short, key)
            return shared.parse(short)
    return decoder.decode(_text(body))


def _text(body: bytes) -> str:
    return body.decode(json.detect_encoding(body), "surrogatepass")


class _SharedObjects:
    """The objects that were taken out of a body, each with the one in its place.

    Both begin with `{"`. That is never inside of a string, where a quote has a
    backslash before it. So the short body is valid JSON exactly if the whole one is.
    """

    def __init__(self, decoder: json.JSONDecoder) -> None:
        self._objects: list[Any] = []
        self._decoder = decoder
        self._by_prefix: dict[bytes, list[tuple[bytes, bytes]]] = {}

    def take_out(self, body: bytes, key: bytes) -> bytes:
        """Replace the objects that follow a key. `ValueError` if one is incomplete."""
        first, *others = body.split(key)
        pieces = [first]
        for piece in others:
            if piece.startswith(b'{"'):
                found, place = self._known(piece) or self._read(piece)
                pieces.append(place + piece[len(found) :])
            else:
                pieces.append(piece)
        return key.join(pieces)

    def parse(self, short: bytes) -> Any:
        """Parse a body with the objects that were taken out of it."""
        decoder = json.JSONDecoder(
            object_hook=self._put_back if self._objects else None,
            parse_float=self._decoder.parse_float,
            parse_constant=self._decoder.parse_constant,
        )
        return decoder.decode(_text(short))

    def _put_back(self, value: dict[str, Any]) -> Any:
        return self._objects[value[_MARK]] if _MARK in value else value

    def _known(self, piece: bytes) -> tuple[bytes, bytes] | None:
        for found, place in self._by_prefix.get(piece[:PREFIX_LENGTH], ()):
            if piece.startswith(found):
                return found, place
        return None

    def _read(self, piece: bytes) -> tuple[bytes, bytes]:
        if len(self._objects) == MAX_OBJECTS:
            raise ValueError("too many different objects")
        text = _text(piece)
        value, end = self._decoder.raw_decode(text)
        found = text[:end].encode("utf-8", "surrogatepass")
        place = b'{"%bshared":%d}' % (_MARK_IN_JSON, len(self._objects))
        self._objects.append(value)
        self._by_prefix.setdefault(piece[:PREFIX_LENGTH], []).append((found, place))
        return found, place
