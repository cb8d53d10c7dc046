"""One large result at a time is made into a page, because that takes much memory."""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field

from ci_observer.web.errors import Unavailable

# A default page with GitHub's whole objects is smaller.
LARGE_BYTES = 1_000_000
LARGE_CELLS = 20_000
WAIT_SECONDS = 10

BUSY = (
    "The server is busy with other pages and statements. Try again in a moment; a "
    "narrower selection is faster."
)


@dataclass
class Request:
    """A request that may take the lock for large results, and keeps it to its end.

    An export has one page of its table in memory at a time, and needs no lock.
    """

    lock: asyncio.Lock
    is_export: bool
    has_lock: bool = field(default=False, init=False)

    async def take_lock(self) -> None:
        """Wait for the lock; raises `Unavailable` if others take too long."""
        if self.has_lock or self.is_export:
            return
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self.lock.acquire()
        except TimeoutError:
            raise Unavailable(BUSY) from None
        self.has_lock = True

    def release(self) -> None:
        """Give the lock to the next request."""
        if self.has_lock:
            self.lock.release()


current_request: ContextVar[Request | None] = ContextVar("request", default=None)


async def admit_result(size: int, cells: int) -> None:
    """Wait until a result of this size may be made into a page.

    Small ones may at once, and so may all outside of a request. Raises `Unavailable`.
    """
    request = current_request.get()
    if request is not None and (size > LARGE_BYTES or cells > LARGE_CELLS):
        await request.take_lock()
