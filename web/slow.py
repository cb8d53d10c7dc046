"""What is known of reads that were too slow to be done where they were tried."""

import time

from datasette.utils.sqlite import sqlite3

# What was too slow is not tried again for so long.
FORGET_SECONDS = 60
MAX_KINDS = 1000


class SlowKinds:
    """Names of kinds of reads, each remembered for a while."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def __contains__(self, kind: str) -> bool:
        since = self._since.get(kind)
        return since is not None and time.perf_counter() < since + FORGET_SECONDS

    def add(self, kind: str) -> None:
        if len(self._since) >= MAX_KINDS:
            self._since.clear()
        self._since[kind] = time.perf_counter()


def may_need_time(error: sqlite3.OperationalError) -> bool:
    """Whether it was interrupted, or found a lock that it did not wait for."""
    return any(word in str(error) for word in ("interrupted", "locked", "busy"))
