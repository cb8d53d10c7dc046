"""Places for requests, of which one client address cannot take all."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

WAIT_SECONDS = 10
MAX_WAITING = 200


class Slots:
    """Places for requests, some for each client address; others wait in order."""

    def __init__(
        self, total: int, per_client: int, wait_seconds: float | None = None
    ) -> None:
        self._free, self._per_client = total, per_client
        self._wait_seconds = WAIT_SECONDS if wait_seconds is None else wait_seconds
        self._used: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def take(self, client: str) -> AsyncIterator[None]:
        """Hold a place; raises `TimeoutError` if none becomes free in time."""
        await self._acquire(client)
        try:
            yield
        finally:
            self._release(client)

    async def _acquire(self, client: str) -> None:
        if self._has_room(client):
            self._occupy(client)
            return
        if len(self._waiting) >= MAX_WAITING:
            raise TimeoutError
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((client, turn))
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                # It came at the same moment.
                self._release(client)
            else:
                self._waiting.remove((client, turn))
            raise

    def _has_room(self, client: str) -> bool:
        return self._free > 0 and self._used[client] < self._per_client

    def _occupy(self, client: str) -> None:
        self._free -= 1
        self._used[client] += 1

    def _release(self, client: str) -> None:
        self._free += 1
        self._used[client] -= 1
        if not self._used[client]:
            del self._used[client]
        for waiting in [*self._waiting]:
            name, turn = waiting
            if self._has_room(name) and not turn.done():
                self._waiting.remove(waiting)
                self._occupy(name)
                turn.set_result(None)
