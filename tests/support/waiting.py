"""Waiting for other processes and threads, however slow the machine is."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

# Only ends a test that hangs.
HANG_SECONDS = 300

T = TypeVar("T")


@asynccontextmanager
async def other_request() -> AsyncIterator[Callable[[], int]]:
    """Another task of the event loop; the function counts the turns that it has had."""
    turns = 0

    async def run() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(run())
    try:
        yield lambda: turns
    finally:
        task.cancel()


def eventually(ask: Callable[[], T], *, every: float = 0.05) -> T:
    """The first true result of a function that is called again and again."""
    deadline = time.monotonic() + HANG_SECONDS
    while not (result := ask()):
        assert time.monotonic() < deadline, f"Not within {HANG_SECONDS} s."
        time.sleep(every)
    return result
