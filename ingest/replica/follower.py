"""The process that keeps the file of a replica up to date, with two copies in turn.

One copy is shown, and does not change meanwhile; Litestream applies the changes to the
other. A reader thus never meets an incomplete update, which may last as long as the S3
server is down, and never waits for one.
"""

import logging
import signal
import time
from pathlib import Path

from ci_observer.ingest.replica import copy_file
from ci_observer.ingest.replica.copy_process import CopyProcess

SECONDS_BETWEEN_LOOKS = 0.1
# Litestream then ends by itself; the supervisor waits for 7 seconds.
STOP_SECONDS = 5
# Until a copy whose process has ended is restored again: the disk may be full.
RETRY_SECONDS = 60

ENDED = (
    "Litestream has ended with exit code %d. Its copy is restored again; until then "
    "the wall shows the copy that it has, with its age."
)

log = logging.getLogger("ci_observer")


def follow(url: str, database: Path, interval: str) -> int:
    """Restore a database and follow its changes until stopped; return the exit code.

    Raises `ConfigError` while another process does the same.
    """
    is_stopped = False

    def stop(*_: object) -> None:
        nonlocal is_stopped
        is_stopped = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with copy_file.lock(database):
        follower = Follower(url, database, interval)
        try:
            while not is_stopped:
                if not follower.look():
                    return 1
                time.sleep(SECONDS_BETWEEN_LOOKS)
        finally:
            follower.end()
    return 0


class Follower:
    """Two copies of the database: one is shown, the other follows."""

    def __init__(self, url: str, database: Path, interval: str) -> None:
        self._url, self._database, self._interval = url, database, interval
        self._shown: CopyProcess | None = None
        self._other: CopyProcess | None = self._start()
        self._start_at = 0.0

    def look(self) -> bool:
        """Show the newer copy; return False if no copy is followed any more."""
        shown, other = self._shown, self._other
        if other is None:
            if time.monotonic() >= self._start_at:
                self._other = self._start()
        elif other.exit_code is not None:
            log.warning(ENDED, other.exit_code)
            self._other = None
            self._start_at = time.monotonic() + RETRY_SECONDS
            if shown and shown.exit_code is None:
                shown.resume()
        elif other.is_restored:
            self._show_newer(other)
        return any(copy.exit_code is None for copy in self._copies())

    def end(self) -> None:
        """End the processes; the copy that is shown stays."""
        copies = self._copies()
        for copy in copies:
            copy.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for copy in copies:
            copy.wait(deadline - time.monotonic())

    def _start(self) -> CopyProcess:
        return CopyProcess(self._url, self._database, self._interval)

    def _show_newer(self, other: CopyProcess) -> None:
        """Show the other copy if it is newer, or the shown one cannot be read."""
        shown = self._shown
        if shown and other.txid <= shown.txid:
            is_at_rest = shown.is_paused or shown.pause()
            if is_at_rest or other.txid < shown.txid:
                return
        if other.pause():
            self._show(other)

    def _show(self, other: CopyProcess) -> None:
        former = self._shown
        copy_file.publish(other.path, self._database)
        self._shown, self._other = other, former
        if former is None:
            log.info(
                "The replica is restored, and follows %s.", self._url.partition("?")[0]
            )
            # Until there is a second copy, this one follows.
            other.resume()
        elif former.exit_code is None:
            former.resume()

    def _copies(self) -> list[CopyProcess]:
        return [copy for copy in (self._shown, self._other) if copy]
