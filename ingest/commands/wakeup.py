"""Lets a signal wake Supervisor, which otherwise looks for work once a second.

A signal does not end Python's `poll` (https://peps.python.org/pep-0475/), so a stop
would take a second for each process that has to end. The loop also waits once before
it starts the processes.
"""

import contextlib
import os
import signal

# More than one read ever finds: a byte for each signal.
MAX_SIGNALS = 1000


class WakeUp:
    """A pipe that signals write to, as a dispatcher in Supervisor's loop."""

    def __init__(self) -> None:
        self.descriptor, self._write_end = os.pipe()
        for descriptor in (self.descriptor, self._write_end):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        # The first wait ends at once.
        os.write(self._write_end, b"\0")

    def readable(self) -> bool:
        """Whether the loop waits for this pipe to be readable: always."""
        return True

    def writable(self) -> bool:
        """Whether the loop waits for this pipe to be writable: never."""
        return False

    def handle_read_event(self) -> None:
        """Empty the pipe; the loop handles the signals itself."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.descriptor, MAX_SIGNALS)
