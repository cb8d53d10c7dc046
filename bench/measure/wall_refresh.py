"""A thousand walls that refresh every five seconds, while runs start and finish."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import repeat
from pathlib import Path
from statistics import median

from bench.databases.run_changes import RunChanges
from bench.harness import servers
from bench.harness.servers import MINIMAL_PATH, ROOT, Server
from bench.harness.sizes import Sizes
from bench.harness.table import Row
from bench.harness.wall_clients import WallClients, WallFigures

Change = Callable[[], object]


def rows(_small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """The server's CPU time for the walls, and the fetches after one change."""
    clients = WallClients(
        walls=sizes.walls,
        refresh_seconds=sizes.refresh_seconds,
        refreshes=sizes.refreshes,
    )
    few_refreshes = replace(clients, refreshes=4)
    with servers.minimal_datasette() as minimal:
        minimal_clients = replace(few_refreshes, config=MINIMAL_PATH)
        minimal_share, _ = run_clients(minimal, minimal_clients, [], sizes)
    subject = f"{sizes.walls:,} walls every {sizes.refresh_seconds:g} s"
    with servers.ci_observer(large) as ours, RunChanges(large) as changes:
        share, figures = run_clients(ours, clients, repeat(changes.make), sizes)
        yield Row(
            title=f"{subject}, {60 / sizes.change_seconds:.0f} changes a minute"
            f" ({figures.configs:,} refreshes, {figures.walls:,} walls fetched),"
            " vs a minimal route at the same rate",
            ours=100 * share,
            baseline=100 * minimal_share,
            unit="% of a core",
            goal="< 25",
        )
        yield Row(
            title=f"{subject}: p50 of /api/wall after a change, vs /api/config",
            ours=median(figures.wall_ms),
            baseline=median(figures.config_ms),
            unit="ms",
        )
        _, figures = run_clients(ours, few_refreshes, [changes.make], sizes)
    yield Row(
        title="walls fetched after one change, per wall",
        ours=figures.walls / sizes.walls,
        unit="fetches",
        goal="<= 1",
    )


def run_clients(
    server: Server, clients: WallClients, changes: Iterable[Change], sizes: Sizes
) -> tuple[float, WallFigures]:
    """Run the clients; returns the server's share of a core and their figures.

    The changes are made one by one, once every client has refreshed.
    """
    child = subprocess.Popen(  # noqa: S603 (fixed arguments)
        [
            *(sys.executable, "-m", "bench.harness.wall_clients"),
            *(str(server.port), json.dumps(asdict(clients))),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        # Unbuffered, so that `readline` takes nothing that `communicate` needs.
        bufsize=0,
    )
    if child.stdout is None or not child.stdout.readline():
        raise SystemExit("The wall clients did not start.")
    start, cpu = time.perf_counter(), server.cpu_seconds()
    changes_left = iter(changes)
    output = None
    while output is None:
        if change := next(changes_left, None):
            change()
        with suppress(subprocess.TimeoutExpired):
            output, _ = child.communicate(timeout=sizes.change_seconds)
    share = (server.cpu_seconds() - cpu) / (time.perf_counter() - start)
    if child.returncode:
        raise SystemExit("The wall clients failed.")
    return share, WallFigures(**json.loads(output))
