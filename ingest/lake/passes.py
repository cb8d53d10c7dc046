"""One pass: everything that the lake lacks, table by table."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ci_observer.ingest.db import schema
from ci_observer.ingest.lake.failures import explaining_failures
from ci_observer.ingest.lake.merging import Merged, merge_table, merge_tiles
from ci_observer.ingest.lake.place import Place
from ci_observer.ingest.lake.source import Source
from ci_observer.ingest.lake.tables import TABLES, LakeTable


@dataclass(frozen=True)
class Pass:
    """The rows that a pass has written to each table, and its duration."""

    merged: tuple[Merged, ...]
    seconds: float

    def __str__(self) -> str:
        parts = ", ".join(str(merged) for merged in self.merged)
        return f"Merged in {self.seconds:.1f} s: {parts}."

    @property
    def is_behind(self) -> bool:
        """Whether the lake is newer than the database, so that nothing was written."""
        return any(merged.is_behind for merged in self.merged)


class Progress:
    """Shows how far a table is filled; this one shows nothing."""

    def start(self, table: str, rows: int) -> None:
        """A table is being filled; the database has `rows` rows of it."""

    def advance(self, rows: int) -> None:
        """More rows are written."""

    def end(self) -> None:
        """The table is filled, or it was stopped."""


def run_pass(
    db_path: Path,
    place: Place,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
) -> Pass:
    """Merge what has changed. Stops between two commits if `is_stopped`.

    Raises `LakeError` and `DatabaseError`.
    """
    start = time.monotonic()
    place.forget_tables()
    with (
        closing(schema.connect_read_only(db_path)) as db,
        explaining_failures(place.uri, place.options),
    ):
        source = Source(db)
        merged = [
            _merge(table, source, place, is_stopped, progress or Progress())
            for table in TABLES
        ]
        if not is_stopped():
            merged.append(merge_tiles(source, place))
    return Pass(tuple(merged), time.monotonic() - start)


def _merge(
    table: LakeTable,
    source: Source,
    place: Place,
    is_stopped: Callable[[], bool],
    progress: Progress,
) -> Merged:
    total, is_shown = Merged(table.name), False
    for step in merge_table(table, source, place, is_stopped=is_stopped):
        if step.is_filling and not is_shown:
            progress.start(table.name, source.count_rows(table))
            is_shown = True
        progress.advance(step.rows)
        total += step.merged
    progress.end()
    return total
