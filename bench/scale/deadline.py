"""A limit of time for a part, so that one that hangs does not stop the others."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deadline(minutes: float) -> Iterator[None]:
    """Raise `TimeoutError` in the body after these minutes; main thread only."""

    expired = TimeoutError(f"stopped after {minutes:g} minutes")
    is_expired = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_expired
        is_expired = True
        raise expired

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, minutes * 60)
    try:
        yield
    except KeyboardInterrupt:
        # SQLite interrupts a statement on any signal, and drops the error.
        if is_expired:
            raise expired from None
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
