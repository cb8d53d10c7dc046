"""Waiting for other processes and threads, however slow the machine is."""

import time
from collections.abc import Callable
from typing import TypeVar

# Only ends a test that hangs.
HANG_SECONDS = 300

T = TypeVar("T")


def eventually(ask: Callable[[], T], *, every: float = 0.05) -> T:
    """The first true result of a function that is called again and again."""
    deadline = time.monotonic() + HANG_SECONDS
    while not (result := ask()):
        assert time.monotonic() < deadline, f"Not within {HANG_SECONDS} s."
        time.sleep(every)
    return result
