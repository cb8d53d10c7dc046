"""Descendants of the supervising process that outlive the process that started them.

When `serve` is killed, its processes end by themselves a moment later. Until then they
have the database open.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ci_observer.ingest.commands import launch

# https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of each descendant that loses its own one, on Linux."""
    if sys.platform == "linux":
        with suppress(OSError):
            launch.prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_children() -> None:
    """Kill all child processes, and wait until they and their orphans have ended."""
    with suppress(OSError):
        while children := list(_children()):
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> Iterator[int]:
    """The ids of this process's children, also of ended ones; none without /proc."""
    for task in Path("/proc/self/task").iterdir():
        yield from map(int, (task / "children").read_text().split())
