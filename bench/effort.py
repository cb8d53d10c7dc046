"""How much is measured: all of it, or just enough to see that it works."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Effort:
    """The sizes of the parts; how fast something is, only `FULL` tells.

    Servers under load have `rounds` of `seconds` each; single answers are asked for
    `repeats` times, what is computed anew after each of `changes`. `walls` refresh
    every `refresh_seconds`, `refreshes` times, while a run changes every
    `change_seconds`. A query that never ends is ended after `slow_query_seconds`.
    Servers are started `starts` times, the page is drawn `drawings` times.
    `ingested_runs` are fetched `fetches` times, with `latency_ms` before each answer.
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
    fetches: int = 3
    drawings: int = 7
    ingested_runs: int = 10_000
    latency_ms: int = 80


FULL = Effort()
QUICK = Effort(
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
    fetches=1,
    drawings=1,
    ingested_runs=80,
    latency_ms=0,
)
