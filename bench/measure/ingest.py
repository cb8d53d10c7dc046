"""The time, memory and requests of ingest, compared with a minimal ingest.

    python -m bench.measure.ingest               10,000 runs of 40 workflows
    python -m bench.measure.ingest --runs 400    in seconds

Both are processes, and so is the simulated GitHub, which delays its responses like a
network, and whose runs differ as real ones do. Each makes three passes: the first
fetch, one without changes, and one after some changes. CI Observer also fetches the
metadata of the repositories, with two requests for each. It fetches no jobs
(`FETCH_JOBS=none`), like the minimal ingest.
"""

import os
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click

from bench.harness.github_process import GitHubProcess
from bench.harness.ingest_process import CI_OBSERVER, MINIMAL, IngestProcess
from bench.harness.sizes import Sizes
from bench.harness.table import Row

MORE_RUNS = 10
PEAK_MEMORY = "peak memory, MB"

Figures = dict[str, float]


@dataclass(frozen=True)
class Fetch:
    """The runs to fetch; `runs` is the total of all workflows."""

    repos: int = 10
    workflows: int = 4
    runs: int = 10_000
    changes: int = 20
    latency_ms: int = 80

    @property
    def runs_per_workflow(self) -> int:
        return max(1, self.runs // (self.repos * self.workflows))

    def __str__(self) -> str:
        return (
            f"{self.repos} repositories x {self.workflows} workflows"
            f" x {self.runs_per_workflow} runs, {self.latency_ms} ms of latency"
        )


DEFAULT = Fetch()


def rows(_small: Path, _large: Path, sizes: Sizes) -> Iterator[Row]:
    """The first fetch, a pass without changes, and the memory for ten times as many."""
    fetch = Fetch(runs=sizes.ingested_runs, latency_ms=sizes.latency_ms)
    ours, minimal = measure(fetch, rounds=sizes.ingest_rounds)
    first, idle = f"ingest of {fetch.runs:,} runs", "pass without changes"
    for name, subject, detail, unit, goal in (
        ("first: seconds", first, "", "s", "<= 1.25x"),
        ("first: CPU seconds", first, ": CPU time", "s", "<= 1.7x"),
        ("idle: seconds", idle, "", "s", None),
        ("idle: requests", idle, ": requests", "requests", None),
        (PEAK_MEMORY, first, ": peak memory", "MB", "<= 130"),
    ):
        yield Row(
            title=f"{subject}, vs a minimal ingest{detail}",
            ours=ours[name],
            baseline=minimal[name],
            unit=unit,
            goal=goal,
        )
    more_runs = MORE_RUNS * fetch.runs
    yield Row(
        title=f"ingest of {more_runs:,} runs, vs {fetch.runs:,} runs: peak memory",
        ours=peak_memory(more_runs),
        baseline=peak_memory(fetch.runs),
        unit="MB",
        goal="<= 1.1x",
    )


def measure(fetch: Fetch = DEFAULT, *, rounds: int = 3) -> tuple[Figures, Figures]:
    """The figures of CI Observer and of the minimal ingest, by name.

    They are the medians of several rounds, in which the two alternate.
    """
    results = [
        (measure_one(CI_OBSERVER, fetch), measure_one(MINIMAL, fetch))
        for _ in range(rounds)
    ]
    ours, minimal = zip(*results, strict=True)
    return medians(ours), medians(minimal)


def peak_memory(runs: int) -> float:
    """The peak memory of CI Observer in MB for this many runs, without latency."""
    return measure_one(CI_OBSERVER, Fetch(runs=runs, latency_ms=0))[PEAK_MEMORY]


def medians(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure."""
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]}


def measure_one(module: str, fetch: Fetch) -> Figures:
    """The figures of one ingest, by name."""
    with GitHubProcess(
        repos=fetch.repos,
        workflows=fetch.workflows,
        runs=fetch.runs_per_workflow,
        latency=fetch.latency_ms / 1000,
    ) as github:
        return measure_passes(module, github, fetch.changes)


def measure_passes(module: str, github: GitHubProcess, changes: int) -> Figures:
    """The figures of three passes, by name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ci_observer.db"
        start = time.perf_counter()
        process = IngestProcess(module, path, github.settings)
        figures: Figures = {}
        cpu_before = 0.0
        for name in ("first", "idle", "changes"):
            if name == "changes":
                github.change_runs(changes)
            cpu = process.make_pass()
            figures[f"{name}: seconds"] = time.perf_counter() - start
            figures[f"{name}: CPU seconds"] = cpu - cpu_before
            figures |= request_figures(name, github.take_log())
            start, cpu_before = time.perf_counter(), cpu
        figures[PEAK_MEMORY] = process.stop()
        stored = sum(file.stat().st_size for file in Path(folder).glob(f"{path.name}*"))
        figures["disk, bytes per run"] = stored / stored_runs(path)
    return figures


def request_figures(name: str, log: Counter[str]) -> Figures:
    """The number of requests of a pass, and those charged to the rate limit."""
    charged = log.pop("charged")
    return {
        f"{name}: requests": log.total(),
        f"{name}: 304 responses": log["304"],
        f"{name}: charged requests": charged,
    }


def stored_runs(path: Path) -> int:
    """The number of stored runs; both ingests have this table."""
    with closing(sqlite3.connect(path)) as db:
        [[count]] = db.execute("select count(*) from runs")
    return int(count)


def table(ours: Figures, minimal: Figures) -> Iterator[str]:
    """A row for each figure, in Markdown."""
    yield "| figure | ours | minimal | ratio |"
    yield "| --- | --- | --- | --- |"
    for name in ours | minimal:
        value, baseline = ours.get(name, 0), minimal.get(name, 0)
        ratio = f"{value / baseline:.2f}" if baseline else "-"
        cells = (name, format_number(value), format_number(baseline), ratio)
        yield f"| {' | '.join(cells)} |"


def format_number(value: float) -> str:
    """Counts without decimals, times with two."""
    return f"{value:.2f}" if value % 1 and value < 1000 else f"{value:,.0f}"  # noqa: PLR2004


@click.command(context_settings={"show_default": True})
@click.option("--repos", default=DEFAULT.repos)
@click.option("--workflows", default=DEFAULT.workflows)
@click.option("--runs", default=DEFAULT.runs, help="In all workflows.")
@click.option("--changes", default=DEFAULT.changes, help="Before the last pass.")
@click.option("--latency-ms", default=DEFAULT.latency_ms, help="Of each response.")
@click.option("--rounds", default=1, help="The medians are printed.")
def main(*, rounds: int, **fetch: int) -> None:
    """Compare the figures of ingest with those of a minimal ingest."""
    click.echo(f"{Fetch(**fetch)}, {os.cpu_count()} cores")
    for line in table(*measure(Fetch(**fetch), rounds=rounds)):
        click.echo(line)


if __name__ == "__main__":
    main()
