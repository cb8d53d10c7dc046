"""Merges the database into the tables of the lake, in commits that can be repeated.

A table is first filled, in the order of the runs' ids, then follows the log of changes.
Each step reads the watermark of the table, some rows, and writes both in one commit. So
a process that is killed repeats a step at most, and a repeated row changes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from arro3.core import Table
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties
from deltalake.table import TableMerger

from ci_observer.ingest.lake.place import Place
from ci_observer.ingest.lake.retries import retrying_conflicts
from ci_observer.ingest.lake.source import Rows, Source
from ci_observer.ingest.lake.tables import (
    SOURCE,
    TILE_TABLE,
    LakeTable,
    is_newer_sql,
    is_same_sql,
)
from ci_observer.ingest.lake.watermark import (
    ALL_RUNS,
    Watermark,
    commit_alone,
    read_watermark,
)

# Rows that are merged in one commit; they bound the memory.
CHUNK = 50_000
WRITER = WriterProperties(
    compression="ZSTD", compression_level=3, max_row_group_size=100_000
)


@dataclass(frozen=True)
class Merged:
    """The rows that a step, or all of them, have written to a table.

    `is_behind` is true if the database is older than the lake: nothing was written.
    """

    table: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    is_behind: bool = False

    def __str__(self) -> str:
        counts = {
            "new": self.inserted,
            "updated": self.updated,
            "deleted": self.deleted,
        }
        texts = [f"{count:,} {name}" for name, count in counts.items() if count]
        return f"{self.table} {' and '.join(texts) or 'unchanged'}"

    def __add__(self, other: "Merged") -> "Merged":
        return Merged(
            self.table,
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.is_behind or other.is_behind,
        )


@dataclass(frozen=True)
class Step:
    """The rows that a step has read, and those that it has written."""

    merged: Merged
    rows: int = 0
    is_filling: bool = False


def merge_table(
    table: LakeTable,
    source: Source,
    place: Place,
    *,
    is_stopped: Callable[[], bool],
) -> Iterator[Step]:
    """Merge what a table of runs lacks, a step at a time."""
    while not is_stopped():
        step = retrying_conflicts(lambda: _next_step(table, source, place))
        if step is None:
            return
        yield step
        if not step.is_filling:
            return


def _next_step(table: LakeTable, source: Source, place: Place) -> Step | None:
    """Write one chunk; None if the table has everything."""
    lake = place.open(table)
    mark, newest = read_watermark(table, lake, source.database_id), source.newest()
    if mark is not None and _is_behind(mark, newest):
        return Step(Merged(table.name, is_behind=True))
    if mark is None or not source.has(mark):
        mark = replace(newest, filled_to=0)
    if not mark.is_filled:
        rows = source.all_rows(table, after=mark.filled_to, limit=CHUNK)
        filled = ALL_RUNS if rows.last_run_id is None else rows.last_run_id
        mark = replace(mark, filled_to=filled)
        merged = _write(table, lake, source, rows, mark)
        return Step(merged, rows.count, is_filling=True)
    if mark.change_id == newest.change_id:
        return None
    return _merge_changes(table, lake, source, mark, newest)


def _is_behind(mark: Watermark, newest: Watermark) -> bool:
    """Whether the database is a copy of before, such as a replica that lags."""
    return newest.change_id < mark.change_id and newest.revision < mark.revision


def _merge_changes(
    table: LakeTable,
    lake: DeltaTable,
    source: Source,
    mark: Watermark,
    newest: Watermark,
) -> Step:
    """Merge all changes up to `newest`; only the last commit moves the mark."""
    merged, after, count = Merged(table.name), 0, 0
    with source.changed_runs(mark, newest):
        if not source.has(mark):
            # Ingest has just deleted it from the log: the next step fills the table.
            return Step(merged, is_filling=True)
        while True:
            rows = source.changed_rows(table, after=after, limit=CHUNK)
            count += rows.count
            if rows.last_run_id is None:
                merged += _write(table, lake, source, rows, newest)
                return Step(merged, count)
            merged += _write(table, lake, source, rows, mark)
            after = rows.last_run_id


def _write(
    table: LakeTable, lake: DeltaTable, source: Source, rows: Rows, mark: Watermark
) -> Merged:
    """Merge rows in one commit that also moves the watermark."""
    done = mark.transactions(table, source.database_id)
    if rows.data is None:
        commit_alone(lake, done)
        return Merged(table.name)
    version = lake.version()
    metrics = (
        _merge(lake, rows.data, is_same_sql(table, rows.months), done)
        .when_matched_update_all(predicate=is_newer_sql(table))
        .when_not_matched_insert_all()
        .execute()
    )
    if lake.version() == version:
        # A merge that changes no row makes no commit.
        commit_alone(lake, done)
    return _merged(table, metrics)


def merge_tiles(source: Source, place: Place) -> Merged:
    """Write the tiles of the wall, and delete those that it no longer shows."""
    return retrying_conflicts(lambda: _merge_tiles(TILE_TABLE, source, place))


def _merge_tiles(table: LakeTable, source: Source, place: Place) -> Merged:
    lake = place.open(table)
    mark, newest = read_watermark(table, lake, source.database_id), source.newest()
    if mark is not None and newest.revision <= mark.revision:
        return Merged(table.name, is_behind=newest.revision < mark.revision)
    tiles, version = source.tiles(table), lake.version()
    done = newest.transactions(table, source.database_id)
    metrics = (
        _merge(lake, tiles, is_same_sql(table, ()), done)
        .when_matched_update_all(predicate=is_newer_sql(table))
        .when_not_matched_insert_all()
        .when_not_matched_by_source_delete(predicate=_is_own_tile_sql(source))
        .execute()
    )
    if lake.version() == version:
        commit_alone(lake, done)
    return _merged(table, metrics)


def _is_own_tile_sql(source: Source) -> str:
    """Whether the tile `t` is of this database, or was before `ci-observer reshard`.

    Tiles of other repositories of the former databases are left to the other shards.
    """
    own = f"t.{SOURCE} = {_quoted(source.database_id)}"
    if not (former := source.former_ids()) or not (repos := source.repos()):
        return own
    return (
        f"({own} or (t.{SOURCE} in ({', '.join(map(_quoted, former))})"
        f" and t.repo in ({', '.join(map(_quoted, repos))})))"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _merge(
    lake: DeltaTable, data: Table, condition: str, done: list[Transaction]
) -> TableMerger:
    return lake.merge(
        data,
        condition,
        source_alias="s",
        target_alias="t",
        # Their ranges of ids then exclude files.
        streamed_exec=False,
        writer_properties=WRITER,
        commit_properties=CommitProperties(app_transactions=done),
    )


def _merged(table: LakeTable, metrics: dict[str, Any]) -> Merged:
    return Merged(
        table.name,
        metrics["num_target_rows_inserted"],
        metrics["num_target_rows_updated"],
        metrics["num_target_rows_deleted"],
    )
