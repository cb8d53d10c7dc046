"""Bytes on disk and CPU per archived run, of full-size run objects.

    python -m bench.payload_size                     10,000 runs of 40 workflows
    python -m bench.payload_size --file RUNS.jsonl   recorded ones: {"run": …} a line

The runs go through the product's own store, in pages of 100, newest first. Prints
the file's bytes per run, by table and index, and what saving them took.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlite_utils import Database

from demo import synthetic
from demo.runs import run_object
from ingest import schema, store
from ingest.config import Config

PAGE = 100
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

Payload = dict[str, Any]
Feeds = dict[tuple[str, str], list[Payload]]


@click.command()
@click.option("--repos", default=10, show_default=True)
@click.option("--workflows", default=4, show_default=True)
@click.option("--runs", default=250, show_default=True, help="Of each workflow.")
@click.option("--own-messages", is_flag=True, help="No two runs of one commit.")
@click.option("--file", type=click.Path(exists=True, path_type=Path))
def main(
    *, repos: int, workflows: int, runs: int, own_messages: bool, file: Path | None
) -> None:
    """Save the runs into a new database, then say what they cost."""
    feeds = recorded(file) if file else synthetic_feeds(repos, workflows, runs)
    if own_messages:
        for payload in (run for payloads in feeds.values() for run in payloads):
            payload["head_commit"]["message"] += f"Change-Id: {payload['id']}\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ci_observer.db"
        db = schema.connect(path)
        schema.migrate(db)
        empty = path.stat().st_size
        store.save_watched(db, list(feeds))
        store.save_instance(db, Config(), version="bench", now=NOW)
        total = sum(map(len, feeds.values()))
        for label in ("save them", "save them again"):
            start = time.process_time()
            save(db, feeds)
            seconds = time.process_time() - start
            click.echo(f"{label:<24}{seconds:8.2f} s CPU for {total} runs")
        start = time.process_time()
        [[size]] = db.execute("select sum(length(raw_json)) from runs_full")
        seconds = time.process_time() - start
        [[stored]] = db.execute("select count(*) from runs")
        click.echo(f"{'read every raw_json':<24}{seconds:8.2f} s CPU")
        click.echo(f"{'raw_json':<24}{size / stored:8.0f} characters per run")
        db.execute("pragma wal_checkpoint(truncate)")
        db.close()
        report_sizes(path, stored, empty)


def synthetic_feeds(repos: int, workflows: int, runs: int) -> Feeds:
    """Completed runs of the simulated GitHub, newest first as it lists them."""
    world = synthetic.build(repos=repos, workflows=workflows, runs=runs, now=NOW)
    return {
        (repo.full_name, workflow.file): [
            run_object(run, run.versions[-1], world.sites)
            for run in reversed(repo.runs)
            if run.workflow is workflow
        ]
        for repo in world.repos.values()
        for workflow in repo.workflows.values()
    }


def recorded(file: Path) -> Feeds:
    """Real run objects, each under its repository."""
    feeds: Feeds = {}
    for line in file.read_text().splitlines():
        run = json.loads(line)["run"]
        feed = (run["repository"]["full_name"], "ci.yml")
        feeds.setdefault(feed, []).append(run)
    return feeds


def save(db: Database, feeds: Feeds) -> None:
    """Every page of every feed, newest first."""
    for feed in store.watched_feeds(db):
        for page in pages(feeds[feed.repo, feed.workflow]):
            store.save_live_page(
                db, feed, page, etag=None, has_more=False, horizon=NOW, now=NOW
            )


def pages(payloads: list[Payload]) -> Iterator[list[Payload]]:
    for start in range(0, len(payloads), PAGE):
        yield payloads[start : start + PAGE]


def report_sizes(path: Path, runs: int, empty: int) -> None:
    """The file's size per run; by table where the sqlite3 shell can tell."""
    size = path.stat().st_size
    click.echo(f"{'file':<24}{size / runs:8.0f} bytes per run")
    click.echo(f"{'  of it, when empty':<24}{empty / runs:8.0f}")
    for name, pages_size in table_sizes(path):
        click.echo(f"  {name:<22}{pages_size / runs:8.0f}")


def table_sizes(path: Path) -> list[tuple[str, int]]:
    """Bytes of each table and index, largest first; Python's SQLite lacks dbstat."""
    sql = "select name, sum(pgsize) from dbstat group by name order by 2 desc limit 16"
    try:
        result = subprocess.run(  # noqa: S603 (our own words)
            ["sqlite3", "-tabs", path, sql],  # noqa: S607 (whichever shell there is)
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
