"""A limit on guesses of the access token, per address and for all together.

It never holds up a client that proves the token by its cookie, nor an address that has
proved it since the start: guesses from other addresses lock out no screen.
"""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger("ci_observer")

WINDOW_SECONDS = 60
GUESSES_OF_ADDRESS = 10
GUESSES_OF_ALL = 100
# While all together guess more than that, each address has only these.
GUESSES_IN_ATTACK = 3
MAX_ADDRESSES = 10_000
MAX_KNOWN = 1_000
# A provider gives a customer this prefix, and thus any number of addresses.
IPV6_PREFIX = 64
# A proxy may pass on an address that a visitor made up.
MAX_ADDRESS = 100


@dataclass
class Attempts:
    """Wrong tokens within one window. Hashes, so that no guess stays in memory."""

    started_at: float
    number: int = 0
    guesses: set[int] = field(default_factory=set)


class GuessLimit:
    """Counts wrong tokens in windows of a minute, in bounded memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_address: OrderedDict[str, Attempts] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._all = Attempts(clock())

    def may_try(self, address: str) -> bool:
        """Whether a token from this address is compared at all.

        The same wrong token again, as of a client that was forgotten when the token
        changed, is no further guess.
        """
        attempts = self._by_address.get(address)
        return (
            address in self._known
            or attempts is None
            or self._is_over(attempts)
            or len(attempts.guesses) < self._allowed()
        )

    def record_failure(self, address: str, guess: str) -> int:
        """Count a wrong token; return the seconds to wait if there were too many."""
        attempts = self._by_address.pop(address, None)
        if attempts is None or self._is_over(attempts):
            attempts = Attempts(self._clock())
        if self._is_over(self._all):
            self._all = Attempts(self._clock())
        attempts.number += 1
        self._all.number += 1
        if len(attempts.guesses) < GUESSES_OF_ADDRESS:
            attempts.guesses.add(hash(guess))
        _put(self._by_address, address, attempts, MAX_ADDRESSES)
        if attempts.number <= self._allowed():
            return 0
        if attempts.number == self._allowed() + 1:
            log.warning("Too many wrong access tokens from %s.", address or "a socket")
        return math.ceil(attempts.started_at + WINDOW_SECONDS - self._clock())

    def record_success(self, address: str) -> None:
        """Remember that this address has proved the token."""
        self._known.pop(address, None)
        _put(self._known, address, None, MAX_KNOWN)

    def _allowed(self) -> int:
        is_attack = self._all.number > GUESSES_OF_ALL and not self._is_over(self._all)
        return GUESSES_IN_ATTACK if is_attack else GUESSES_OF_ADDRESS

    def _is_over(self, attempts: Attempts) -> bool:
        return self._clock() >= attempts.started_at + WINDOW_SECONDS


def address_of(client: tuple[str, int] | None) -> str:
    """The address to count guesses for; an IPv6 address without its second half."""
    host = client[0][:MAX_ADDRESS] if client else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address.packed, IPV6_PREFIX), strict=False))


def _put(entries: OrderedDict[str, T], key: str, value: T, most: int) -> None:
    entries[key] = value
    if len(entries) > most:
        entries.popitem(last=False)
