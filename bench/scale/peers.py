"""The part `peers`: one wall over several instances."""

import json
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from statistics import median

from bench.databases.make_db import make_db
from bench.databases.run_changes import RunChanges
from bench.harness import servers
from bench.harness.servers import Server
from bench.scale.figures import Figure
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.db import schema

PART = "peers"
MINUTES = 1
PEERS, TILES = 3, 100
RUNS = 1_000
REQUESTS = 200
CHANGES = 10
IDLE_SECONDS = 10
LOUD_SECONDS = 90

MERGED, OWN = "/api/wall", "/api/wall?peers=no"
Say = Callable[[str], None]


def measure(scratch: Path, say: Say) -> Generator[Figure, None, None]:
    folder = scratch / PART
    folder.mkdir(parents=True, exist_ok=True)
    say(f"writing {PEERS + 1} files with {TILES} tiles each")
    paths = [folder / f"{number}.db" for number in range(PEERS + 1)]
    for seed, path in enumerate(paths):
        make_db(path, runs=RUNS, feeds=TILES, branches=20, seed=seed, has_jobs=False)
        _keep_fresh(path)
    with ExitStack() as stack:
        peers = [stack.enter_context(servers.ci_observer(path)) for path in paths[1:]]
        wall = stack.enter_context(_aggregator(paths[0], peers))
        _wait(wall, lambda states: states == ["ok"] * PEERS)
        yield from _requests(wall)
        yield from _changes(wall, paths[0])
        yield _background(wall)
        yield _loud(wall, peers[0])


def _keep_fresh(path: Path) -> None:
    """Let the data count as fresh for days: nothing polls here."""
    with closing(schema.connect(path)) as db, db.atomic():
        db.execute("update instance set value = 86400 where key = 'refresh_seconds'")


def _aggregator(path: Path, peers: list[Server]) -> AbstractContextManager[Server]:
    """An instance with tiles of its own that shows the peers, too."""
    port = free_port()
    addresses = [f"http://127.0.0.1:{peer.port}" for peer in peers]
    environment = {
        "CI_OBSERVER_DB": str(path),
        "CI_OBSERVER_PORT": str(port),
        "PEERS": ",".join(addresses),
    }
    return servers.start_server(["-m", "ci_observer", "serve"], port, environment)


def _requests(wall: Server) -> Generator[Figure, None, None]:
    """The cost of a wall that has not changed."""
    for path, name in ((OWN, "own tiles"), (MERGED, "own tiles and those of peers")):
        size = len(wall.get_ok(path).body)
        before = wall.running_seconds()
        seconds = [wall.get_ok(path).seconds for _ in range(REQUESTS)]
        cpu = (wall.running_seconds() - before) / REQUESTS
        note = f"{name}, {size // 1000:,} kB, without a change"
        yield Figure(PART, f"/api/wall of {name}, CPU ms", cpu * 1000, note)
        yield Figure(PART, f"/api/wall of {name}, ms", median(seconds) * 1000, note)


def _changes(wall: Server, path: Path) -> Generator[Figure, None, None]:
    """The cost of the first request after a change of an own tile."""
    with RunChanges(path) as changes:
        for query, name in ((OWN, "own tiles"), (MERGED, "all tiles")):
            found, cpu = [], 0.0
            for _ in range(CHANGES):
                changes.make()
                before = wall.running_seconds()
                found.append(wall.get_ok(query).seconds)
                cpu += wall.running_seconds() - before
            note = "the first request after a change of the own database"
            yield Figure(
                PART, f"{name} after a change, CPU ms", cpu / CHANGES * 1000, note
            )
            yield Figure(PART, f"{name} after a change, ms", median(found) * 1000, note)


def _background(wall: Server) -> Figure:
    before = wall.running_seconds()
    time.sleep(IDLE_SECONDS)
    cpu = (wall.running_seconds() - before) / IDLE_SECONDS
    note = f"{PEERS} peers of {TILES} tiles, no visitor, over {IDLE_SECONDS} s"
    return Figure(PART, "asking peers, CPU ms per second", cpu * 1000, note)


def _loud(wall: Server, peer: Server) -> Figure:
    os.kill(peer.pid, signal.SIGKILL)
    start = time.monotonic()
    _wait(wall, lambda states: "missing" in states)
    tiles = json.loads(wall.get_ok(MERGED).body)["tiles"]
    stale = sum(tile["tile_state"] == "stale" for tile in tiles)
    if stale < TILES:
        raise RuntimeError(f"only {stale} tiles of the killed peer are stale")
    note = f"until /api/config names it; its {TILES} tiles are stale then"
    return Figure(PART, "killed peer is named, seconds", time.monotonic() - start, note)


def _wait(wall: Server, is_true: Callable[[list[str]], bool]) -> None:
    until = time.monotonic() + LOUD_SECONDS
    while True:
        config = json.loads(wall.get_ok("/api/config").body)
        if is_true([peer["state"] for peer in config["peers"]]):
            return
        if time.monotonic() > until:
            raise RuntimeError(f"not within {LOUD_SECONDS} s: {config['peers']}")
        time.sleep(0.1)
