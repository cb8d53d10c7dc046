"""The limits of a server's connections, and which one ends when all are taken."""

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_observer.web.connections import BoundedProtocol

NEVER = math.inf
# A reader that is slow for less time may just be far away.
SLOW_SECONDS = 1


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one server; times in seconds, sizes in bytes.

    `head_seconds` and `body_seconds` are for the whole head or body of a request,
    however slowly its bytes come in. `idle_seconds` is longer than the usual interval
    between two requests of a wall, so that it reuses its connection. A reader must take
    `read_bytes` in `read_seconds`.
    """

    connections: int
    head_seconds: float = 10
    body_seconds: float = 20
    idle_seconds: float = 75
    read_seconds: float = 30
    read_bytes: int = 65_536
    # Of all responses together that slow readers have not taken yet.
    unsent_bytes: int = 64_000_000
    head_bytes: int = 65_536
    # Only logins have a body.
    body_bytes: int = 65_536
    pipelined_requests: int = 16
    # How often the times are checked.
    check_seconds: float = 1


class Refusal(Exception):
    """The request exceeds a limit; has the status and the text of the response."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Connections:
    """The open connections of a server. Ends those that exceed a limit."""

    limits: Limits
    open: set["BoundedProtocol"] = field(default_factory=set)
    is_checking: bool = False

    def add(self, new: "BoundedProtocol") -> None:
        """Add a connection, and end another one if there is no room.

        Raises `Refusal` if no other may be ended.
        """
        if len(self.open) >= self.limits.connections:
            victim = least_missed(self.open, new.address, new.loop.time())
            if victim is None:
                raise Refusal(503, "Too many connections. Try again in a moment.")
            self.open.discard(victim)
            victim.transport.abort()
        self.open.add(new)
        if not self.is_checking:
            self.is_checking = True
            self._check_later(new.loop)

    def end_greediest(self, now: float) -> None:
        """End slow readers whose responses together take too much memory.

        The address with the most unsent bytes comes first, and its oldest reader.
        """
        slow = {each: each.backlog for each in self.open if each.slow_since != NEVER}
        while slow and sum(slow.values()) > self.limits.unsent_bytes:
            sizes: Counter[str] = Counter()
            for each, size in slow.items():
                sizes[each.address] += size
            victim = max(slow, key=lambda each: (sizes[each.address], now - each.since))
            victim.transport.abort()
            del slow[victim]

    def _check_later(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(self.limits.check_seconds, self._check, loop)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [*self.open]:
            connection.end_if_late(now)
        self.is_checking = bool(self.open)
        if self.is_checking:
            self._check_later(loop)


def least_missed(
    connections: set["BoundedProtocol"], address: str, now: float
) -> "BoundedProtocol | None":
    """The connection to end for a new one from `address`; None if there is none.

    That is one without a request in progress, else one with a slow reader; of the
    address with the most connections, and the oldest of them. Other requests are
    interrupted only for an address that has fewer connections.
    """
    counts = Counter(each.address for each in connections)
    if waiting := [each for each in connections if each.is_waiting]:
        return max(
            waiting,
            key=lambda each: (counts[each.address], each.is_new, now - each.since),
        )
    if slow := [each for each in connections if each.slow_since < now - SLOW_SECONDS]:
        return max(slow, key=lambda each: (counts[each.address], now - each.slow_since))
    [(greediest, most)] = counts.most_common(1)
    if most <= counts[address] + 1:
        return None
    return min(
        (each for each in connections if each.address == greediest),
        key=lambda each: each.since,
    )
