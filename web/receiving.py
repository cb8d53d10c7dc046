"""What a client sends during a request: its body, and the end of its connection."""

import asyncio
import math
from collections.abc import Awaitable

from ci_observer.web.responses import Receive

DISCONNECT = "http.disconnect"


async def read_body(receive: Receive, max_bytes: float = math.inf) -> bytes | None:
    """The body of a request; None if the client leaves before its end.

    A body of more than `max_bytes` is not read to its end: the result is longer, too.
    """
    body, more = b"", True
    while more and len(body) <= max_bytes:
        message = await receive()
        if message["type"] == DISCONNECT:
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has left, or has its whole response."""
    while (await receive())["type"] != DISCONNECT:
        pass


async def run_until_disconnect(response: Awaitable[None], receive: Receive) -> None:
    """Run what sends a response, and cancel it when the client leaves."""
    running = asyncio.ensure_future(response)
    gone = asyncio.create_task(wait_for_disconnect(receive))
    try:
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (running, gone):
            task.cancel()
        await asyncio.gather(running, gone, return_exceptions=True)
    if not running.cancelled():
        running.result()
