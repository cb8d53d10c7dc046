"""`/api/wall`, `/api/filters` and `/api/config`: cached, and after a change."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median

from bench.databases.run_changes import RunChanges
from bench.harness import servers
from bench.harness.servers import MINIMAL_PATH, ROOT, Server
from bench.harness.sizes import Sizes
from bench.harness.table import Row
from bench.harness.timing import Case, measure_load
from ci_observer.web.api import queries
from ci_observer.web.columns import RUN_COLUMNS
from ci_observer.web.database import fetch_rows
from ci_observer.web.filters import Filters
from ci_observer.web.server import build_datasette

CONNECTIONS = 16
MINIMAL_SQL = (
    f"select {', '.join(RUN_COLUMNS)} from runs"  # noqa: S608
    " order by started_at desc, run_id desc limit 100"
)
PATHS = ("/api/filters", "/api/config")
UNIT = f"ms/request, {CONNECTIONS} connections"
GZIP = {"Accept-Encoding": "gzip"}


def rows(small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """All figures of these routes."""
    yield asyncio.run(wall_after_change(large, sizes))
    with servers.minimal_datasette() as minimal:
        for path, runs in ((large, "many runs"), (small, "few runs")):
            with servers.ci_observer(path) as ours, RunChanges(path) as changes:
                if path is large:
                    yield from cached_wall(ours, minimal, sizes)
                yield from cached(ours, minimal, runs, sizes)
                yield from after_change(ours, minimal, runs, changes, sizes)


async def wall_after_change(path: Path, sizes: Sizes) -> Row:
    """The computed wall and a minimal query, both in this process."""
    datasette = build_datasette(path, root=ROOT)
    wall_seconds, minimal_seconds = [], []
    with RunChanges(path) as changes:
        for _ in range(sizes.changes):
            changes.make()
            minimal_seconds.append(
                await time_call(lambda: fetch_rows(datasette, MINIMAL_SQL))
            )
            wall_seconds.append(
                await time_call(lambda: queries.fetch_wall(datasette, Filters()))
            )
    return Row(
        title="/api/wall computed after a change, vs a minimal query for 100 rows",
        ours=median(wall_seconds) * 1000,
        baseline=median(minimal_seconds) * 1000,
        unit="ms",
        goal="<= 15x",
    )


def cached_wall(ours: Server, minimal: Server, sizes: Sizes) -> Iterator[Row]:
    """The cached wall, for a page that has it and for one that does not."""
    etag = ours.get("/api/wall", GZIP).headers["ETag"]
    cases = {
        "minimal": Case(server=minimal, paths=[MINIMAL_PATH]),
        "If-None-Match": Case(
            server=ours, paths=["/api/wall"], headers=GZIP | {"If-None-Match": etag}
        ),
        "gzip": Case(server=ours, paths=["/api/wall"], headers=GZIP),
    }
    figures = measure_load(cases, sizes, connections=CONNECTIONS)
    for name in ("If-None-Match", "gzip"):
        yield Row(
            title=f"/api/wall cached ({name}, {figures[name].kilobytes:.1f} kB),"
            " vs a minimal route",
            ours=1000 / figures[name].per_second,
            baseline=1000 / figures["minimal"].per_second,
            unit=UNIT,
            goal="<= 1.1x",
        )


def cached(ours: Server, minimal: Server, runs: str, sizes: Sizes) -> Iterator[Row]:
    """The routes that every page requests, without a change."""
    cases = {"minimal": Case(server=minimal, paths=[MINIMAL_PATH])}
    cases |= {path: Case(server=ours, paths=[path]) for path in PATHS}
    figures = measure_load(cases, sizes, connections=CONNECTIONS)
    for path in PATHS:
        yield Row(
            title=f"{path} cached, {runs}, vs a minimal route",
            ours=1000 / figures[path].per_second,
            baseline=1000 / figures["minimal"].per_second,
            unit=UNIT,
            goal="<= 3x",
        )


def after_change(
    ours: Server, minimal: Server, runs: str, changes: RunChanges, sizes: Sizes
) -> Iterator[Row]:
    """The same routes, with the first request after a change."""
    times: dict[str, list[float]] = {path: [] for path in (MINIMAL_PATH, *PATHS)}
    for _ in range(sizes.changes):
        changes.make()
        for path, milliseconds in times.items():
            server = minimal if path == MINIMAL_PATH else ours
            milliseconds.append(server.get(path).seconds * 1000)
    for path in PATHS:
        yield Row(
            title=f"{path} after a change, {runs}, vs a minimal route",
            ours=median(times[path]),
            baseline=median(times[MINIMAL_PATH]),
            unit="ms",
            goal="<= 3x",
        )


async def time_call(call: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start
