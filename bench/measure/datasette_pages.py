"""Datasette's pages and ad-hoc queries, and the effect of a slow query on the wall."""

import time
from collections.abc import Iterator
from functools import partial
from http.client import OK
from pathlib import Path
from statistics import median
from threading import Thread
from urllib.parse import urlencode

from bench.harness import http_load, servers
from bench.harness.http_load import Load
from bench.harness.servers import Server
from bench.harness.sizes import Sizes
from bench.harness.table import Row
from bench.harness.timing import min_milliseconds
from ci_observer.web.database import DATABASE

PAGES = [
    f"/{DATABASE}/{table}{extension}"
    for table in ("runs", "run_history", "wall")
    for extension in ("", ".json")
]
GROUPED = ("conclusion", "repo", "workflow", "event", "actor", "date(started_at)")
ENDLESS_SQL = (
    "with recursive n(x) as (select 1 union all select x + 1 from n)"
    " select count(*) from n"
)
# Each search has a new word, so that no wall is cached; no tile matches.
COMPUTED_WALLS = [f"/api/wall?q=word{number}" for number in range(6000)]
TIMED_OUT = b"query took too long"
GOAL = "< 1"


def rows(small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """The pages, the group-by queries, and the wall during a slow query."""
    with servers.ci_observer(large) as many, servers.ci_observer(small) as few:
        for name, path in paths():
            ours, baseline = min_milliseconds(
                time.perf_counter,
                sizes.repeats,
                partial(get_page, many, path),
                partial(get_page, few, path),
            )
            yield Row(
                title=f"{name}, many vs few runs",
                ours=ours / 1000,
                baseline=baseline / 1000,
                unit="s",
                goal=GOAL,
            )
        yield wall_during_slow_query(many, sizes)


def paths() -> Iterator[tuple[str, str]]:
    """The name and the path of each request."""
    for page in PAGES:
        yield page, page
    for value in GROUPED:
        sql = f"select {value}, count(*) from runs group by 1"  # noqa: S608
        yield sql, f"/{DATABASE}.json?{urlencode({'sql': sql})}"


def get_page(server: Server, path: str) -> None:
    """Request a page; fails unless it is a 200 or a query that timed out."""
    response = server.get(path)
    if response.status != OK and TIMED_OUT not in response.body:
        start = response.body[:300]
        raise SystemExit(f"{path} returned {response.status}: {start!r}")


def wall_during_slow_query(server: Server, sizes: Sizes) -> Row:
    """The time that one visitor's slow query adds to another visitor's wall."""
    milliseconds = int(sizes.slow_query_seconds * 1000)
    query = urlencode({"sql": ENDLESS_SQL, "_timelimit": milliseconds})
    slow_path = f"/{DATABASE}.json?{query}"
    walls = Load(
        port=server.port,
        paths=COMPUTED_WALLS,
        connections=1,
        seconds=sizes.slow_query_seconds * 0.8,
        warm_up=sizes.slow_query_seconds * 0.1,
    )
    without, during = [], []
    for _ in range(sizes.rounds):
        without.append(http_load.run(walls).p99_ms)
        visitor = Thread(target=server.get, args=(slow_path,))
        visitor.start()
        during.append(http_load.run(walls).p99_ms)
        visitor.join()
    return Row(
        title="/api/wall computed: p99 added by a slow query of another visitor"
        f" ({median(without):.0f} to {median(during):.0f} ms)",
        ours=median(during) - median(without),
        unit="ms",
        goal="< 50",
    )
