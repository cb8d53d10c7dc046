"""The sizes of all benchmarks: full, or just enough to test that they work."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The number of repetitions and the sizes; only `FULL` gives valid figures.

    Load is measured in `rounds` of `seconds`. Single requests are repeated `repeats`
    times; requests after a change, once for each of `changes`. `walls` clients refresh
    every `refresh_seconds`, `refreshes` times, while a run changes every
    `change_seconds`. An endless query is stopped after `slow_query_seconds`. Servers
    are started `starts` times, and the page is loaded `page_loads` times, by a CPU that
    is slowed down `slowdown` times. `ingested_runs` are fetched `ingest_rounds` times,
    with `latency_ms` before each response. A pass without changes over `idle_repos` is
    made `idle_passes` times.
    """

    rounds: int = 5
    seconds: float = 1.5
    repeats: int = 25
    changes: int = 15
    walls: int = 1000
    refresh_seconds: float = 5
    refreshes: int = 7
    change_seconds: float = 3
    slow_query_seconds: float = 5
    starts: int = 5
    ingest_rounds: int = 3
    page_loads: int = 7
    slowdown: int = 6
    ingested_runs: int = 10_000
    latency_ms: int = 80
    idle_repos: int = 100
    idle_passes: int = 12


FULL = Sizes()
QUICK = Sizes(
    rounds=1,
    seconds=0.2,
    repeats=1,
    changes=2,
    walls=10,
    refresh_seconds=0.5,
    refreshes=3,
    change_seconds=0.3,
    slow_query_seconds=0.5,
    starts=1,
    ingest_rounds=1,
    page_loads=1,
    slowdown=1,
    ingested_runs=80,
    latency_ms=0,
    idle_repos=2,
    idle_passes=2,
)
