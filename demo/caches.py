"""Encoded bodies, kept within a limit of bytes: building them is the slow part."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import sha256
from typing import NamedTuple


class Body(NamedTuple):
    """Bytes with their SHA-256, which every ETag needs."""

    content: bytes
    digest: bytes


class ByteCache:
    """The most recently used bodies, at most `limit` bytes of them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._bodies: OrderedDict[Hashable, Body] = OrderedDict()

    def get(self, key: Hashable, build: Callable[[], bytes]) -> Body:
        """The body under this key, built when it is not there."""
        body = self._bodies.get(key)
        if body is None:
            content = build()
            body = self._bodies[key] = Body(content, sha256(content).digest())
            self.size += len(content)
            self._shrink()
        self._bodies.move_to_end(key, last=True)
        return body

    def _shrink(self) -> None:
        while self.size > self.limit and len(self._bodies) > 1:
            _, oldest = self._bodies.popitem(last=False)
            self.size -= len(oldest.content)
