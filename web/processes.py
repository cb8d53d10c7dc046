"""The processes of `serve`: one for our own routes, one for all of Datasette.

This process builds Datasette, forks the two, and then only waits: so they share its
memory, and a restart takes milliseconds. It starts no thread and opens no connection,
since neither survives a fork.
"""

import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

# A process that has not ended by then is killed. `up` waits for 7 seconds.
STOP_SECONDS = 5
# Before a restart; doubled each time, until the process has lived for `STEADY_SECONDS`.
FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 30
STEADY_SECONDS = 60
EXIT_FAILED = 1

log = logging.getLogger("ci_observer")


def keep_running(front: Callable[[], None], back: Callable[[], None]) -> int:
    """Run both functions, each in a process; return the exit code.

    SIGTERM and SIGINT stop both. The end of `front` ends everything with its exit code;
    `back` is restarted after increasing waits. Both end at once when this process does.
    """
    return _Keeper(front, back).run()


class _Keeper:
    def __init__(self, front: Callable[[], None], back: Callable[[], None]) -> None:
        self._front, self._back = front, back
        # Nothing is written to it: its read end is at its end when this process is.
        self._life = os.pipe()
        self._signals = os.pipe()
        self._exit_code = 0
        self._stop_at: float | None = None
        self._back_started_at = 0.0
        self._restart_at: float | None = None
        self._wait_seconds = FIRST_WAIT_SECONDS
        self._front_pid: int | None = None
        self._back_pid: int | None = None

    def run(self) -> int:
        with self._handled_signals():
            self._front_pid = self._fork(self._front)
            self._start_back()
            while self._front_pid or self._back_pid:
                select.select([self._signals[0]], [], [], self._seconds_to_wait())
                self._read_signals()
                self._reap()
                self._act_on_time()
        return self._exit_code

    @contextlib.contextmanager
    def _handled_signals(self) -> Iterator[None]:
        """Have signals wake `select`, and restore their former handlers at the end."""
        for descriptor in self._signals:
            os.set_blocking(descriptor, False)
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        former = {number: signal.signal(number, _ignore) for number in numbers}
        signal.set_wakeup_fd(self._signals[1], warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in former.items():
                signal.signal(number, handler)

    def _fork(self, run: Callable[[], None]) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become_child(run)
        return pid

    def _become_child(self, run: Callable[[], None]) -> None:
        """Run a function, and end this process; nothing of the parent runs in it."""
        code = EXIT_FAILED
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in (self._life[1], *self._signals):
                os.close(descriptor)
            _end_with_parent(self._life[0])
            run()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else EXIT_FAILED
        except BaseException:
            log.exception("This process ends because of an error.")
        finally:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            os._exit(code)

    def _start_back(self) -> None:
        self._back_started_at = time.monotonic()
        self._restart_at = None
        self._back_pid = self._fork(self._back)

    def _seconds_to_wait(self) -> float | None:
        times = [at for at in (self._stop_at, self._restart_at) if at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _read_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            numbers = os.read(self._signals[0], 1000)
            if {signal.SIGTERM, signal.SIGINT} & set(numbers):
                self._stop()

    def _stop(self) -> None:
        if self._stop_at is None:
            self._stop_at = time.monotonic() + STOP_SECONDS
            self._restart_at = None
            self._signal_both(signal.SIGTERM)

    def _signal_both(self, number: signal.Signals) -> None:
        for pid in (self._front_pid, self._back_pid):
            if pid is not None:
                os.kill(pid, number)

    def _reap(self) -> None:
        while self._front_pid or self._back_pid:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid == self._front_pid:
                self._front_pid = None
                self._exit_code = self._exit_code_of(code)
                self._stop()
            elif pid == self._back_pid:
                self._back_pid = None
                if self._stop_at is None:
                    self._plan_restart(code)

    def _exit_code_of(self, code: int) -> int:
        """The exit code for the end of `front`.

        A signal to stop may come before it handles signals.
        """
        if code == -signal.SIGTERM and self._stop_at is not None:
            return 0
        return code if code >= 0 else EXIT_FAILED

    def _plan_restart(self, code: int) -> None:
        now = time.monotonic()
        if now - self._back_started_at > STEADY_SECONDS:
            self._wait_seconds = FIRST_WAIT_SECONDS
        log.warning(
            "The process for tables and SQL has ended (%s); it starts again in %g "
            "seconds. The wall is not affected.",
            f"signal {-code}" if code < 0 else f"exit code {code}",
            self._wait_seconds,
        )
        self._restart_at = now + self._wait_seconds
        self._wait_seconds = min(self._wait_seconds * 2, MAX_WAIT_SECONDS)

    def _act_on_time(self) -> None:
        now = time.monotonic()
        if self._stop_at is not None and now >= self._stop_at:
            self._signal_both(signal.SIGKILL)
            self._stop_at = now + STOP_SECONDS
        if self._restart_at is not None and now >= self._restart_at:
            self._start_back()


def _ignore(*_: object) -> None:
    """A handler, because an ignored signal would not wake `select`."""


def _end_with_parent(life: int) -> None:
    def wait() -> None:
        os.read(life, 1)
        os._exit(EXIT_FAILED)

    threading.Thread(target=wait, name="parent", daemon=True).start()
