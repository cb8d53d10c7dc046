"""The CPU time and the disk that rollups, jobs and steps cost.

    python -m bench.measure.rollups [DATABASE]    20,000 runs, and the file's size

The same runs are saved in new databases, in pages of 100: with their jobs and without,
with the triggers that keep the rollups and without.
"""

import sqlite3
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, product
from pathlib import Path
from statistics import median

import click
from sqlite_utils import Database

from bench.databases import make_db
from bench.databases.make_db import new_database, watch
from bench.databases.synthetic_runs import SyntheticRun, SyntheticRuns
from bench.harness.sizes import Sizes
from bench.harness.table import Row, markdown
from ci_observer.ingest.db.rollups import TABLES

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PAGE = 100
# Runs of each workflow in a year. With many runs a day, most rows of the rollups exist
# when a run is added; with few, most rows are new.
RUNS_OF_EACH = {"one workflow": 10**6, "50 runs of each workflow": 50}
JOB_TABLES = ("jobs", "job_steps", "step_names", "job_errors")


@dataclass(frozen=True)
class Saved:
    """The CPU time of saving runs, and how many rows were written."""

    seconds: float
    runs: int
    jobs: int


def rows(_small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """The CPU time of saving runs with their jobs, and the shares of the file."""
    yield from cpu_rows(sizes.ingested_runs, sizes.ingest_rounds)
    yield from disk_rows(large)


def cpu_rows(runs: int, rounds: int) -> Iterator[Row]:
    """What a run costs with the rollups, and a job with its steps, vs without."""
    for name, runs_of_each in RUNS_OF_EACH.items():
        with_rollups, without = microseconds(rounds, runs, runs_of_each)
        for of, ours, baseline in zip(
            ("run", "job with its steps"), with_rollups, without, strict=True
        ):
            yield Row(
                title=f"saving a {of}, {name}, vs without rollups: CPU time",
                ours=ours,
                baseline=baseline,
                unit="us",
            )


def microseconds(
    rounds: int, runs: int, runs_of_each: int
) -> list[tuple[float, float]]:
    """The CPU time of a run and of a job: with the rollups, and without."""
    cases = list(product((True, False), (False, True)))
    measured: dict[tuple[bool, bool], list[Saved]] = {case: [] for case in cases}
    for _ in range(rounds):
        for has_rollups, has_jobs in cases:
            measured[has_rollups, has_jobs].append(
                save(runs, runs_of_each, has_rollups=has_rollups, has_jobs=has_jobs)
            )
    found = []
    for has_rollups in (True, False):
        alone, jobs = (
            median(saved.seconds for saved in measured[has_rollups, has_jobs])
            for has_jobs in (False, True)
        )
        saved = measured[has_rollups, True][0]
        found.append(
            (1e6 * alone / saved.runs, 1e6 * (jobs - alone) / max(1, saved.jobs))
        )
    return found


def disk_rows(path: Path) -> Iterator[Row]:
    """The disk for the rollups, and for each job, in the database of many runs."""
    yield Row(
        title="disk for the rollups, vs the whole database",
        ours=bytes_of(path, TABLES) / 1e6,
        baseline=path.stat().st_size / 1e6,
        unit="MB",
        goal="<= 0.05x",
    )
    with closing(sqlite3.connect(path)) as db:
        [[runs]], [[jobs]] = (
            db.execute(f"select count(*) from {table}").fetchall()  # noqa: S608
            for table in ("runs", "jobs")
        )
    yield Row(
        title="disk for a job with its steps and indexes, vs a run",
        ours=bytes_of(path, JOB_TABLES) / max(1, jobs),
        baseline=bytes_of(path, ("runs",)) / runs,
        unit="bytes",
    )


def save(runs: int, runs_of_each: int, *, has_rollups: bool, has_jobs: bool) -> Saved:
    """Save this many runs in a new database, with their jobs and rollups or without."""
    source = SyntheticRuns(
        runs=runs,
        feeds=max(1, runs // runs_of_each),
        branches=200,
        actors=50,
        now=NOW,
    )
    pages = list(_pages(source))
    names: dict[str, dict[str, str]] = {}
    for feed in source.feeds:
        names.setdefault(feed.repo.full_name, {})[feed.file] = feed.name
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(new_database(Path(folder) / "ci_observer.db")) as db,
    ):
        watch(db, names, NOW, refresh_seconds=60)
        if not has_rollups:
            _drop_rollups(db)
        start = time.process_time()
        for page in pages:
            make_db.save(db, page, lambda _: None, has_jobs=has_jobs)
        return Saved(time.process_time() - start, runs, db["jobs"].count)


def _pages(source: SyntheticRuns) -> Iterator[list[SyntheticRun]]:
    """The runs of each feed, in pages."""
    by_feed: dict[tuple[str, str], list[SyntheticRun]] = {}
    for run in source:
        by_feed.setdefault(run.feed, []).append(run)
    for runs in map(iter, by_feed.values()):
        while page := list(islice(runs, PAGE)):
            yield page


def _drop_rollups(db: Database) -> None:
    """Stop counting: drop the triggers, and count runs with greater ids only."""
    db.execute("update rollup_progress set from_run_id = ?", [2**62])
    names = db.execute(
        "select name from sqlite_master where type = 'trigger'"
        " and tbl_name in ('runs', 'run_attempts', 'jobs')"
        " and sql like '%_contributions%'"
    ).fetchall()
    for (name,) in names:
        db.execute(f"drop trigger {name}")


def bytes_of(path: Path, tables: Collection[str]) -> int:
    """The bytes of the pages of tables, with their indexes."""
    with closing(sqlite3.connect(path)) as db:
        objects = db.execute("select name, tbl_name from sqlite_master").fetchall()
        sizes = [
            db.execute(
                "select sum(pgsize) from dbstat where name = ?", [name]
            ).fetchone()
            for name, table in objects
            if table in tables
        ]
    return sum(size or 0 for (size,) in sizes)


@click.command()
@click.argument(
    "database", required=False, type=click.Path(exists=True, path_type=Path)
)
@click.option("--runs", default=20_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(*, database: Path | None, runs: int, rounds: int) -> None:
    """Print what rollups, jobs and steps cost."""
    found = list(cpu_rows(runs, rounds))
    if database:
        found += disk_rows(database)
    for line in markdown(found):
        click.echo(line)


if __name__ == "__main__":
    main()
