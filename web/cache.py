"""Answers kept while they are true: one bounded cache per Datasette.

An answer holds until the database's revision grows, or the instant comes at which time
alone would change it.
"""

import asyncio
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary, WeakValueDictionary

from datasette.app import Datasette

from ci_observer.web.database import fetch_row

MAX_ANSWERS = 500
MAX_BYTES = 32_000_000
# Quick, and hardly larger than the best: a wall's JSON repeats itself.
GZIP_LEVEL = 3

FACTS_SQL = """
select (select value from instance where key = 'revision') as revision, now from clock
"""


@dataclass(frozen=True)
class Answer:
    """A whole response body and what it holds good for.

    `expires_at` is None when time alone changes nothing in it.
    """

    content: bytes
    revision: int
    expires_at: str | None = None

    @cached_property
    def gzipped(self) -> bytes:
        """The content as `Content-Encoding: gzip`, made once however many want it."""
        return gzip.compress(self.content, GZIP_LEVEL, mtime=0)

    @cached_property
    def etag(self) -> str:
        """The same for the same content, also after a restart."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


class Cache:
    """The last used answers by key, and a lock for each that is being computed."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._bytes = 0

    def lock(self, key: Hashable) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def get(self, key: Hashable) -> Answer | None:
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def put(self, key: Hashable, answer: Answer) -> None:
        self._remove(key)
        self._answers[key] = answer
        self._bytes += len(answer.content)
        while self._bytes > MAX_BYTES or len(self._answers) > MAX_ANSWERS:
            self._remove(next(iter(self._answers)))

    def _remove(self, key: Hashable) -> None:
        if key in self._answers:
            self._bytes -= len(self._answers.pop(key).content)


# By Datasette, not one for the module: its answers come from that one's database.
_caches: WeakKeyDictionary[Datasette, Cache] = WeakKeyDictionary()


async def reuse(
    datasette: Datasette, key: Hashable, compute: Callable[[], Awaitable[Answer]]
) -> Answer:
    """The kept answer while it is true, else a new one, computed once for all."""
    cache = _caches.setdefault(datasette, Cache())
    kept = cache.get(key)
    if kept is not None and await _is_true(datasette, kept):
        return kept
    async with cache.lock(key):
        newer = cache.get(key)
        if newer is not None and newer is not kept:
            return newer  # computed while this request waited for the lock
        answer = await compute()
        cache.put(key, answer)
    return answer


async def _is_true(datasette: Datasette, answer: Answer) -> bool:
    facts = await fetch_row(datasette, FACTS_SQL)
    is_before_flip = answer.expires_at is None or facts["now"] < answer.expires_at
    return answer.revision == int(facts["revision"]) and is_before_flip
