"""Errors of the event loop that mean nothing and would fill the log."""

import asyncio
from typing import Any


def ignore_late_results(loop: asyncio.AbstractEventLoop) -> None:
    """Log no traceback when a result comes for a future that has been cancelled.

    anyio makes them: a visitor leaves while a Unix socket becomes readable, and the
    loop has already scheduled the result.
    """
    loop.set_exception_handler(_handle)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    is_late = isinstance(error, asyncio.InvalidStateError)
    if not (is_late and "set_result" in context["message"]):
        loop.default_exception_handler(context)
