"""The memory of ingest over time: does it grow with the number of runs or feeds?

    python -m bench.measure.ingest_memory               100,000 runs; 1,000 feeds
    python -m bench.measure.ingest_memory --runs 2000 --feeds 100     in seconds

The first row is the backfill of one workflow, also beyond the end of GitHub's list. The
second is three passes over many feeds with one run each: the first fetch and two
without changes. The run objects have full size.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import getpagesize
from threading import Event, Thread

import click

from bench.harness.github_process import GitHubProcess
from bench.harness.ingest_process import CI_OBSERVER, IngestProcess
from bench.measure.ingest import stored_runs

SAMPLE_SECONDS = 0.2
QUARTERS = 4
WORKFLOWS = 4


@click.command()
@click.option("--runs", default=100_000, show_default=True, help="Of the workflow.")
@click.option("--feeds", default=1_000, show_default=True, help="Four in each repo.")
def main(*, runs: int, feeds: int) -> None:
    """Print the memory of ingest while it fetches, in megabytes."""
    click.echo("| case | requests | seconds | MB at 1/4, 2/4, 3/4, end | peak MB |")
    click.echo("| --- | --- | --- | --- | --- |")
    click.echo(table_row(f"{runs:,} runs of a feed", 1, 1, runs, passes=1))
    repos = max(1, feeds // WORKFLOWS)
    click.echo(table_row(f"{repos * WORKFLOWS:,} feeds", repos, WORKFLOWS, 1, passes=3))


def table_row(title: str, repos: int, workflows: int, runs: int, *, passes: int) -> str:
    """Measure the ingest of a synthetic world."""
    with (
        GitHubProcess(repos=repos, workflows=workflows, runs=runs, latency=0) as github,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder) / "ci_observer.db"
        start = time.perf_counter()
        process = IngestProcess(CI_OBSERVER, path, github.settings)
        with sampled_memory(process.pid) as samples:
            for _ in range(passes):
                process.make_pass()
        seconds = time.perf_counter() - start
        peak = process.stop()
        requests = sum(v for k, v in github.take_log().items() if k != "charged")
        if stored_runs(path) != repos * workflows * runs:
            raise SystemExit(f"{title}: only {stored_runs(path)} runs are stored.")
    shown = ", ".join(f"{samples[index]:.0f}" for index in quarters(len(samples)))
    return f"| {title} | {requests:,} | {seconds:.0f} | {shown} | {peak:.0f} |"


def quarters(count: int) -> list[int]:
    """The indexes of the samples at each quarter, including the last one."""
    return [(count - 1) * part // QUARTERS for part in range(1, QUARTERS + 1)]


@contextmanager
def sampled_memory(pid: int) -> Iterator[list[float]]:
    """The resident memory of a process in MB, sampled until the block ends."""
    samples: list[float] = []
    done = Event()

    def sample() -> None:
        while True:
            samples.append(resident_memory(pid))
            if done.wait(SAMPLE_SECONDS):
                return

    thread = Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()
        samples.append(resident_memory(pid))


def resident_memory(pid: int) -> float:
    """The current resident memory of a process in MB; works on Linux only."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * getpagesize() / 2**20


if __name__ == "__main__":
    main()
