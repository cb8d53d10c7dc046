"""A thousand walls that refresh every five seconds, while runs begin and end."""

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

from bench import servers
from bench.changes import Changes
from bench.effort import Effort
from bench.servers import BARE, ROOT, Server
from bench.table import Row
from bench.walls import Seen, Walls

# A process of Python is there, and its first refreshes are over.
SECONDS_TO_START = 0.5

Change = Callable[[], object]


def rows(_small: Path, large: Path, effort: Effort) -> Iterator[Row]:
    """What the walls cost the server, and how often they fetch after one change."""
    walls = Walls(
        walls=effort.walls,
        refresh_seconds=effort.refresh_seconds,
        refreshes=effort.refreshes,
    )
    few = replace(walls, refreshes=3)
    with servers.bare_route() as bare:
        least, _nothing = live(bare, replace(few, config=BARE), [], effort)
    with servers.ours(large) as ours, Changes(large) as changes:
        share, seen = live(ours, walls, repeat(changes.make), effort)
        yield Row(
            figure=f"{effort.walls:,} walls every {effort.refresh_seconds:g} s,"
            f" {60 / effort.change_seconds:.0f} changes a minute"
            f" ({seen.configs:,} refreshes, {seen.walls:,} walls fetched), beside a"
            " bare route asked as often",
            ours=100 * share,
            baseline=100 * least,
            unit="% of a core",
            goal="< 25",
        )
        yield Row(
            figure="the same: p50 of /api/wall after a change, beside /api/config",
            ours=median(seen.wall_ms),
            baseline=median(seen.config_ms),
            unit="ms",
        )
        _share, seen = live(ours, few, [changes.make], effort)
    yield Row(
        figure="walls fetched after one change, per wall",
        ours=seen.walls / effort.walls,
        unit="fetches",
        goal="<= 1",
    )


def live(
    server: Server, walls: Walls, changes: Iterable[Change], effort: Effort
) -> tuple[float, Seen]:
    """Let walls live; return the server's share of a core, and what they saw.

    The changes are made one by one, from the walls' second refresh on.
    """
    words = json.dumps(asdict(walls))
    child = subprocess.Popen(  # noqa: S603 (our own words)
        [sys.executable, "-m", "bench.walls", str(server.port), words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(SECONDS_TO_START + walls.refresh_seconds)
    begun, cpu = time.perf_counter(), server.cpu_seconds()
    left = iter(changes)
    output = None
    while output is None:
        if change := next(left, None):
            change()
        with suppress(subprocess.TimeoutExpired):
            output, _ = child.communicate(timeout=effort.change_seconds)
    share = (server.cpu_seconds() - cpu) / (time.perf_counter() - begun)
    if child.returncode:
        raise SystemExit("The walls have failed.")
    return share, Seen(**json.loads(output))
