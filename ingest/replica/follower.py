"""The process that keeps the file of a replica up to date, by Litestream.

It ends when Litestream does; the supervisor then starts it again, with an empty folder.
"""

import logging
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from ci_observer.ingest.commands import launch
from ci_observer.ingest.config import database_group, litestream_environment
from ci_observer.ingest.db.database_file import txid_path
from ci_observer.ingest.replica import copy_file, litestream

SECONDS_BETWEEN_LOOKS = 0.2
# Litestream then ends by itself; the supervisor waits for 7 seconds.
STOP_SECONDS = 5

log = logging.getLogger("ci_observer")


def follow(url: str, database: Path, interval: str) -> int:
    """Restore a database and follow its changes until stopped; return the exit code."""
    restored = copy_file.empty_folder(database) / database.name
    process = subprocess.Popen(  # noqa: S603 (a fixed program)
        litestream.follow_command(url, restored, interval),
        env=litestream_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        preexec_fn=_end_with_parent,  # noqa: PLW1509 (there is no other thread yet)
    )
    is_stopped = _stop_on_signals(process)
    reader = threading.Thread(target=_pass_on_log, args=(process,), daemon=True)
    reader.start()
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_BETWEEN_LOOKS)
        # Litestream writes this file before it applies the first change.
        if txid_path(restored).exists():
            copy_file.publish(restored, database, group=database_group())
            log.info("The replica is restored, and follows %s.", url.partition("?")[0])
            process.wait()
    reader.join(STOP_SECONDS)
    if is_stopped.is_set():
        return 0
    log.warning(
        "Litestream has ended with exit code %d. The database is restored again; until "
        "then the wall shows the former copy and its age.",
        process.returncode,
    )
    return 1


def _end_with_parent() -> None:
    """In the new process: have the kernel end it with this one, on Linux."""
    if sys.platform == "linux":
        launch.end_with_parent()


def _stop_on_signals(process: "subprocess.Popen[str]") -> threading.Event:
    """Have SIGTERM and Ctrl-C end Litestream; the event says that one has come."""
    is_stopped = threading.Event()

    def stop(*_: object) -> None:
        is_stopped.set()
        process.terminate()
        signal.alarm(STOP_SECONDS)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGALRM, lambda *_: process.kill())
    return is_stopped


def _pass_on_log(process: "subprocess.Popen[str]") -> None:
    lines = litestream.LogLines()
    for line in process.stdout or ():
        lines.add(line)
