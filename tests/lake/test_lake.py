"""The lake has what the database has, however often it is merged."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lakes import Lake, reading_lake
from varied_archive import fill_varied

from ci_observer.ingest.lake.passes import Pass, run_pass
from ci_observer.ingest.lake.place import Place


def merge(db_path: Path, lake: Path) -> Pass:
    return run_pass(db_path, Place(str(lake), folder=lake))


def counts(found: Pass) -> dict[str, tuple[int, int]]:
    """The inserted and the updated rows of each table that has changed."""
    return {
        merged.table: (merged.inserted, merged.updated)
        for merged in found.merged
        if merged.inserted or merged.updated
    }


def files(lake: Path) -> set[Path]:
    return {path for path in lake.rglob("*") if path.is_file()}


@pytest.fixture
def lake(tmp_path: Path, db_path: Path) -> Iterator[Lake]:
    with reading_lake(str(tmp_path / "lake"), db_path) as lake:
        yield lake


def test_a_second_merge_writes_nothing_and_makes_no_file(db, db_path, tmp_path):
    fill_varied(db, runs=40)
    folder = tmp_path / "lake"
    merge(db_path, folder)
    before = files(folder)

    assert counts(merge(db_path, folder)) == {}
    assert files(folder) == before
