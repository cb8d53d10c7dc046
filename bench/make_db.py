"""A database of any size, written by the product's own schema and store.

    python -m bench.make_db PATH                    a million runs, in minutes
    python -m bench.make_db PATH --runs 10000       in seconds

By default 200 workflows of 50 repositories, 2,000 branches and 200 people; each run
with its whole object, a few in a hundred with a second attempt, and the jobs of those
that failed. Every feed looks as if it had been fetched at this moment.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
from sqlite_utils import Database

from bench.archive import Archive, Seen
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.github.rows import job_row
from ci_observer.ingest.store import feeds, instance, pending
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.run_rows import write_runs

# So many runs are written at once: enough that a branch's tile is rarely made twice.
CHUNK = 50_000
REFRESH_SECONDS = 60

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
    progress: Progress = lambda _: None,
) -> None:
    """Write a new database; `progress` is told how many runs were written since.

    It appears at `path` when it is whole. `now` is when it looks as if all had been
    fetched; the time of the call, if none is given.
    """
    now = now or datetime.now(UTC)
    archive = Archive(
        runs=runs, feeds=feeds, branches=branches, actors=actors, now=now, seed=seed
    )
    unfinished = path.with_name(f"{path.name}.part")
    # With a log of another file, SQLite could not begin.
    for left in path.parent.glob(f"{unfinished.name}*"):
        left.unlink()
    db = schema.connect(unfinished)
    # Nobody else reads it yet, and a file that is half written is made anew.
    db.execute("pragma synchronous = off")
    db.execute("pragma cache_size = -400000")
    schema.migrate(db)
    names: dict[str, dict[str, str]] = {}
    for feed in archive.feeds:
        names.setdefault(feed.repo.full_name, {})[feed.file] = feed.name
    watch(db, names, now, refresh_seconds=REFRESH_SECONDS)
    seen = iter(archive)
    while chunk := list(islice(seen, CHUNK)):
        save(db, chunk, progress)
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    unfinished.replace(path)


def watch(db: Database, names: Names, now: datetime, *, refresh_seconds: int) -> None:
    """Watch all feeds, as an ingest that has just fetched them."""
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


def save(db: Database, seen: Iterable[Seen], progress: Progress) -> None:
    """Write runs, a transaction for each feed, and their jobs."""
    runs: dict[tuple[str, str], list[Seen]] = {}
    for run in seen:
        runs.setdefault(run.feed, []).append(run)
    feed_of = {(feed.repo, feed.workflow): feed for feed in feeds.watched(db)}
    for name, group in runs.items():
        with transaction(db):
            write_runs(db, feed_of[name], attempts_of(group))
            bump_revision(db)
        save_jobs(db, group)
        progress(len(group))


def attempts_of(group: Iterable[Seen]) -> Iterator[dict[str, object]]:
    """Every attempt of every run."""
    for run in group:
        yield from run.attempts


def save_jobs(db: Database, group: Iterable[Seen]) -> None:
    """Write the jobs that ingest would have asked for."""
    jobs = {run.attempts[-1]["id"]: run.jobs for run in group}
    for item in pending.next_items(db, "jobs", limit=len(jobs)):
        rows = [
            job_row(job, run_id=item.run_id, run_attempt=item.run_attempt)
            for job in jobs[item.run_id]()
        ]
        pending.save_jobs(db, item, rows)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--runs", default=1_000_000, show_default=True, envvar="BENCH_RUNS")
@click.option("--feeds", default=200, show_default=True)
@click.option("--branches", default=2000, show_default=True, help="Of all repos.")
@click.option("--actors", default=200, show_default=True)
def main(*, path: Path, runs: int, feeds: int, branches: int, actors: int) -> None:
    """Write a database with that many runs to PATH."""
    with click.progressbar(length=runs, label=f"{runs:,} runs") as bar:
        make_db(
            path,
            runs=runs,
            feeds=feeds,
            branches=branches,
            actors=actors,
            progress=bar.update,
        )
    size = os.stat(path).st_size
    click.echo(f"{path}: {runs:,} runs, {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
