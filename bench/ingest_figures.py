"""What ingest costs, beside the bare one of `bench.bare_ingest`; see `bench.ingest`."""

from collections.abc import Iterator
from pathlib import Path

from bench.effort import Effort
from bench.ingest import Load, measure, peak_memory
from bench.table import Row

GROWN = 10
MEMORY = "memory at most, MB"


def rows(_small: Path, _large: Path, effort: Effort) -> Iterator[Row]:
    """The first fetch, a quiet pass, and the memory when there is ten times as much."""
    load = Load(runs=effort.ingested_runs, latency_ms=effort.latency_ms)
    ours, bare = measure(load, rounds=effort.fetches)
    total = f"{load.runs:,} runs"
    for name, figure, unit, goal in (
        ("first: seconds", f"ingest of {total}", "s", "<= 1.25x"),
        ("first: CPU seconds", f"ingest of {total}: processor time", "s", "<= 2x"),
        ("idle: seconds", "ingest, a pass when nothing is new", "s", None),
        ("idle: requests", "the same: requests", "requests", None),
        (MEMORY, f"ingest of {total}: memory at most", "MB", "<= 130"),
    ):
        yield Row(
            figure=f"{figure}, beside a bare one",
            ours=ours[name],
            baseline=bare[name],
            unit=unit,
            goal=goal,
        )
    yield Row(
        figure=f"ingest of {GROWN} times as many runs: memory, beside that of {total}",
        ours=peak_memory(GROWN * load.runs),
        baseline=peak_memory(load.runs),
        unit="MB",
        goal="<= 1.1x",
    )
