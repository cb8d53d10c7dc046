"""The cache of responses: what it keeps in memory."""

import asyncio
import gzip
import threading

import pytest
from waiting import HANG_SECONDS

from ci_observer.web import cache
from ci_observer.web.cache import (
    MAX_BYTES,
    MAX_INLINE_BYTES,
    CachedResponse,
    ResponseCache,
)


def test_responses_of_a_former_revision_are_dropped() -> None:
    """No request can get them again, and they could fill the cache."""
    cache = ResponseCache()
    cache.drop_former(7)
    cache.put("old", CachedResponse(b"x" * (MAX_BYTES - 10), revision=7))
    cache.drop_former(7)
    assert cache.get("old")

    cache.drop_former(8)

    assert cache.get("old") is None
    # Its bytes are free again.
    for number in range(2):
        cache.put(number, CachedResponse(b"x" * (MAX_BYTES // 2 - 10), revision=8))
    assert cache.get(0)


def test_a_restored_database_may_have_a_smaller_revision() -> None:
    cache = ResponseCache()
    cache.drop_former(9)
    cache.put("former", CachedResponse(b"", revision=9))

    cache.drop_former(3)

    assert cache.get("former") is None


def test_long_keys_count_as_memory() -> None:
    """A visitor may fill a filter with a text of any length."""
    cache = ResponseCache()
    for letter in "abc":
        cache.put(letter * (MAX_BYTES // 2), CachedResponse(b"", revision=1))

    assert cache.get("a" * (MAX_BYTES // 2)) is None
    assert cache.get("c" * (MAX_BYTES // 2))


@pytest.mark.asyncio
async def test_the_wall_does_not_wait_while_a_large_body_is_compressed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started, released = threading.Event(), threading.Event()
    threads: list[int] = []
    compress = cache._compress

    def held(content: bytes) -> bytes:
        threads.append(threading.get_ident())
        started.set()
        assert released.wait(HANG_SECONDS)
        return compress(content)

    monkeypatch.setattr(cache, "_compress", held)
    large = CachedResponse(b"x" * (MAX_INLINE_BYTES + 1), revision=1)
    first, second = (asyncio.ensure_future(large.gzipped()) for _ in range(2))
    assert await asyncio.to_thread(started.wait, HANG_SECONDS)
    # This runs, so the event loop is free.
    released.set()

    assert gzip.decompress(await first) == large.content
    assert await second is await first is await large.gzipped()
    # One thread did it for all, and not the one of the event loop.
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


@pytest.mark.asyncio
async def test_a_small_body_is_compressed_at_once() -> None:
    """A thread would take longer to start."""
    small = CachedResponse(b"x" * MAX_INLINE_BYTES, revision=1)
    with pytest.raises(StopIteration) as end:
        small.gzipped().send(None)

    assert gzip.decompress(end.value.value) == small.content
