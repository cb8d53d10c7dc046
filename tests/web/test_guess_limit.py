"""Wrong access tokens are counted in bounded memory."""

from ci_observer.web.guess_limit import (
    GUESSES_IN_ATTACK,
    GUESSES_OF_ADDRESS,
    GUESSES_OF_ALL,
    MAX_ADDRESSES,
    WINDOW_SECONDS,
    GuessLimit,
    address_of,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fail(limit: GuessLimit, address: str, times: int) -> list[int]:
    return [limit.record_failure(address, f"wrong-{n}") for n in range(times)]


def test_an_address_has_some_guesses_a_minute() -> None:
    clock = Clock()
    limit = GuessLimit(clock)
    waits = fail(limit, "a", GUESSES_OF_ADDRESS + 1)
    assert waits == [0] * GUESSES_OF_ADDRESS + [WINDOW_SECONDS]
    assert not limit.may_try("a")
    assert limit.may_try("b")

    clock.now += WINDOW_SECONDS
    assert limit.may_try("a")
    assert fail(limit, "a", 1) == [0]


def test_one_wrong_token_again_and_again_blocks_nobody() -> None:
    limit = GuessLimit(Clock())
    waits = [limit.record_failure("a", "old") for _ in range(50)]

    assert waits[-1] == WINDOW_SECONDS
    assert limit.may_try("a")


def test_an_address_that_has_proved_the_token_is_never_blocked() -> None:
    limit = GuessLimit(Clock())
    limit.record_success("a")
    fail(limit, "a", 50)

    assert limit.may_try("a")


def test_many_addresses_together_have_fewer_guesses_each() -> None:
    clock = Clock()
    limit = GuessLimit(clock)
    for number in range(GUESSES_OF_ALL + 1):
        fail(limit, f"attacker {number}", 1)
    assert fail(limit, "a", GUESSES_IN_ATTACK + 1)[-1] > 0
    assert not limit.may_try("a")
    assert limit.may_try("new")

    clock.now += WINDOW_SECONDS
    assert fail(limit, "b", GUESSES_OF_ADDRESS) == [0] * GUESSES_OF_ADDRESS


def test_the_memory_is_bounded() -> None:
    limit = GuessLimit(Clock())
    for number in range(MAX_ADDRESSES + 5):
        limit.record_failure(str(number), "wrong")
        limit.record_success(str(number))
    for number in range(5000):
        limit.record_failure("one", f"wrong-{number}")

    assert len(limit._by_address) == MAX_ADDRESSES
    assert len(limit._known) < MAX_ADDRESSES
    assert len(limit._by_address["one"].guesses) == GUESSES_OF_ADDRESS


def test_a_customer_of_a_provider_has_one_ipv6_prefix() -> None:
    assert address_of(("2001:db8::1", 1)) == address_of(("2001:db8::ffff:2", 9))
    assert address_of(("2001:db8::1", 1)) != address_of(("2001:db8:0:1::1", 1))
    assert address_of(("::ffff:10.0.0.1", 1)) == address_of(("10.0.0.1", 1))
    assert address_of(("fe80::1%eth0", 1)) == address_of(("fe80::2", 1))
    assert address_of(("10.0.0.1", 1)) != address_of(("10.0.0.2", 1))
    # Made up by a visitor, and passed on by a proxy.
    assert len(address_of(("a" * 60_000, 1))) < 200
    assert address_of(None) == address_of(("", 0)) == ""
