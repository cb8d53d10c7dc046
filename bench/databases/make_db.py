"""Write a database of any size with the product's own schema and store.

    python -m bench.databases.make_db PATH                   a million runs, in minutes
    python -m bench.databases.make_db PATH --runs 10000      in seconds
    python -m bench.databases.make_db PATH --runs 10000000 --without-objects

The default is 200 workflows in 40 repositories, 2,000 branches and 200 people. Each
run has its complete object, some have a second attempt, and the runs on the default
branch and those that failed have their jobs and steps. Every feed looks as if it was
fetched at the time of the call. Above 100,000 runs, the store writes a part of them,
and SQL copies those.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
from sqlite_utils import Database

from bench.databases.copies import build_rollups, fill_with_copies, tune
from bench.databases.synthetic_runs import SyntheticRun, SyntheticRuns
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.db.vocabulary import FAILURES
from ci_observer.ingest.store import feeds, instance, jobs
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.run_rows import write_runs

# Runs per step. In a large step, a branch's tile is rarely computed twice.
CHUNK = 50_000
REFRESH_SECONDS = 60
# Up to 100,000 runs, the store writes all of them; of more, this number.
MOST_WRITTEN, WRITTEN_OF_MORE = 100_000, 20_000

Progress = Callable[[int], object]
# Repository → workflow file → the workflow's name.
Names = Mapping[str, Mapping[str, str]]


def make_db(
    path: Path,
    *,
    runs: int,
    feeds: int = 200,
    branches: int = 2000,
    actors: int = 200,
    seed: int = 7,
    now: datetime | None = None,
    has_objects: bool = True,
    has_jobs: bool = True,
    progress: Progress = lambda _: None,
) -> None:
    """Write a new database; `progress` gets the number of runs of each step.

    The file appears at `path` when it is complete. `now` is the fetch time in it, by
    default the current time. `has_objects` is whether it has GitHub's whole objects,
    `has_jobs` whether it has jobs.
    """
    now = now or datetime.now(UTC)
    copies = 1 if runs <= MOST_WRITTEN else runs // WRITTEN_OF_MORE
    runs //= copies
    source = SyntheticRuns(
        runs=runs, feeds=feeds, branches=branches, actors=actors, now=now, seed=seed
    )
    unfinished = path.with_name(f"{path.name}.part")
    db = new_database(unfinished)
    names: dict[str, dict[str, str]] = {}
    for feed in source.feeds:
        names.setdefault(feed.repo.full_name, {})[feed.file] = feed.name
    watch(db, names, now, refresh_seconds=REFRESH_SECONDS)
    # The rollups are built at the end, faster than with each run.
    db.execute("update rollup_progress set from_run_id = ?", [2**62])
    runs_left = iter(source)
    while chunk := list(islice(runs_left, CHUNK)):
        save(db, chunk, lambda n: progress(n * copies), has_jobs=has_jobs)
    build_rollups(db)
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    if copies > 1:
        written = unfinished.rename(path.with_name(f"{path.name}.written"))
        new_database(unfinished).close()
        fill_with_copies(unfinished, written, copies=copies, has_objects=has_objects)
        written.unlink()
    unfinished.replace(path)


def new_database(path: Path) -> Database:
    """An empty database at `path`, tuned for bulk writes."""
    # SQLite cannot open a database next to the WAL file of another one.
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink()
    db = schema.connect(path)
    tune(db)
    schema.migrate(db)
    return db


def watch(db: Database, names: Names, now: datetime, *, refresh_seconds: int) -> None:
    """Watch all feeds, as if they were just fetched."""
    config = Config(
        repos=tuple(names),
        workflows=tuple(
            dict.fromkeys(file for files in names.values() for file in files)
        ),
        refresh_seconds=refresh_seconds,
    )
    instance.save_settings(db, config, version="bench", now=now)
    feeds.save_watched(db, [(repo, file) for repo in names for file in names[repo]])
    for repo, files in names.items():
        workflows = {file: (name, "active") for file, name in files.items()}
        feeds.save_metadata(
            db, repo, default_branch="main", workflows=workflows, now=now
        )
    for feed in feeds.watched(db):
        feeds.save_checked(db, feed, now)


def save(
    db: Database,
    runs: Iterable[SyntheticRun],
    progress: Progress,
    *,
    has_jobs: bool = True,
) -> None:
    """Write runs and their jobs, with one transaction for each feed."""
    by_feed: dict[tuple[str, str], list[SyntheticRun]] = {}
    for run in runs:
        by_feed.setdefault(run.feed, []).append(run)
    feed_of = {(feed.repo, feed.workflow): feed for feed in feeds.watched(db)}
    for name, group in by_feed.items():
        with transaction(db):
            write_runs(db, feed_of[name], attempts_of(group))
            bump_revision(db)
            if has_jobs:
                save_jobs(db, group)
        progress(len(group))


def attempts_of(group: Iterable[SyntheticRun]) -> Iterator[dict[str, object]]:
    """Every attempt of every run."""
    for run in group:
        yield from run.attempts


def save_jobs(db: Database, group: Iterable[SyntheticRun]) -> None:
    """Write the jobs that ingest fetches with FETCH_JOBS=default-branch."""
    for run in group:
        newest = run.attempts[-1]
        is_selected = (
            newest["head_branch"] == "main" or newest["conclusion"] in FAILURES
        )
        if newest["status"] == "completed" and is_selected:
            item = PendingItem(
                "jobs", newest["id"], newest["run_attempt"], None, *run.feed
            )
            jobs.save_jobs(db, item, run.jobs())


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--runs", default=1_000_000, show_default=True, envvar="BENCH_RUNS")
@click.option("--feeds", default=200, show_default=True)
@click.option("--branches", default=2000, show_default=True, help="Of all repos.")
@click.option("--actors", default=200, show_default=True)
@click.option(
    "--without-objects",
    is_flag=True,
    help="Without GitHub's whole objects. Applies to more than 100,000 runs.",
)
def main(
    *,
    path: Path,
    runs: int,
    feeds: int,
    branches: int,
    actors: int,
    without_objects: bool,
) -> None:
    """Write a database with this many runs to PATH."""
    with click.progressbar(length=runs, label=f"{runs:,} runs") as bar:
        make_db(
            path,
            runs=runs,
            feeds=feeds,
            branches=branches,
            actors=actors,
            has_objects=not without_objects,
            progress=bar.update,
        )
    size = os.stat(path).st_size
    click.echo(f"{path}: {runs:,} runs, {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
