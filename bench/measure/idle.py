"""The CPU time of a pass without changes, compared with a minimal ingest.

Both poll the own list of one workflow of each repository: each response is a 304.
"""

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from bench.harness.github_process import GitHubProcess
from bench.harness.ingest_process import CI_OBSERVER, MINIMAL, IngestProcess
from bench.harness.sizes import Sizes
from bench.harness.table import Row

# The first fetch, and the requests that only the passes after it send.
WARM_UP_PASSES = 3
RUNS = 30


def rows(_small: Path, _large: Path, sizes: Sizes) -> Iterator[Row]:
    """The CPU time per repository and pass."""
    ours, minimal = measure(sizes.idle_repos, sizes.idle_passes)
    yield Row(
        title="CPU time of a pass without changes, per repository, vs a minimal ingest",
        ours=ours,
        baseline=minimal,
        unit="ms",
        goal="<= 1.25x",
    )


def measure(repos: int, passes: int) -> list[float]:
    """The milliseconds per repository of both, each the least of all passes.

    The two alternate.
    """
    with (
        GitHubProcess(repos=repos, workflows=1, runs=RUNS, latency=0) as github,
        tempfile.TemporaryDirectory() as folder,
    ):
        processes = [
            IngestProcess(module, Path(folder) / f"{module}.db", github.settings)
            for module in (CI_OBSERVER, MINIMAL)
        ]
        costs = [[p.make_pass()] for p in processes]
        for _ in range(WARM_UP_PASSES + passes):
            for process, total in zip(processes, costs, strict=True):
                total.append(process.make_pass())
        for process in processes:
            process.stop()
    return [least_step(total[WARM_UP_PASSES:]) * 1000 / repos for total in costs]


def least_step(totals: list[float]) -> float:
    """The least difference of two figures in a row."""
    return min(after - before for before, after in pairwise(totals))
