"""By hand: the lake with ten times the runs of `make scale`, or more.

    python -m bench.scale.large FOLDER --copies 10

`ci-observer lake` fills the lake with 2 M runs. DuckDB copies their rows, with ids and
durations of their own, and each copy is one append. SQLite gets only the columns that
the questions read. The merge is one of `ci-observer lake` again, of runs that changed.
"""
# ruff: noqa: S608 (own names and numbers)

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import deltalake

from bench.scale.__main__ import say
from bench.scale.duckdb_lake import connect_lake
from bench.scale.figures import Figure, markdown
from bench.scale.file import RUNS, archive
from bench.scale.lake_folder import fill_lake, filled_lake
from bench.scale.questions import (
    TITLES,
    Result,
    ask,
    connect_archive,
    refuse_differences,
)
from bench.scale.spark import PACKAGES, run_job
from bench.scale.spark_cluster import spark_cluster
from ci_observer.ingest.lake.merging import WRITER

# More than the copies in the file of each run, whose ids are next to each other.
ID_STEP = 1_000
MAX_COPIES = 10
CHANGED = 250
QUESTIONS = ("durations", "failures")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--copies", default=10, type=click.IntRange(1, MAX_COPIES))
def main(*, folder: Path, copies: int) -> None:
    """Measure a lake of `copies` times 2 M runs in FOLDER, which is kept."""
    figures = []
    for figure in measure(folder, copies):
        say(f"  {figure.name}: {figure.text} ({figure.note})")
        figures.append(figure)
    for line in markdown(figures):
        click.echo(line)


def measure(folder: Path, copies: int) -> Iterator[Figure]:
    runs = f"{copies * RUNS:,} runs"
    lake = folder / "lake" / "large"
    file, small = archive(folder, say), filled_lake(folder, say)
    if not lake.exists():
        shutil.copytree(small, lake)
        for number in range(1, copies):
            say(f"appending copy {number}")
            append_copy(small, lake, number)
    yield Figure(runs, "bytes per run in the lake", size(lake) / copies / RUNS)
    say("asking SQLite")
    with closing(connect_archive(file)) as conn:
        copy_columns(conn, folder / "columns.db", copies)
        expected = ask(conn.execute, QUESTIONS)
    yield from _figures(runs, "SQLite", expected, expected)
    with connect_lake(lake) as conn:
        found = ask(lambda sql: conn.execute(sql).fetchall(), QUESTIONS)
    yield from _figures(runs, "DuckDB", expected, found)
    with spark_cluster(PACKAGES / "pyspark", folder / "spark") as cluster:
        found = run_job(lake, cluster.master, folder / "spark", QUESTIONS)
    yield from _figures(runs, "Spark", expected, found)
    change_runs(file)
    start = time.monotonic()
    fill_lake(file, lake)
    yield Figure(
        runs, f"merge of {CHANGED} changed runs, seconds", time.monotonic() - start
    )


def _figures(
    runs: str, engine: str, expected: dict[str, Result], found: dict[str, Result]
) -> Iterator[Figure]:
    refuse_differences(expected, found, engine)
    for name, result in found.items():
        yield Figure(
            runs, f"{TITLES[name]} in {engine}, seconds", result.seconds, result.note
        )


def append_copy(small: Path, lake: Path, number: int) -> None:
    """Append the runs of a lake once more, with other ids and durations."""
    with connect_lake(small) as conn:
        rows = conn.execute(
            f"select * replace (run_id - {number * ID_STEP} as run_id,"
            f" duration_seconds + {number} as duration_seconds) from runs"
        ).to_arrow_reader(100_000)
        deltalake.write_deltalake(
            lake / "runs", rows, mode="append", writer_properties=WRITER
        )


def copy_columns(conn: sqlite3.Connection, path: Path, copies: int) -> None:
    """Have `runs` be a table with the same copies, in a file next to the archive."""
    path.unlink(missing_ok=True)
    conn.execute("attach ? as wide", [f"{path.absolute().as_uri()}?mode=rwc"])
    conn.execute("pragma wide.synchronous = off")
    conn.execute("pragma wide.journal_mode = off")
    columns = "repo, workflow, run_attempt, conclusion"
    for number in range(copies):
        create = (
            "create table wide.copied as" if number == 0 else "insert into wide.copied"
        )
        conn.execute(
            f"{create} select run_id - {number * ID_STEP} as run_id, {columns},"
            f" duration_seconds + {number} as duration_seconds from main.runs"
        )
    conn.commit()
    conn.execute("drop view runs")
    conn.execute("create temp view runs as select * from wide.copied")


def change_runs(file: Path) -> None:
    """Change the newest runs of the archive, as a re-run does."""
    with closing(sqlite3.connect(file)) as conn, conn:
        conn.execute(
            "update runs set run_attempt = run_attempt + 1, updated_at ="
            " strftime('%Y-%m-%dT%H:%M:%SZ', 'now') where run_id in"
            f" (select run_id from runs order by run_id desc limit {CHANGED})"
        )


def size(folder: Path) -> int:
    """The bytes of the files of the runs."""
    return sum(path.stat().st_size for path in (folder / "runs").rglob("*.parquet"))


if __name__ == "__main__":
    main()
