"""Things that are measured in turn, round after round, so that noise hits all."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench import load
from bench.effort import Effort
from bench.load import Load, Result
from bench.servers import Server

SECONDS_FOR_EACH = 2.0

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One server and what it is asked for."""

    server: Server
    paths: Sequence[str]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """What a case took: medians of all rounds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # of the server, per answer
    asking_cpu_ms: float  # of the process that asks, per answer
    kilobytes: float  # of an answer, with its headers


def measure(
    cases: Mapping[str, Case], effort: Effort, *, connections: int
) -> dict[str, Figures]:
    """The figures of each case."""
    results: dict[str, list[tuple[Result, float]]] = {name: [] for name in cases}
    for case in cases.values():
        case.server.get(case.paths[0])  # What is kept is then kept.
    for _ in range(effort.rounds):
        for name, case in cases.items():
            before = case.server.cpu_seconds()
            result = load.run(
                Load(
                    port=case.server.port,
                    paths=case.paths,
                    headers=case.headers,
                    connections=connections,
                    seconds=effort.seconds,
                    warm_up=effort.seconds / 3,
                )
            )
            results[name].append((result, case.server.cpu_seconds() - before))
    return {name: _figures(of) for name, of in results.items()}


def _figures(results: Sequence[tuple[Result, float]]) -> Figures:
    def median(value: Callable[[Result, float], float]) -> float:
        return statistics.median(value(*result) for result in results)

    return Figures(
        per_second=median(lambda result, _: result.per_second),
        p50_ms=median(lambda result, _: result.p50_ms),
        p99_ms=median(lambda result, _: result.p99_ms),
        cpu_ms=median(lambda result, cpu: 1000 * cpu / result.answered),
        asking_cpu_ms=median(
            lambda result, _: 1000 * result.cpu_seconds / result.answered
        ),
        kilobytes=median(lambda result, _: result.bytes_per_answer / 1000),
    )


def least(clock: Clock, repeats: int, *asks: Callable[[], object]) -> list[float]:
    """The least milliseconds of each, done in turn so that noise hits all of them.

    What takes long is repeated less often.

    Not the median: the worst of two hundred medians is mostly the worst of the noise.
    """
    took: list[list[float]] = [[] for _ in asks]
    last = time.perf_counter() + SECONDS_FOR_EACH
    for ask in asks:
        ask()
    while len(took[0]) < repeats and (not took[0] or time.perf_counter() < last):
        for times, ask in zip(took, asks, strict=True):
            begun = clock()
            ask()
            times.append((clock() - begun) * 1000)
    return [min(times) for times in took]
