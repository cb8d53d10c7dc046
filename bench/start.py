"""From the command to the first answer."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import servers
from bench.effort import Effort
from bench.table import Row


def rows(small: Path, large: Path, effort: Effort) -> Iterator[Row]:
    """`ci-observer serve` to its first wall, Datasette's own start, and its import."""
    ours, few, stock, imported = [], [], [], []
    for _ in range(effort.starts):
        with servers.ours(large) as server:
            ours.append(server.started)
        with servers.ours(small) as server:
            few.append(server.started)
        with servers.stock_datasette(large) as server:
            stock.append(server.started)
        imported.append(import_seconds())
    yield Row(
        figure="serve to the first wall, beside Datasette as it comes",
        ours=median(ours),
        baseline=median(stock),
        unit="s",
        goal="<= 2",
    )
    yield Row(
        figure="serve to the first wall, many runs beside few",
        ours=median(ours),
        baseline=median(few),
        unit="s",
    )
    yield Row(
        figure="serve to the first wall, beside `import datasette.app` alone",
        ours=median(ours),
        baseline=median(imported),
        unit="s",
    )


def import_seconds() -> float:
    """How long Python takes to have Datasette."""
    begun = time.perf_counter()
    command = [sys.executable, "-c", "import datasette.app"]
    subprocess.run(command, check=True)  # noqa: S603 (our own words)
    return time.perf_counter() - begun
