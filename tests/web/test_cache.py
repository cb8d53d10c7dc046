"""The cache of responses: what it keeps in memory."""

from ci_observer.web.cache import MAX_BYTES, CachedResponse, ResponseCache


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
