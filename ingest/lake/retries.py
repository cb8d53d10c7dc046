"""Repeats a step after another writer has changed the same part of a table."""

from collections.abc import Callable
from typing import TypeVar

import stamina
from deltalake.exceptions import CommitFailedError

# Twelve writers that begin together need twelve rounds; a round takes seconds.
ATTEMPTS, SECONDS = 100, 600.0
FIRST_WAIT, MAX_WAIT = 0.2, 15.0


T = TypeVar("T")


def retrying_conflicts(step: Callable[[], T]) -> T:
    """Call `step` until its commit does not conflict, with growing random waits."""
    for attempt in stamina.retry_context(
        on=CommitFailedError,
        attempts=ATTEMPTS,
        timeout=SECONDS,
        wait_initial=FIRST_WAIT,
        wait_max=MAX_WAIT,
        wait_jitter=1.0,
    ):
        with attempt:
            return step()
    raise AssertionError("stamina raises the last error")
