"""The time from the start of `ci-observer serve`, or `up`, to the first response."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.harness import servers
from bench.harness.sizes import Sizes
from bench.harness.table import Row

SUBJECT = "start of serve until the first wall"


def rows(small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """The starts, vs stock Datasette, a small database, and the import of Datasette."""
    large_seconds, small_seconds, stock_seconds, import_seconds = [], [], [], []
    up_seconds = []
    for _ in range(sizes.starts):
        with servers.ci_observer(large) as server:
            large_seconds.append(server.start_seconds)
        with servers.ci_observer(small) as server:
            small_seconds.append(server.start_seconds)
        with servers.up(large) as server:
            up_seconds.append(server.start_seconds)
        with servers.stock_datasette(large) as server:
            stock_seconds.append(server.start_seconds)
        import_seconds.append(time_import())
    for baseline, seconds, goal in (
        ("vs stock Datasette", stock_seconds, "<= 2"),
        ("many vs few runs", small_seconds, None),
        ("vs `import datasette.app` alone", import_seconds, None),
    ):
        yield Row(
            title=f"{SUBJECT}, {baseline}",
            ours=median(large_seconds),
            baseline=median(seconds),
            unit="s",
            goal=goal,
        )
    yield Row(
        title="start of up, the container's command, until the first wall, vs serve",
        ours=median(up_seconds),
        baseline=median(large_seconds),
        unit="s",
    )


def time_import() -> float:
    """The seconds that Python takes to import Datasette."""
    start = time.perf_counter()
    command = [sys.executable, "-c", "import datasette.app"]
    subprocess.run(command, check=True)  # noqa: S603 (fixed arguments)
    return time.perf_counter() - start
