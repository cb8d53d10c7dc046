"""How much memory ingest takes, and whether it grows with what it fetches.

    python -m bench.memory                  100,000 runs of a workflow; 1,000 feeds
    python -m bench.memory --runs 2000 --feeds 100     in seconds

The first measures a backfill of one workflow, below the end of GitHub's list too, the
second three passes over many feeds with one run each: the first fetch and two quiet
ones. The run objects have full size, and the simulated GitHub is another process.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path
from resource import getpagesize
from threading import Event, Thread

import click

from bench.github import GitHubProcess
from bench.ingest import OURS, ended, environment, make_pass, runs_in

SAMPLE_SECONDS = 0.2
QUARTERS = 4
WORKFLOWS = 4


@click.command()
@click.option(
    "--runs", default=100_000, show_default=True, help="Of the workflow, in all."
)
@click.option("--feeds", default=1_000, show_default=True, help="In repos of 4.")
def main(*, runs: int, feeds: int) -> None:
    """Print the memory of ingest while it fetches, in megabytes."""
    click.echo("| what | requests | seconds | MB at 1/4, 2/4, 3/4, end | MB at most |")
    click.echo("| --- | --- | --- | --- | --- |")
    click.echo(measured(f"{runs:,} runs of a feed", 1, 1, runs, passes=1))
    repos = max(1, feeds // WORKFLOWS)
    click.echo(measured(f"{repos * WORKFLOWS:,} feeds", repos, WORKFLOWS, 1, passes=3))


def measured(what: str, repos: int, workflows: int, runs: int, *, passes: int) -> str:
    """A row of the table: what an ingest took to fetch a synthetic world."""
    with (
        GitHubProcess(repos=repos, workflows=workflows, runs=runs, latency=0) as github,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder) / "ci_observer.db"
        start = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 (our own words)
            [sys.executable, "-m", OURS],
            cwd=folder,
            env=environ | github.settings | environment(path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with sampling(child.pid) as samples:
            for _ in range(passes):
                make_pass(child)
        seconds = time.perf_counter() - start
        most = ended(child) / 1024
        requests = sum(v for k, v in github.take_log().items() if k != "charged")
        if runs_in(path) != repos * workflows * runs:
            raise SystemExit(f"{what}: only {runs_in(path)} runs are stored.")
    shown = ", ".join(f"{samples[index]:.0f}" for index in quarters(len(samples)))
    return f"| {what} | {requests:,} | {seconds:.0f} | {shown} | {most:.0f} |"


def quarters(count: int) -> list[int]:
    """The indexes at each quarter of so many samples, the last one included."""
    return [(count - 1) * part // QUARTERS for part in range(1, QUARTERS + 1)]


@contextmanager
def sampling(pid: int) -> Iterator[list[float]]:
    """Megabytes of a process's resident memory, taken until the block ends."""
    samples: list[float] = []
    done = Event()

    def sample() -> None:
        while True:
            samples.append(resident(pid))
            if done.wait(SAMPLE_SECONDS):
                return

    thread = Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()
        samples.append(resident(pid))


def resident(pid: int) -> float:
    """Megabytes of a process's resident memory now; Linux tells."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * getpagesize() / 2**20


if __name__ == "__main__":
    main()
