"""The progress of filling a table of the lake."""

import logging
import time
from typing import Any

from ci_observer.ingest.commands.terminal import LINE_EVERY_SECONDS, progress_bar
from ci_observer.ingest.lake.passes import Progress

log = logging.getLogger("ci_observer")


class FillProgress(Progress):
    """A bar on a terminal, otherwise a line a minute in the log."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._table, self._rows, self._done = "", 0, 0
        self._line_at = 0.0

    def start(self, table: str, rows: int) -> None:
        """A table is being filled; the database has `rows` rows of it."""
        self._table, self._rows, self._done = table, rows, 0
        self._line_at = time.monotonic()
        self._bar = progress_bar(None, rows, f"filling {table}")
        self._bar.__enter__()

    def advance(self, rows: int) -> None:
        """More rows are written."""
        if self._bar is None:
            return
        self._done += rows
        self._bar.update(rows)
        is_due = time.monotonic() - self._line_at > LINE_EVERY_SECONDS
        if self._bar.hidden and is_due:
            self._line_at = time.monotonic()
            numbers = f"{self._done:,} of {self._rows:,}"
            log.info("filling %s: %s rows", self._table, numbers)

    def end(self) -> None:
        """The table is filled, or it was stopped."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
