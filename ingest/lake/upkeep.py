"""Compacts the many small files that merges leave, and deletes replaced ones.

It never changes rows. Files that are no longer part of a table are kept for readers
that still use them.
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from deltalake import DeltaTable, Transaction

from ci_observer.ingest.lake.failures import explaining_failures
from ci_observer.ingest.lake.merging import WRITER
from ci_observer.ingest.lake.place import Place
from ci_observer.ingest.lake.retries import retrying_conflicts
from ci_observer.ingest.lake.tables import ALL_TABLES, LakeTable
from ci_observer.ingest.lake.watermark import commit_alone

# A merge rewrites every file with a changed row: larger ones take longer.
FILE_BYTES = 32_000_000
DAY = 24 * 3600
# Records the day of the last compaction, so that one of many writers does it.
COMPACTED = "ci-observer compacted"


def run_upkeep(
    place: Place,
    retention: timedelta,
    *,
    is_due_daily: bool,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Iterator[str]:
    """Compact and clean up each table; yield a line for each that has changed.

    With `is_due_daily`, tables are skipped that a writer has compacted today, UTC.
    Raises `LakeError`.
    """
    today = int(time.time() // DAY)
    for table in ALL_TABLES:
        if is_stopped():
            return
        with explaining_failures(place.uri, place.options):
            if is_due_daily and not retrying_conflicts(
                lambda: _take_day(place, table, today)  # noqa: B023 (called at once)
            ):
                continue
            removed, added = retrying_conflicts(lambda: _compact(place, table))  # noqa: B023 (called at once)
            deleted = _delete_replaced(place.open(table), retention)
        if removed or deleted:
            yield (
                f"{table.name}: {removed} small files compacted to {added},"
                f" {deleted} replaced files deleted."
            )


def _take_day(place: Place, table: LakeTable, today: int) -> bool:
    """Record that this writer compacts a table today; false if another one does.

    A compaction itself cannot record it.
    """
    lake = place.open(table)
    # A later day is that of a wrong clock.
    if lake.transaction_version(COMPACTED) == today:
        return False
    commit_alone(lake, [Transaction(COMPACTED, today)])
    return True


def _compact(place: Place, table: LakeTable) -> tuple[int, int]:
    """Compact the files of a table; return how many were removed and added."""
    metrics = place.open(table).optimize.compact(
        target_size=FILE_BYTES,
        writer_properties=WRITER,
    )
    return metrics["numFilesRemoved"], metrics["numFilesAdded"]


def _delete_replaced(lake: DeltaTable, retention: timedelta) -> int:
    """Delete files that have been part of no version for `retention`.

    Among them are files of merges that were killed before their commit.
    """
    hours = int(retention.total_seconds() // 3600)
    return len(lake.vacuum(retention_hours=hours, dry_run=False, full=True))
