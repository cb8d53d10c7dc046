"""The part `lake`: filling a lake with 2 M runs, merging changes, and twelve shards."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

from bench.harness.servers import ROOT
from bench.scale.duckdb_lake import connect_lake
from bench.scale.figures import Figure
from bench.scale.file import RUNS, archive
from bench.scale.lake_folder import fill_lake, filled_lake
from ci_observer.ingest.db import schema

PART = "lake"
MINUTES = 2.5
CHANGED = 250
SHARDS, RUNS_OF_SHARD = 12, 1_000


def measure(scratch: Path, say: Callable[[str], None]) -> Generator[Figure, None, None]:
    file = archive(scratch, say)
    start = time.monotonic()
    lake = filled_lake(scratch, say)
    note = f"{RUNS:,} runs and their attempts, without jobs, to a folder"
    yield Figure(PART, "first fill, seconds", time.monotonic() - start, note)
    yield Figure(PART, "bytes per run", size_of(lake) / RUNS, "runs and attempts")
    ensure_equal(file, lake)
    yield Figure(PART, "runs and attempts in SQLite and the lake", "equal", note)
    yield from merges(file, lake)
    say(f"{SHARDS} shards merge {RUNS_OF_SHARD:,} runs of the same months each")
    yield from shards(file, scratch / PART / "shards")


def merges(file: Path, lake: Path) -> Generator[Figure, None, None]:
    """A merge of changed runs, and one of nothing."""
    with closing(sqlite3.connect(file)) as conn, conn:
        conn.execute(
            "update runs set queue_seconds = coalesce(queue_seconds, 0) + 1"
            " where run_id in (select run_id from runs order by run_id desc limit ?)",
            [CHANGED],
        )
        conn.execute("update instance set value = value + 1 where key = 'revision'")
    for name, note in (
        (f"merge of {CHANGED} changed runs, seconds", "with the start of the process"),
        ("merge of nothing, seconds", "with the start of the process"),
    ):
        start = time.monotonic()
        fill_lake(file, lake)
        yield Figure(PART, name, time.monotonic() - start, note)
    ensure_equal(file, lake)


def size_of(lake: Path) -> int:
    """The bytes of all files of a lake."""
    return sum(path.stat().st_size for path in lake.rglob("*") if path.is_file())


def ensure_equal(file: Path, lake: Path) -> None:
    """Raise `AssertionError` if runs or attempts are missing or doubled."""
    counts = "select count(*), count(distinct run_id), sum(queue_seconds) from {table}"
    with closing(sqlite3.connect(file)) as conn, connect_lake(lake) as duck:
        for table, name in (("runs", "runs"), ("run_attempts", "attempts")):
            stored = conn.execute(counts.format(table=table)).fetchone()
            uri = f"delta_scan('{lake / name}')"
            found = duck.execute(counts.format(table=uri)).fetchone()
            if stored != found:
                raise AssertionError(
                    f"{table}: {stored} in SQLite, {found} in the lake"
                )


def shards(file: Path, folder: Path) -> Generator[Figure, None, None]:
    """Twelve databases whose runs are of the same months, merged at once."""
    folder.mkdir(parents=True)
    paths = [folder / f"{number}.db" for number in range(SHARDS)]
    for number, path in enumerate(paths):
        write_shard(file, path, number)
    lake = folder / "lake"
    start = time.monotonic()
    processes = [start_merge(path, lake) for path in paths]
    try:
        failed = [process for process in processes if process.wait()]
    finally:
        for process in processes:
            process.kill()
    seconds = time.monotonic() - start
    if failed:
        raise RuntimeError(f"{len(failed)} of {SHARDS} merges failed")
    with connect_lake(lake) as duck:
        found = duck.execute("select count(*), count(distinct run_id) from runs")
        counts = found.fetchone()
    wanted = SHARDS * RUNS_OF_SHARD
    if counts != (wanted, wanted):
        raise AssertionError(f"{wanted} runs were merged, the lake has {counts}")
    note = f"{SHARDS} processes at once, {RUNS_OF_SHARD:,} runs of the same months each"
    yield Figure(PART, f"{SHARDS} shards, seconds", seconds, f"{note}; all runs once")


def write_shard(file: Path, path: Path, number: int) -> None:
    """Write a database with the runs of one of the shards."""
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        db.execute("attach ? as archive", [str(file)])
        columns = ", ".join(column.name for column in db["runs"].columns)
        db.execute("pragma foreign_keys = off")
        with db.conn:
            db.execute(
                f"insert into runs ({columns}) select {columns} from archive.runs"  # noqa: S608 (own names)
                " order by run_id desc limit ? offset ?",
                [RUNS_OF_SHARD, number * RUNS_OF_SHARD],
            )


def start_merge(path: Path, lake: Path) -> "subprocess.Popen[bytes]":
    """Merge a database into a lake, in a process of its own."""
    return subprocess.Popen(  # noqa: S603 (fixed arguments)
        [sys.executable, "-m", "ci_observer", "lake", lake],
        cwd=ROOT,
        env=os.environ | {"CI_OBSERVER_DB": str(path)},
        # The table is on stdout.
        stdout=sys.stderr,
    )
