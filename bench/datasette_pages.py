"""Datasette's pages and ad-hoc queries, and what a slow one does to the wall."""

import time
from collections.abc import Iterator
from functools import partial
from http.client import OK
from pathlib import Path
from statistics import median
from threading import Thread
from urllib.parse import urlencode

from bench import load, servers
from bench.effort import Effort
from bench.load import Load
from bench.rounds import least
from bench.servers import Server
from bench.table import Row
from ci_observer.web.database import DATABASE

PAGES = [
    f"/{DATABASE}/{table}{form}"
    for table in ("runs", "run_history", "wall")
    for form in ("", ".json")
]
GROUPED = ("conclusion", "repo", "workflow", "event", "actor", "date(started_at)")
SLOW_SQL = (
    "with recursive n(x) as (select 1 union all select x + 1 from n)"
    " select count(*) from n"
)
# Each wall is computed: words that no tile has, always others.
WALLS = [f"/api/wall?q=word{number}" for number in range(6000)]
TOO_SLOW = b"SQL query took too long"
GOAL = "< 1"


def rows(small: Path, large: Path, effort: Effort) -> Iterator[Row]:
    """The pages, the group-bys, and the wall beside a slow query."""
    with servers.ours(large) as many, servers.ours(small) as few:
        for name, path in paths():
            took = least(
                time.perf_counter,
                effort.repeats,
                partial(fetch, many, path),
                partial(fetch, few, path),
            )
            yield Row(
                figure=f"{name}, many runs beside few",
                ours=took[0] / 1000,
                baseline=took[1] / 1000,
                unit="s",
                goal=GOAL,
            )
        yield beside_slow_query(many, effort)


def paths() -> Iterator[tuple[str, str]]:
    """What is asked, and its address."""
    for page in PAGES:
        yield page, page
    for value in GROUPED:
        sql = f"select {value}, count(*) from runs group by 1"  # noqa: S608
        yield sql, f"/{DATABASE}.json?{urlencode({'sql': sql})}"


def fetch(server: Server, path: str) -> None:
    """Ask for what must be there; it may be told to take too long."""
    answer = server.get(path)
    if answer.status != OK and TOO_SLOW not in answer.body:
        raise SystemExit(f"{path} was answered {answer.status}: {answer.body[:300]!r}")


def beside_slow_query(server: Server, effort: Effort) -> Row:
    """By how much the wall is later for others while one visitor's query runs."""
    milliseconds = int(effort.slow_query_seconds * 1000)
    query = urlencode({"sql": SLOW_SQL, "_timelimit": milliseconds})
    slow_path = f"/{DATABASE}.json?{query}"
    walls = Load(
        port=server.port,
        paths=WALLS,
        connections=1,
        seconds=effort.slow_query_seconds * 0.8,
        warm_up=effort.slow_query_seconds * 0.1,
    )
    alone, beside = [], []
    for _ in range(effort.rounds):
        alone.append(load.run(walls).p99_ms)
        visitor = Thread(target=server.get, args=(slow_path,))
        visitor.start()
        beside.append(load.run(walls).p99_ms)
        visitor.join()
    return Row(
        figure="/api/wall computed, p99: how much later beside a slow query of another"
        f" visitor ({median(beside):.0f} instead of {median(alone):.0f} ms)",
        ours=median(beside) - median(alone),
        unit="ms",
        goal="< 50",
    )
