"""The part `cache`: walls that go through nginx, which stores responses or does not."""

import re
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

from bench.databases.make_db import make_db
from bench.databases.run_changes import RunChanges
from bench.harness import servers
from bench.harness.proxies import (
    ACCESS_LOG,
    EXAMPLES,
    accepts,
    find_program,
    nginx_command,
)
from bench.harness.servers import HOST, Server
from bench.harness.sizes import Sizes
from bench.harness.wall_clients import WallClients
from bench.measure.wall_refresh import run_clients
from bench.scale.figures import Figure
from ci_observer.ingest.commands.ports import free_port

PART = "cache"
MINUTES = 1.5
EXAMPLE = EXAMPLES / "nginx/tls-prefix-cache.conf"
RUNS = 2_000
WALLS = 1000
SIZES = Sizes(walls=WALLS, refresh_seconds=20, refreshes=2, change_seconds=3)
START_SECONDS = 30


@dataclass(frozen=True)
class Load:
    """What CI Observer did for all walls in `seconds`."""

    responses: int
    requests: int
    kilobytes: float
    seconds: float
    cpu_share: float


def measure(scratch: Path, say: Callable[[str], None]) -> Generator[Figure, None, None]:
    folder = scratch / PART
    folder.mkdir()
    database = folder / "ci_observer.db"
    say(f"writing {RUNS:,} runs")
    make_db(database, runs=RUNS, branches=50, has_objects=False, has_jobs=False)
    loads = {}
    for name in ("without", "with"):
        say(f"{WALLS:,} walls {name} a cache")
        with servers.ci_observer(database) as server:
            loads[name] = _load(server, database, folder / name)
    walls = (
        f"{WALLS:,} walls of 200 tiles through nginx, each every "
        f"{SIZES.refresh_seconds:g} s, {60 / SIZES.change_seconds:g} changes a minute"
    )
    for name, load in loads.items():
        note = f"{walls}, {name} a cache"
        requests = load.requests / load.seconds
        size = load.kilobytes / load.seconds
        rate = load.responses / load.seconds
        yield Figure(PART, "responses to the walls, a second", rate, note)
        yield Figure(PART, "requests at CI Observer, a second", requests, note)
        yield Figure(PART, "from CI Observer, kB a second", size, note)
        yield Figure(PART, "CI Observer, % of a core", 100 * load.cpu_share, note)
    without, with_cache = (load.requests / load.seconds for load in loads.values())
    yield Figure(PART, "fewer requests, times", without / with_cache, walls)


def _load(server: Server, database: Path, folder: Path) -> Load:
    """Run the walls through nginx, which has a cache if the folder is `with`."""
    folder.mkdir()
    clients = WallClients(
        walls=WALLS,
        refresh_seconds=SIZES.refresh_seconds,
        refreshes=SIZES.refreshes,
    )
    with _nginx(server.port, folder) as port, RunChanges(database) as changes:
        start = time.monotonic()
        # Its processor time is that of CI Observer, its port that of nginx.
        share, _ = run_clients(
            replace(server, port=port), clients, repeat(changes.make), SIZES
        )
        seconds = time.monotonic() - start
    lines = [line.split() for line in (folder / ACCESS_LOG).read_text().splitlines()]
    upstream = [size for status, size, _ in lines if status != "-"]
    return Load(
        # A request in the background has no response of its own.
        responses=sum(int(sent) > 0 for _, _, sent in lines),
        requests=len(upstream),
        kilobytes=sum(map(int, upstream)) / 1000,
        seconds=seconds,
        cpu_share=share,
    )


@contextmanager
def _nginx(upstream: int, folder: Path) -> Iterator[int]:
    """nginx with the example, without TLS and prefix; gives its port."""
    program = find_program("nginx")
    if program is None:
        raise FileNotFoundError("nginx is not installed: apt install nginx")
    port = free_port()
    example, log = folder / "example.conf", folder / "errors"
    example.write_text(_for_this_machine(EXAMPLE.read_text(), port, upstream, folder))
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 (a fixed command)
            nginx_command(program, folder, example), stderr=output
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not accepts(port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(log.read_text())
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _for_this_machine(text: str, port: int, upstream: int, folder: Path) -> str:
    # The server that only redirects to https.
    text = re.sub(r"server \{\s+listen 80;.*?\n\}", "", text, flags=re.DOTALL)
    text = re.sub(r"ssl_certificate.*", "", text)
    for old, new in (
        ("127.0.0.1:8089", f"{HOST}:{upstream}"),
        ("listen 443 ssl;", f"listen {HOST}:{port};"),
        ("/var/cache/nginx/ci_observer", str(folder / "cache")),
        ("location /ci/ ", "location / "),
        ("^/ci/", "^/"),
    ):
        text = text.replace(old, new)
    return text if folder.name == "with" else text.replace("proxy_cache ci", "#")
