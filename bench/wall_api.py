"""`/api/wall`, `/api/filters` and `/api/config`: computed after a change, and kept."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median

from bench import rounds, servers
from bench.changes import Changes
from bench.effort import Effort
from bench.rounds import Case
from bench.servers import BARE, ROOT, Server
from bench.table import Row
from ci_observer.web.api import queries
from ci_observer.web.columns import RUN_COLUMNS
from ci_observer.web.database import fetch_rows
from ci_observer.web.filters import Filters
from ci_observer.web.server import build_datasette

CONNECTIONS = 16
BARE_SQL = (
    f"select {', '.join(RUN_COLUMNS)} from runs"  # noqa: S608
    " order by started_at desc, run_id desc limit 100"
)
LISTS = ("/api/filters", "/api/config")
UNIT = f"ms/request, {CONNECTIONS} connections"
GZIP = {"Accept-Encoding": "gzip"}


def rows(small: Path, large: Path, effort: Effort) -> Iterator[Row]:
    """All figures of the wall's routes."""
    yield asyncio.run(wall_computed(large, effort))
    with servers.bare_route() as bare:
        for path, runs in ((large, "many runs"), (small, "few runs")):
            with servers.ours(path) as ours, Changes(path) as changes:
                if path is large:
                    yield from wall_kept(ours, bare, effort)
                yield from kept(ours, bare, runs, effort)
                yield from computed(ours, bare, runs, changes, effort)


async def wall_computed(path: Path, effort: Effort) -> Row:
    """The wall after a change, beside a bare query, both in this process."""
    datasette = build_datasette(path, root=ROOT)
    walls, bares = [], []
    with Changes(path) as changes:
        for _ in range(effort.changes):
            changes.make()
            bares.append(await _seconds(lambda: fetch_rows(datasette, BARE_SQL)))
            walls.append(
                await _seconds(lambda: queries.fetch_wall(datasette, Filters()))
            )
    return Row(
        figure="/api/wall computed after a change, beside a bare query for 100 rows",
        ours=median(walls) * 1000,
        baseline=median(bares) * 1000,
        unit="ms",
        goal="<= 15x",
    )


def wall_kept(ours: Server, bare: Server, effort: Effort) -> Iterator[Row]:
    """The wall unchanged, as a wall asks for it and as a new one does."""
    etag = ours.get("/api/wall", GZIP).headers["ETag"]
    cases = {
        "bare": Case(server=bare, paths=[BARE]),
        "If-None-Match": Case(
            server=ours, paths=["/api/wall"], headers=GZIP | {"If-None-Match": etag}
        ),
        "gzip": Case(server=ours, paths=["/api/wall"], headers=GZIP),
    }
    took = rounds.measure(cases, effort, connections=CONNECTIONS)
    for name in ("If-None-Match", "gzip"):
        yield Row(
            figure=f"/api/wall unchanged ({name}, {took[name].kilobytes:.1f} kB),"
            " beside a bare route",
            ours=1000 / took[name].per_second,
            baseline=1000 / took["bare"].per_second,
            unit=UNIT,
            goal="<= 1.1x",
        )


def kept(ours: Server, bare: Server, runs: str, effort: Effort) -> Iterator[Row]:
    """The routes that every page asks, unchanged."""
    cases = {"bare": Case(server=bare, paths=[BARE])}
    cases |= {path: Case(server=ours, paths=[path]) for path in LISTS}
    took = rounds.measure(cases, effort, connections=CONNECTIONS)
    for path in LISTS:
        yield Row(
            figure=f"{path} unchanged, {runs}, beside a bare route",
            ours=1000 / took[path].per_second,
            baseline=1000 / took["bare"].per_second,
            unit=UNIT,
            goal="<= 3x",
        )


def computed(
    ours: Server, bare: Server, runs: str, changes: Changes, effort: Effort
) -> Iterator[Row]:
    """The same routes, asked for the first time after a change."""
    took: dict[str, list[float]] = {path: [] for path in (BARE, *LISTS)}
    for _ in range(effort.changes):
        changes.make()
        for path, times in took.items():
            server = bare if path == BARE else ours
            times.append(server.get(path).seconds * 1000)
    for path in LISTS:
        yield Row(
            figure=f"{path} after a change, {runs}, beside a bare route",
            ours=median(took[path]),
            baseline=median(took[BARE]),
            unit="ms",
            goal="<= 3x",
        )


async def _seconds(ask_for: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await ask_for()
    return time.perf_counter() - begun
