"""An LRU cache of encoded bodies, limited by its size in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cached_property
from hashlib import sha256


class Body:
    """Bytes and their SHA-256, which is computed when an ETag needs it."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    @cached_property
    def digest(self) -> bytes:
        return sha256(self.content).digest()


class ByteCache:
    """The most recently used bodies, at most `limit` bytes of them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._bodies: OrderedDict[Hashable, Body] = OrderedDict()

    def get_or_build(self, key: Hashable, build: Callable[[], bytes]) -> Body:
        """The cached body for this key; built and stored on a miss."""
        body = self._bodies.get(key)
        if body is None:
            body = self._bodies[key] = Body(build())
            self.size += len(body.content)
            self._evict()
        self._bodies.move_to_end(key, last=True)
        return body

    def _evict(self) -> None:
        while self.size > self.limit and len(self._bodies) > 1:
            _, oldest = self._bodies.popitem(last=False)
            self.size -= len(oldest.content)
