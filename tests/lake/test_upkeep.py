"""Compaction and clean-up: small files are joined, replaced ones are deleted later."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from archive import save_runs, watch
from deltalake import DeltaTable
from factories import run_payload
from lakes import Lake, merge

from ci_observer.ingest.lake import upkeep
from ci_observer.ingest.lake.place import Place

RETENTION = timedelta(days=7)
EIGHT_DAYS = 8 * 24 * 3600


@pytest.fixture
def table(db, db_path, lake) -> DeltaTable:
    """The runs, in three files of one month."""
    watch(db, ("acme/api", "ci.yml"))
    for run_id in (1, 2, 3):
        save_runs(db, run_payload(run_id))
        merge(db_path, lake.folder)
    return DeltaTable(lake.folder / "runs")


def run_upkeep(lake: Lake, *, is_due_daily: bool) -> list[str]:
    """The lines of a process of its own."""
    place = Place(str(lake.folder), folder=lake.folder)
    return list(upkeep.run_upkeep(place, RETENTION, is_due_daily=is_due_daily))


def make_older(folder: Path) -> None:
    """Move the times of files, and those in the log, to eight days earlier."""
    for path in folder.rglob("*.parquet"):
        at = path.stat().st_mtime - EIGHT_DAYS
        os.utime(path, (at, at))
    for path in (folder / "_delta_log").glob("*.json"):
        text = re.sub(
            r'("deletionTimestamp":)(\d+)',
            lambda found: f"{found[1]}{int(found[2]) - EIGHT_DAYS * 1000}",
            path.read_text(),
        )
        path.write_text(text)


def run_ids(table: DeltaTable) -> list[int]:
    return sorted(table.to_pyarrow_table()["run_id"].to_pylist())


def test_small_files_are_compacted_and_deleted_after_the_retention(
    db, db_path, lake, table
):
    """A reader of the former version is not broken before."""
    [line] = [
        line for line in run_upkeep(lake, is_due_daily=True) if line[:5] == "runs:"
    ]

    assert line == "runs: 3 small files compacted to 1, 0 replaced files deleted."
    assert run_ids(table) == [1, 2, 3]
    make_older(lake.folder / "runs")
    save_runs(db, run_payload(4))
    merge(db_path, lake.folder)
    # This day's compaction is done, also for other writers.
    assert run_upkeep(lake, is_due_daily=True) == []

    lines = run_upkeep(lake, is_due_daily=False)

    assert "runs: 2 small files compacted to 1, 3 replaced files deleted." in lines
    with pytest.raises(FileNotFoundError):
        run_ids(table)
    assert run_ids(DeltaTable(lake.folder / "runs")) == [1, 2, 3, 4]


def test_a_clock_that_was_ahead_does_not_end_the_upkeep(
    lake, table, db, db_path, monkeypatch
):
    with monkeypatch.context() as ahead:
        ahead.setattr(upkeep, "DAY", upkeep.DAY / 2)
        run_upkeep(lake, is_due_daily=True)
    save_runs(db, run_payload(4))
    merge(db_path, lake.folder)

    lines = run_upkeep(lake, is_due_daily=True)

    assert "runs: 2 small files compacted to 1, 0 replaced files deleted." in lines
