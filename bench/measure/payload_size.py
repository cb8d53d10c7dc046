"""Bytes on disk and CPU time for each archived run, with run objects of full size.

    python -m bench.measure.payload_size                     10,000 runs of 40 workflows
    python -m bench.measure.payload_size --file RUNS.jsonl   with recorded runs

There are three cases: similar runs; runs that differ as real ones do; and recorded
runs, from lines such as {"run": …}. All go through the product's own store in pages of
100, newest first. It prints the bytes of the file for each run, by table and index, the
CPU time of saving and reading, and the size of the same objects as plain text.
"""

import json
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import click
from sqlite_utils import Database

from bench.databases.random_words import some_words
from ci_observer.demo.scenario import synthetic_world
from ci_observer.demo.server.run_objects import run_object
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import feeds, instance, runs

PAGE = 100
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
# Of the runs that differ, one in ten has a title with non-ASCII characters, and one
# in ten has a new author.
ONE_IN = 10

Payload = dict[str, Any]
Feeds = dict[tuple[str, str], list[Payload]]


@click.command()
@click.option("--repos", default=10, show_default=True)
@click.option("--workflows", default=4, show_default=True)
@click.option("--runs", default=250, show_default=True, help="Of each workflow.")
@click.option("--file", type=click.Path(exists=True, path_type=Path))
def main(*, repos: int, workflows: int, runs: int, file: Path | None) -> None:
    """Save the runs of each case in a new database, and print their size."""
    report("similar runs", synthetic_feeds(repos, workflows, runs))
    differing = synthetic_feeds(repos, workflows, runs)
    make_different(differing)
    report("runs that differ", differing)
    if file:
        report("recorded runs", read_recorded(file))


def report(case: str, payloads_by_feed: Feeds) -> None:
    total = sum(map(len, payloads_by_feed.values()))
    click.echo(f"\n{total} {case}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ci_observer.db"
        db = new_database(path, payloads_by_feed)
        empty = path.stat().st_size
        echo_seconds("save", lambda: save(db, payloads_by_feed))
        echo_seconds("save again", lambda: save(db, payloads_by_feed))
        read = "select sum(length(raw_json)) from runs_full"
        echo_seconds("read every raw_json", lambda: db.execute(read).fetchone())
        db.execute("pragma wal_checkpoint(truncate)")
        [[stored]] = db.execute("select count(*) from runs")
        db.close()
        plain = plain_size(Path(folder) / "plain.db", payloads_by_feed)
        echo_size("as plain text", plain / stored)
        report_sizes(path, stored, empty)


def new_database(path: Path, payloads_by_feed: Feeds) -> Database:
    db = schema.connect(path)
    schema.migrate(db)
    feeds.save_watched(db, list(payloads_by_feed))
    instance.save_settings(db, Config(), version="bench", now=NOW)
    db.execute("pragma wal_checkpoint(truncate)")
    return db


def synthetic_feeds(repos: int, workflows: int, runs: int) -> Feeds:
    """Completed runs of the simulated GitHub, newest first."""
    world = synthetic_world.build(repos=repos, workflows=workflows, runs=runs, now=NOW)
    return {
        (repo.full_name, workflow.file): [
            run_object(run, run.versions[-1], world.sites)
            for run in reversed(repo.runs)
            if run.workflow is workflow
        ]
        for repo in world.repos.values()
        for workflow in repo.workflows.values()
    }


def make_different(payloads_by_feed: Feeds) -> None:
    """Give each run its own commit and title, as real runs have.

    A tenth has a new author, and runs that are not on main have their own branch.
    Messages keep their average length, and no two lines are the same.
    """
    random = Random(7)  # noqa: S311 (not for security)
    people = [new_person(random)]
    for run in (run for payloads in payloads_by_feed.values() for run in payloads):
        title = f"{some_words(random, 5, 12).capitalize()} (#{run['run_number']})"
        if random.randrange(ONE_IN) == 0:
            title += " \N{EN DASH} “naïve” \N{ROCKET}"
        if random.randrange(ONE_IN) == 0:
            people.append(new_person(random))
        lines = [some_words(random, 6, 11) for _ in range(random.randint(4, 36))]
        run["display_title"] = title
        run["head_commit"]["message"] = "\n".join([title, "", *lines])
        run["head_commit"]["author"] = random.choice(people)
        if run["head_branch"] != "main":
            topic = some_words(random, 3, 5).replace(" ", "-")
            run["head_branch"] = f"{topic}-{run['run_number']}"
        for pull_request in run["pull_requests"]:
            pull_request["head"]["ref"] = run["head_branch"]


def new_person(random: Random) -> dict[str, str]:
    name = f"{some_words(random, 1, 1)} {some_words(random, 1, 2)}".title()
    address = f"{random.randrange(10**8)}+{name.replace(' ', '')}"
    return {"name": name, "email": f"{address}@users.noreply.example.com"}


def read_recorded(file: Path) -> Feeds:
    """Recorded run objects, by repository."""
    payloads_by_feed: Feeds = {}
    for line in file.read_text().splitlines():
        run = json.loads(line)["run"]
        feed = (run["repository"]["full_name"], "ci.yml")
        payloads_by_feed.setdefault(feed, []).append(run)
    return payloads_by_feed


def save(db: Database, payloads_by_feed: Feeds) -> None:
    """Save every page of every feed, newest first."""
    for feed in feeds.watched(db):
        for page in pages(payloads_by_feed[feed.repo, feed.workflow]):
            runs.save_page(
                db, feed, page, etag=None, has_more=False, horizon=NOW, now=NOW
            )


def pages(payloads: list[Payload]) -> Iterator[list[Payload]]:
    for start in range(0, len(payloads), PAGE):
        yield payloads[start : start + PAGE]


def plain_size(path: Path, payloads_by_feed: Feeds) -> int:
    """The bytes of the objects alone as text, one row each."""
    conn = sqlite3.connect(path)
    conn.execute("create table runs (run_id integer primary key, raw_json text)")
    rows = {
        run["id"]: json.dumps(run, separators=(",", ":"))
        for payloads in payloads_by_feed.values()
        for run in payloads
    }
    conn.executemany("insert into runs values (?, ?)", sorted(rows.items()))
    conn.commit()
    conn.close()
    return path.stat().st_size


def echo_seconds(label: str, work: Callable[[], object]) -> None:
    start = time.process_time()
    work()
    click.echo(f"{label:<24}{time.process_time() - start:8.2f} s CPU")


def echo_size(label: str, size: float) -> None:
    click.echo(f"{label:<24}{size:8,.0f} bytes per run")


def report_sizes(path: Path, runs: int, empty: int) -> None:
    """The file's size per run, also by table if there is a sqlite3 shell."""
    echo_size("file", path.stat().st_size / runs)
    echo_size("  of it, empty database", empty / runs)
    for name, pages_size in table_sizes(path):
        echo_size(f"  {name}", pages_size / runs)


def table_sizes(path: Path) -> list[tuple[str, int]]:
    """Bytes of each table and index, largest first; Python's SQLite has no dbstat."""
    sql = "select name, sum(pgsize) from dbstat group by name order by 2 desc limit 11"
    try:
        result = subprocess.run(  # noqa: S603 (fixed arguments)
            ["sqlite3", "-tabs", path, sql],  # noqa: S607 (any installed shell)
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return []
    rows = (line.split("\t") for line in result.stdout.splitlines())
    return [(name, int(size)) for name, size in rows]


if __name__ == "__main__":
    main()
