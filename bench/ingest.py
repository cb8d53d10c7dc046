"""What ingest costs, beside the least that any ingest costs.

    python -m bench.ingest               10,000 runs of 40 workflows
    python -m bench.ingest --runs 400    in seconds

Each side is a process of its own, and so is the simulated GitHub, which waits before
each answer as a network does. It makes three passes: the first fetch, one when nothing
is new, one after some changes. CI Observer also describes the repositories, two
requests for each; jobs are left out (`FETCH_JOBS=none`), since the bare one has none.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click

from bench.github import GitHubProcess

ROOT = Path(__file__).resolve().parents[1]
OURS, BARE = "bench.our_ingest", "bench.bare_ingest"

Figures = dict[str, float]


@dataclass(frozen=True)
class Load:
    """What is to be fetched; `runs` are those of all workflows together."""

    repos: int = 10
    workflows: int = 4
    runs: int = 10_000
    changes: int = 20
    latency_ms: int = 80

    @property
    def runs_of_each(self) -> int:
        """How many runs each workflow has."""
        return max(1, self.runs // (self.repos * self.workflows))

    def __str__(self) -> str:
        return (
            f"{self.repos} repositories x {self.workflows} workflows"
            f" x {self.runs_of_each} runs, {self.latency_ms} ms before each answer"
        )


USUAL = Load()


@click.command(context_settings={"show_default": True})
@click.option("--repos", default=USUAL.repos)
@click.option("--workflows", default=USUAL.workflows)
@click.option("--runs", default=USUAL.runs, help="Of all workflows.")
@click.option("--changes", default=USUAL.changes, help="Before the last pass.")
@click.option("--latency-ms", default=USUAL.latency_ms, help="Of each answer.")
@click.option("--rounds", default=1, help="The medians are shown.")
def main(*, rounds: int, **load: int) -> None:
    """Print what ingest takes, what the bare one takes, and how many times as much."""
    click.echo(f"{Load(**load)}, {os.cpu_count()} cores")
    for line in table(*measure(Load(**load), rounds=rounds)):
        click.echo(line)


def measure(load: Load = USUAL, *, rounds: int = 3) -> tuple[Figures, Figures]:
    """The figures of ours and of the bare one, by name.

    Of several rounds, in which the two take turns, it is the medians.
    """
    found = [(measured(OURS, load), measured(BARE, load)) for _ in range(rounds)]
    ours, bare = zip(*found, strict=True)
    return medians(ours), medians(bare)


def peak_memory(runs: int) -> float:
    """The most megabytes that ours takes to fetch so many runs, as fast as it can."""
    return measured(OURS, Load(runs=runs, latency_ms=0))["memory at most, MB"]


def medians(rounds: Sequence[Figures]) -> Figures:
    """Of each figure the middle one of all rounds."""
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]}


def measured(module: str, load: Load) -> Figures:
    """The figures of one side, by name."""
    with GitHubProcess(
        repos=load.repos,
        workflows=load.workflows,
        runs=load.runs_of_each,
        latency=load.latency_ms / 1000,
    ) as github:
        return passes_of(module, github, load.changes)


def passes_of(module: str, github: GitHubProcess, changes: int) -> Figures:
    """The figures of three passes, by name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ci_observer.db"
        start = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 (our own words)
            [sys.executable, "-m", module],
            cwd=folder,
            env=os.environ | github.settings | environment(path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        figures: Figures = {}
        cpu_before = 0.0
        for name in ("first", "idle", "changes"):
            if name == "changes":
                github.change(changes)
            cpu = make_pass(child)
            figures[f"{name}: seconds"] = time.perf_counter() - start
            figures[f"{name}: CPU seconds"] = cpu - cpu_before
            figures |= requests(name, github.take_log())
            start, cpu_before = time.perf_counter(), cpu
        figures["memory at most, MB"] = ended(child) / 1024
        stored = sum(file.stat().st_size for file in Path(folder).glob(f"{path.name}*"))
        figures["disk, bytes per run"] = stored / runs_in(path)
    return figures


def environment(path: Path) -> dict[str, str]:
    """The settings that both sides share, besides those of the simulated GitHub."""
    return {
        "CI_OBSERVER_DB": str(path),
        "HISTORY_DAYS": "3650",
        "FETCH_JOBS": "none",
        "PYTHONPATH": str(ROOT),
    }


def make_pass(child: "subprocess.Popen[str]") -> float:
    """Have the process make a pass; return the CPU seconds of all of its life."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the process needs pipes")
    child.stdin.write("\n")
    child.stdin.flush()
    answer = child.stdout.readline()
    if not answer:
        raise SystemExit("The process that was measured has ended early.")
    return float(json.loads(answer)["cpu"])


def ended(child: "subprocess.Popen[str]") -> int:
    """Let the process end; return the most memory that it had, in kB."""
    if child.stdin is not None and child.stdout is not None:
        child.stdin.close()
        child.stdout.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss


def requests(name: str, log: Counter[str]) -> Figures:
    """What a pass asked, and what it cost."""
    charged = log.pop("charged")
    return {
        f"{name}: requests": log.total(),
        f"{name}: of them 304": log["304"],
        f"{name}: rate limit spent": charged,
    }


def runs_in(path: Path) -> int:
    """How many runs a side has stored; both have the table."""
    with closing(sqlite3.connect(path)) as db:
        [[count]] = db.execute("select count(*) from runs")
    return int(count)


def table(ours: Figures, bare: Figures) -> Iterator[str]:
    """A row for each figure, in Markdown."""
    yield "| figure | ours | bare | ratio |"
    yield "| --- | --- | --- | --- |"
    for name in ours | bare:
        mine, least = ours.get(name, 0), bare.get(name, 0)
        ratio = f"{mine / least:.2f}" if least else "-"
        yield f"| {name} | {shown(mine)} | {shown(least)} | {ratio} |"


def shown(value: float) -> str:
    """Counts whole, times with two digits."""
    return f"{value:.2f}" if value % 1 and value < 1000 else f"{value:,.0f}"  # noqa: PLR2004


if __name__ == "__main__":
    main()
