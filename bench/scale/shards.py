"""The part `shards`: how evenly names divide, three shards at work, and reshard."""
# ruff: noqa: S608 (own names)

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

from bench.databases.copies import fill_with_copies
from bench.databases.make_db import make_db
from bench.harness.github_process import GitHubProcess
from bench.harness.ingest_process import CI_OBSERVER, IngestProcess
from bench.scale.figures import Figure
from ci_observer.ingest.commands.reshard import reshard
from ci_observer.ingest.config.shard import number_of

PART = "shards"
MINUTES = 1
NAMES, SHARDS = 10_000, 12
# GitHub's limit for each token, if each repository is one request a minute.
POINTS_A_MINUTE = 900
# Repositories of the simulated GitHub, polled by three instances.
REPOS, INSTANCES = 60, 3
# The store writes few runs, and SQL copies them.
WRITTEN, COPIES = 1_000, 30
# Compared row by row; the view has GitHub's whole objects.
COMPARED = (
    *("runs", "run_attempts", "jobs", "job_steps", "feeds", "feed_states", "decisions"),
    *("state_spans", "flaky_shas", "run_values", "run_rollups", "job_rollups"),
    *("run_bucket_rollups", "queue_rollups", "tiles", "runs_full"),
)
# Numbers that each file gives itself.
OF_A_FILE = ("names_id", "error_id")


def measure(scratch: Path, say: Callable[[str], None]) -> Generator[Figure, None, None]:
    """Yield each figure as soon as it is measured."""
    folder = scratch / PART
    folder.mkdir()
    counts = Counter(number_of(f"acme/service-{n}", SHARDS) for n in range(NAMES))
    most, fewest = max(counts.values()), min(counts.values())
    yield Figure(
        PART,
        "largest ÷ smallest shard",
        most / fewest,
        f"{NAMES:,} names over {SHARDS} shards: {fewest} to {most} repositories",
    )
    yield Figure(
        PART,
        "points a minute of the largest shard",
        most,
        f"of {POINTS_A_MINUTE} for its token, with a request a minute for each "
        "repository",
    )
    yield _three_instances(folder, say)
    yield from _reshard(folder, say)


def _three_instances(folder: Path, say: Callable[[str], None]) -> Figure:
    """Let three shards poll one GitHub: each repository has one of them."""
    say(f"{INSTANCES} instances poll {REPOS} repositories")
    with GitHubProcess(repos=REPOS, workflows=1, runs=5, latency=0) as github:
        expected = github.settings["GH_REPOS"].split(",")
        found: list[str] = []
        for number in range(1, INSTANCES + 1):
            db = folder / f"instance-{number}.db"
            shard = {"SHARD": f"{number}/{INSTANCES}"}
            ingest = IngestProcess(CI_OBSERVER, db, github.settings | shard)
            try:
                ingest.make_pass()
            finally:
                ingest.stop()
            with closing(sqlite3.connect(db)) as conn:
                rows = conn.execute("select distinct repo from runs")
                found += [repo for (repo,) in rows]
    if sorted(found) != sorted(expected):
        raise ValueError(f"{len(found)} of {len(expected)} repositories were polled")
    note = f"polled once each by {INSTANCES} instances"
    return Figure(PART, "repositories of all shards", len(found), note)


def _reshard(folder: Path, say: Callable[[str], None]) -> Generator[Figure, None, None]:
    runs = WRITTEN * COPIES
    few, first = folder / "few.db", folder / "ci_observer.db"
    say(f"writing {runs:,} runs")
    make_db(few, runs=WRITTEN, feeds=60)
    fill_with_copies(first, few, copies=COPIES)
    files: Sequence[Path] = [first]
    for shards in (3, 2, 1):
        say(f"reshard from {len(files)} to {shards}")
        start = time.monotonic()
        output = folder / f"of-{shards}"
        reshard(files, output, shards=shards)
        seconds = time.monotonic() - start
        note = f"{runs:,} runs with jobs and GitHub's objects"
        name = f"reshard from {len(files)} to {shards}, seconds"
        yield Figure(PART, name, seconds, note)
        files = sorted(output.iterdir())
    differing = _differing(first, files[0])
    if differing:
        raise ValueError(f"rows differ in {', '.join(differing)}")
    note = f"every row of {len(COMPARED)} tables, from 1 to 3 to 2 to 1"
    yield Figure(PART, "rows after all", "equal", note)


def _differing(before: Path, after: Path) -> list[str]:
    """The tables that have other rows."""
    with closing(sqlite3.connect(before)) as conn:
        conn.execute("attach ? as after", [str(after)])
        found = []
        for table in COMPARED:
            cursor = conn.execute(f"select * from main.{table} limit 0")
            names = [c[0] for c in cursor.description if c[0] not in OF_A_FILE]
            listed = ", ".join(names)
            # A view reads the tables of its own file.
            one, other = (
                f"select {listed} from {schema}.{table}" for schema in ("main", "after")
            )
            missing = f"select 1 from ({one} except {other}) limit 1"
            counts = f"select (select count(*) from ({one})) <> count(*) from ({other})"
            [[is_other_count]] = conn.execute(counts)
            if is_other_count or conn.execute(missing).fetchone():
                found.append(table)
        return found
