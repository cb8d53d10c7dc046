"""Errors of the event loop that mean nothing and would fill the log."""

import asyncio
import logging
import warnings
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


def ignore_cancelled_requests() -> None:
    """Log no traceback of a request that is cancelled, nor what it left undone.

    The end of the server cancels exports to slow readers, and a visitor who leaves
    cancels a page for which Datasette still has statements to run.
    """
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    undone = r"coroutine '.*' was never awaited"
    warnings.filterwarnings("ignore", undone, RuntimeWarning)


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError)
