"""Bytes on disk and CPU per archived run, of full-size run objects.

    python -m bench.payload_size                     10,000 runs of 40 workflows
    python -m bench.payload_size --file RUNS.jsonl   the same, and recorded ones

Three cases: runs that are alike; runs that differ as real ones do; recorded runs, as
{"run": …} a line. All go through the product's own store, in pages
of 100, newest first. Prints the file's bytes per run, by table and index, and what
saving and reading them took; beside them, what the same objects take as plain text.
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

from ci_observer.demo.scenario import synthetic_world
from ci_observer.demo.server.run_objects import run_object
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import feeds, instance, runs

PAGE = 100
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TEXT = """
add align allow avoid bound cache check clamp clear close count defer drain drop ensure
export fetch filter flush follow handle ignore index inline keep limit load lock log map
mend merge move name open order parse pass pin print prune quote raise read record
refuse remove rename replay reset resolve retry return route save scan send share show
skip sort split start stop store strip trim update use wait warn write archive batch
branch column commit cursor error file header invoice ledger list message number page
payload price query queue rate row run schedule session table tenant tile time token
total user value view wall worker zone
"""
WORDS = TEXT.split()
# Of the runs that differ, so many have a title that JSON escapes, and a new author.
ONE_IN = 10

Payload = dict[str, Any]
Feeds = dict[tuple[str, str], list[Payload]]


@click.command()
@click.option("--repos", default=10, show_default=True)
@click.option("--workflows", default=4, show_default=True)
@click.option("--runs", default=250, show_default=True, help="Of each workflow.")
@click.option("--file", type=click.Path(exists=True, path_type=Path))
def main(*, repos: int, workflows: int, runs: int, file: Path | None) -> None:
    """Save the runs of each case into a new database, then say what they cost."""
    report("runs that are alike", synthetic_feeds(repos, workflows, runs))
    differing = synthetic_feeds(repos, workflows, runs)
    make_different(differing)
    report("runs that differ", differing)
    if file:
        report("recorded runs", recorded(file))


def report(case: str, runs_of: Feeds) -> None:
    total = sum(map(len, runs_of.values()))
    click.echo(f"\n{total} {case}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ci_observer.db"
        db = new_database(path, runs_of)
        empty = path.stat().st_size
        say_seconds("save them", lambda: save(db, runs_of))
        say_seconds("save them again", lambda: save(db, runs_of))
        read = "select sum(length(raw_json)) from runs_full"
        say_seconds("read every raw_json", lambda: db.execute(read).fetchone())
        db.execute("pragma wal_checkpoint(truncate)")
        [[stored]] = db.execute("select count(*) from runs")
        db.close()
        plain = plain_size(Path(folder) / "plain.db", runs_of)
        say_size("as plain text", plain / stored)
        report_sizes(path, stored, empty)


def new_database(path: Path, runs_of: Feeds) -> Database:
    db = schema.connect(path)
    schema.migrate(db)
    feeds.save_watched(db, list(runs_of))
    instance.save_settings(db, Config(), version="bench", now=NOW)
    db.execute("pragma wal_checkpoint(truncate)")
    return db


def synthetic_feeds(repos: int, workflows: int, runs: int) -> Feeds:
    """Completed runs of the simulated GitHub, newest first as it lists them."""
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


def make_different(runs_of: Feeds) -> None:
    """Give each run a commit and a title of its own, as real ones have.

    A tenth of them is by somebody new, and what is not on main is on a branch of its
    own. Messages are as long as before on average, and no two lines are alike.
    """
    random = Random(7)  # noqa: S311 (nobody is to guess anything)
    people = [new_person(random)]
    for run in (run for payloads in runs_of.values() for run in payloads):
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


def some_words(random: Random, fewest: int, most: int) -> str:
    return " ".join(random.choices(WORDS, k=random.randint(fewest, most)))


def recorded(file: Path) -> Feeds:
    """Real run objects, each under its repository."""
    runs_of: Feeds = {}
    for line in file.read_text().splitlines():
        run = json.loads(line)["run"]
        feed = (run["repository"]["full_name"], "ci.yml")
        runs_of.setdefault(feed, []).append(run)
    return runs_of


def save(db: Database, runs_of: Feeds) -> None:
    """Every page of every feed, newest first."""
    for feed in feeds.watched(db):
        for page in pages(runs_of[feed.repo, feed.workflow]):
            runs.save_page(
                db, feed, page, etag=None, has_more=False, horizon=NOW, now=NOW
            )


def pages(payloads: list[Payload]) -> Iterator[list[Payload]]:
    for start in range(0, len(payloads), PAGE):
        yield payloads[start : start + PAGE]


def plain_size(path: Path, runs_of: Feeds) -> int:
    """What the objects alone take as text, a row each."""
    conn = sqlite3.connect(path)
    conn.execute("create table runs (run_id integer primary key, raw_json text)")
    rows = {
        run["id"]: json.dumps(run, separators=(",", ":"))
        for payloads in runs_of.values()
        for run in payloads
    }
    conn.executemany("insert into runs values (?, ?)", sorted(rows.items()))
    conn.commit()
    conn.close()
    return path.stat().st_size


def say_seconds(what: str, work: Callable[[], object]) -> None:
    start = time.process_time()
    work()
    click.echo(f"{what:<24}{time.process_time() - start:8.2f} s CPU")


def say_size(what: str, size: float) -> None:
    click.echo(f"{what:<24}{size:8,.0f} bytes per run")


def report_sizes(path: Path, runs: int, empty: int) -> None:
    """The file's size per run; by table where the sqlite3 shell can tell."""
    say_size("here, all in", path.stat().st_size / runs)
    say_size("  of it, when empty", empty / runs)
    for name, pages_size in table_sizes(path):
        say_size(f"  {name}", pages_size / runs)


def table_sizes(path: Path) -> list[tuple[str, int]]:
    """Bytes of each table and index, largest first; Python's SQLite lacks dbstat."""
    sql = "select name, sum(pgsize) from dbstat group by name order by 2 desc limit 11"
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
