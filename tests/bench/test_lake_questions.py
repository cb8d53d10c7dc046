"""The questions of the lake have the same results in each engine, and are right."""

import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from varied_archive import fill_varied

from bench.scale import runs_file
from bench.scale.duckdb_lake import connect_lake
from bench.scale.questions import (
    TITLES,
    Result,
    ask,
    connect_archive,
    questions,
    refuse_differences,
)
from bench.scale.spark import JOB
from ci_observer.ingest.db import schema
from ci_observer.web.summary.counts import percentile


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "ci_observer.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        fill_varied(db)
    return path


@pytest.fixture
def sqlite(archive: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect_archive(archive)) as conn:
        yield conn


@pytest.fixture
def lake(sqlite: sqlite3.Connection, tmp_path: Path) -> Path:
    """A lake with the columns that the questions read."""
    names = ("run_id", "repo", "workflow", "run_attempt", "conclusion")
    cursor = sqlite.execute(
        f"select {', '.join(names)}, duration_seconds, month from runs"  # noqa: S608
    )
    rows = [
        dict(zip((*names, "duration_seconds", "month"), row, strict=True))
        for row in cursor
    ]
    data = pa.Table.from_pylist(rows)
    deltalake.write_deltalake(tmp_path / "runs", data, partition_by=["month"])
    return tmp_path


def test_percentiles_are_those_of_the_summary(sqlite):
    counts: dict[tuple[str, str], dict[float, int]] = defaultdict(dict)
    for repo, workflow, seconds, n in sqlite.execute(
        "select repo, workflow, duration_seconds, count(*) from runs"
        " where conclusion = 'success' and run_attempt = 1 and duration_seconds > 0"
        " group by 1, 2, 3"
    ):
        counts[repo, workflow][seconds] = n
    expected = {
        (*key, sum(of.values()), percentile(of, 50), percentile(of, 95))
        for key, of in counts.items()
    }

    assert expected
    assert {*sqlite.execute(questions()["durations"])} == expected


def test_duckdb_has_the_results_of_sqlite(sqlite, lake):
    expected = ask(sqlite.execute)
    with connect_lake(lake) as conn:
        found = ask(lambda sql: conn.execute(sql).fetchall())

    assert all(result.rows for result in expected.values())
    refuse_differences(expected, found, "DuckDB")


@pytest.mark.parametrize("rows", [[], [("a", 2)], [("a", 1)] * 2])
def test_a_difference_is_an_error(rows):
    with pytest.raises(ValueError, match="rows for count, SQLite has 1"):
        refuse_differences(
            {"count": Result([("a", 1)], 0)}, {"count": Result(rows, 0)}, "Spark"
        )


def test_a_synthetic_archive_has_all_runs_once(tmp_path, monkeypatch):
    monkeypatch.setattr(runs_file, "WRITTEN", 40)
    monkeypatch.setattr(runs_file, "WORKFLOWS", 5)
    path = tmp_path / "many" / "ci_observer.db"
    runs_file.write_runs_file(path, 400, lambda _: None)

    assert [item.name for item in path.parent.iterdir()] == [path.name]
    with closing(connect_archive(path)) as conn:
        assert conn.execute(questions()["count"]).fetchall() == [(400, 400)]
        [[attempts]] = conn.execute("select count(*) from run_attempts")
        [[months]] = conn.execute("select count(distinct month) from runs")
    assert attempts >= 400
    assert months > 11


@pytest.mark.parametrize("is_table", [True, False])
def test_the_job_refuses_what_it_cannot_read(lake, is_table):
    """Without Spark: before it starts."""
    if is_table:
        deltalake.DeltaTable(lake / "runs").alter.add_feature(
            deltalake.TableFeatures.DeletionVectors,
            allow_protocol_versions_increase=True,
        )
    found = subprocess.run(  # noqa: S603 (fixed arguments)
        [sys.executable, JOB, lake if is_table else lake / "nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )

    expected = "uses deletionVectors" if is_table else "is no Delta table."
    assert expected in found.stderr
    assert found.returncode == 1


def test_every_question_has_a_title():
    assert TITLES.keys() == questions().keys()
