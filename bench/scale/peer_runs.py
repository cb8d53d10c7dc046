"""The part `peer_runs`: `/api/runs` over three instances, next to one with all runs."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from bench.harness.servers import HOST, Server, start_server
from bench.scale.figures import Figure
from bench.scale.runs_file import write_runs_file
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.db import schema

PART = "peer_runs"
MINUTES = 1
INSTANCES = 3
RUNS = 60_000
PAGES = 100
LIMIT = 100


def measure(scratch: Path, say: Callable[[str], None]) -> Generator[Figure, None, None]:
    folder = scratch / PART
    every = folder / "all.db"
    write_runs_file(every, RUNS, say)
    say("making its indexes")
    with closing(schema.connect(every)) as db:
        schema.migrate(db)
    say(f"splitting them into {INSTANCES} files by repository")
    parts = [split(every, folder, number) for number in range(INSTANCES)]
    with ExitStack() as stack:
        first, *others = parts
        peers = [stack.enter_context(serving(path)) for path in others]
        addresses = ",".join(f"http://{HOST}:{peer.port}" for peer in peers)
        merged = stack.enter_context(serving(first, PEERS=addresses))
        alone = stack.enter_context(serving(every))
        say(f"reading {PAGES} pages of {LIMIT} runs from each")
        expected, alone_seconds = read_pages(alone)
        found, merged_seconds = read_pages(merged)
    if [without_peer(run) for run in found] != expected:
        raise AssertionError("the merged list is not the list of one instance")
    note = f"{PAGES} pages of {LIMIT} runs, {INSTANCES} instances with {RUNS:,} runs"
    yield Figure(PART, "merged list of runs", "equal", f"{note}; to one with all runs")
    yield Figure(PART, "merged page, ms", merged_seconds / PAGES * 1000, note)
    yield Figure(PART, "page of one instance, ms", alone_seconds / PAGES * 1000)


def split(every: Path, folder: Path, number: int) -> Path:
    """A file with the runs of each third repository."""
    path = folder / f"{number}.db"
    shutil.copy(every, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        # `serve` makes them again. They would run for each row.
        for [name] in db.execute(
            "select name from sqlite_master where type = 'trigger'"
        ):
            db.execute(f'drop trigger "{name}"')
        repos = [repo for [repo] in db.execute("select distinct repo from runs")]
        others = sorted(set(repos) - {*sorted(repos)[number::INSTANCES]})
        marks = ", ".join("?" * len(others))
        db.execute(f"delete from runs where repo in ({marks})", others)  # noqa: S608
    return path


def serving(path: Path, **settings: str) -> Any:
    """A context manager: `ci-observer serve` on a file."""
    port = free_port()
    environment = {"CI_OBSERVER_DB": str(path), "CI_OBSERVER_PORT": str(port)}
    return start_server(["-m", "ci_observer", "serve"], port, environment | settings)


def read_pages(server: Server) -> tuple[list[dict[str, Any]], float]:
    """The runs of the first pages, and the seconds of all requests."""
    runs: list[dict[str, Any]] = []
    seconds = 0.0
    cursor = ""
    for _ in range(PAGES):
        response = server.get_ok(f"/api/runs?limit={LIMIT}&cursor={cursor}")
        seconds += response.seconds
        page = json.loads(response.body)
        if page.get("missing_peers"):
            raise AssertionError(page["missing_peers"])
        runs += page["runs"]
        cursor = page["next"]
    return runs, seconds


def without_peer(run: dict[str, Any]) -> dict[str, Any]:
    """A run of a merged list as one instance has it."""
    return {k: v for k, v in run.items() if k not in ("peer", "page_url")}
