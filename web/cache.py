"""A bounded cache of response bodies per Datasette.

An entry is valid while the database's revision is the same, `expires_at`, the next
instant at which time alone would change the response, has not come, and the clock has
not been set back.
"""

import asyncio
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from sqlite3 import Row
from weakref import WeakKeyDictionary, WeakValueDictionary

from datasette.app import Datasette

from ci_observer.web.database import DATABASE, fetch_row

MAX_RESPONSES = 500
MAX_BYTES = 32_000_000
# Fast, and hardly larger than level 9: a wall's JSON is repetitive.
GZIP_LEVEL = 3
# A body of this size takes 4 ms, for which the wall may wait.
MAX_INLINE_BYTES = 200_000

REVISION_AND_NOW_SQL = """
select (select value from instance where key = 'revision') as revision, now from clock
"""


@dataclass
class CachedResponse:
    """A response body and how long it stays valid.

    `expires_at` is None when time alone never changes the body.
    """

    content: bytes
    revision: int
    expires_at: str | None = None
    # The source of the content, if that is known; the ETag is a hash of it.
    etag_source: bytes | None = None
    # Of a page of a list: where the next one starts.
    next_cursor: str | None = None
    # For `Last-Modified`, which only some responses have.
    modified_at: str | None = field(default=None, kw_only=True)
    _gzipped: bytes | None = field(default=None, init=False, repr=False)

    async def gzipped(self) -> bytes:
        """The content as `Content-Encoding: gzip`, compressed once for all clients.

        A thread compresses a large one.
        """
        if self._gzipped is not None:
            return self._gzipped
        if len(self.content) <= MAX_INLINE_BYTES:
            self._gzipped = _compress(self.content)
            return self._gzipped
        async with self._lock:
            if self._gzipped is None:
                self._gzipped = await asyncio.to_thread(_compress, self.content)
            return self._gzipped

    @cached_property
    def _lock(self) -> asyncio.Lock:
        return asyncio.Lock()

    @cached_property
    def etag(self) -> str:
        """A hash of the content or its source, so that it survives a restart."""
        source = self.content if self.etag_source is None else self.etag_source
        return f'"{hashlib.sha256(source).hexdigest()[:32]}"'


def _compress(content: bytes) -> bytes:
    return gzip.compress(content, GZIP_LEVEL, mtime=0)


class ResponseCache:
    """The most recently used responses by key, and a lock for each computation."""

    def __init__(self) -> None:
        self._responses: OrderedDict[Hashable, CachedResponse] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}
        self._latest = ""
        self._revision: int | None = None
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._bytes = 0

    def clear_if_set_back(self, now: str) -> None:
        """Forget all responses if the clock shows an earlier time than before."""
        if now < self._latest:
            self._responses.clear()
            self._sizes.clear()
            self._bytes = 0
        self._latest = now

    def drop_former(self, revision: int) -> None:
        """Forget the responses of other revisions, which are never valid again."""
        if revision != self._revision:
            self._revision = revision
            responses = self._responses.items()
            for key in [key for key, r in responses if r.revision != revision]:
                self._remove(key)

    def lock(self, key: Hashable) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def get(self, key: Hashable) -> CachedResponse | None:
        if key in self._responses:
            self._responses.move_to_end(key)
        return self._responses.get(key)

    def put(self, key: Hashable, response: CachedResponse) -> None:
        self._remove(key)
        self._responses[key] = response
        self._sizes[key] = _size(key, response)
        self._bytes += self._sizes[key]
        while self._bytes > MAX_BYTES or len(self._responses) > MAX_RESPONSES:
            self._remove(next(iter(self._responses)))

    def _remove(self, key: Hashable) -> None:
        if self._responses.pop(key, None):
            self._bytes -= self._sizes.pop(key)


def _size(key: Hashable, response: CachedResponse) -> int:
    # A key has the values of the filters, which a visitor may make long.
    return len(response.content) + len(repr(key))


# One per Datasette, since the tests run several in a process.
_caches: WeakKeyDictionary[Datasette, ResponseCache] = WeakKeyDictionary()


async def get_or_compute(
    datasette: Datasette,
    key: Hashable,
    compute: Callable[[], Awaitable[CachedResponse]],
) -> CachedResponse:
    """The cached response while it is valid, else a new one.

    Concurrent requests for a key share one computation. Raises what `compute` raises.
    """
    cache = _caches.setdefault(datasette, ResponseCache())
    row = await fetch_row(datasette, REVISION_AND_NOW_SQL)
    # A replaced file may have the same revision.
    key = (await datasette.get_database(DATABASE).file.current(), key)
    cache.clear_if_set_back(row["now"])
    cache.drop_former(int(row["revision"]))
    cached = cache.get(key)
    if cached is not None and _is_valid(row, cached):
        return cached
    async with cache.lock(key):
        newer = cache.get(key)
        if newer is not None and newer is not cached:
            return newer  # computed while this request waited for the lock
        response = await compute()
        cache.put(key, response)
    return response


def _is_valid(row: Row, response: CachedResponse) -> bool:
    is_expired = response.expires_at is not None and row["now"] >= response.expires_at
    return response.revision == int(row["revision"]) and not is_expired
