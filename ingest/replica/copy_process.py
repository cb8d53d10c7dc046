"""One copy of the database, and the process of Litestream that keeps it up to date."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

from ci_observer.ingest.commands import launch
from ci_observer.ingest.config import database_group, litestream_environment
from ci_observer.ingest.db.database_file import txid_path
from ci_observer.ingest.replica import copy_file, litestream

# For the last lines of an ended process.
LOG_SECONDS = 1

# The first byte that SQLite, and so Litestream, locks to write:
# https://www.sqlite.org/src/file/src/os.h
PENDING_BYTE = 0x40000000


class CopyProcess:
    """Litestream restores a copy into a folder of its own, and follows the changes.

    It writes an update in place, and leaves it incomplete if the S3 server fails
    meanwhile. So a copy that is read is paused between two updates.
    """

    def __init__(self, url: str, database: Path, interval: str) -> None:
        """Start the process. Raises `OSError`."""
        self.path = copy_file.empty_folder(database) / database.name
        self.is_paused = False
        self._is_prepared = False
        self._process = subprocess.Popen(  # noqa: S603 (a fixed program)
            litestream.follow_command(url, self.path, interval),
            env=litestream_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=_end_with_parent,  # noqa: PLW1509 (no other thread takes locks)
        )
        self._reader = threading.Thread(target=self._pass_on_log, daemon=True)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process; None while it runs or is paused."""
        return self._process.poll()

    @property
    def is_restored(self) -> bool:
        """Whether the file is complete; Litestream then applies the changes to it."""
        return txid_path(self.path).exists()

    @property
    def txid(self) -> str:
        """The number of the last complete update, in 16 hexadecimal digits."""
        return txid_path(self.path).read_text().strip()

    def pause(self) -> bool:
        """Pause the process between two updates; return whether it was between two."""
        if self.exit_code is not None:
            return False
        self._process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self._process.returncode = os.waitstatus_to_exitcode(status)
            return False
        self.is_paused = True
        if not self._is_prepared:
            copy_file.prepare(self.path, group=database_group())
            self._is_prepared = True
        if not self._is_between_updates():
            self.resume()
        return self.is_paused

    def resume(self) -> None:
        """Let the process follow again."""
        self._process.send_signal(signal.SIGCONT)
        self.is_paused = False

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()
        self.resume()

    def wait(self, seconds: float) -> None:
        """Wait for the end of the process, and kill it after these seconds."""
        try:
            self._process.wait(max(0, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(LOG_SECONDS)

    def _is_between_updates(self) -> bool:
        """Whether the paused process has neither begun an update nor waits for one.

        It writes the -txid file after an update, and locks the file for each part.
        """
        recorded = txid_path(self.path).stat().st_mtime_ns
        if recorded < self.path.stat().st_mtime_ns:
            return False
        try:
            with self.path.open("rb") as file:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, PENDING_BYTE)
        except BlockingIOError:
            return False
        return True

    def _pass_on_log(self) -> None:
        lines = litestream.LogLines()
        with self._process.stdout or nullcontext(()) as output:
            for line in output:
                lines.add(line)


def _end_with_parent() -> None:
    """In the new process: have the kernel end it with this one, on Linux."""
    if sys.platform == "linux":
        launch.end_with_parent()
