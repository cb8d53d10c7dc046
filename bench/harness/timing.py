"""Comparisons: all candidates are measured in turn, so that noise affects all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.harness import http_load
from bench.harness.http_load import Load, LoadResult
from bench.harness.servers import Server
from bench.harness.sizes import Sizes

SECONDS_FOR_EACH = 2.0

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A server and the requests it gets."""

    server: Server
    paths: Sequence[str]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadFigures:
    """The figures of one case under load: medians of all rounds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # of the server, per response
    client_cpu_ms: float  # per response
    kilobytes: float  # of a response, with its headers


def measure_load(
    cases: Mapping[str, Case], sizes: Sizes, *, connections: int
) -> dict[str, LoadFigures]:
    """The figures of each case by its name, measured round after round."""
    results: dict[str, list[tuple[LoadResult, float]]] = {name: [] for name in cases}
    for case in cases.values():
        case.server.get(case.paths[0])  # Fill the caches.
    for _ in range(sizes.rounds):
        for name, case in cases.items():
            before = case.server.cpu_seconds()
            result = http_load.run(
                Load(
                    port=case.server.port,
                    paths=case.paths,
                    headers=case.headers,
                    connections=connections,
                    seconds=sizes.seconds,
                    warm_up=sizes.seconds / 3,
                )
            )
            results[name].append((result, case.server.cpu_seconds() - before))
    return {name: _medians(of) for name, of in results.items()}


def _medians(results: Sequence[tuple[LoadResult, float]]) -> LoadFigures:
    def median(value: Callable[[LoadResult, float], float]) -> float:
        return statistics.median(value(*result) for result in results)

    return LoadFigures(
        per_second=median(lambda result, _: result.per_second),
        p50_ms=median(lambda result, _: result.p50_ms),
        p99_ms=median(lambda result, _: result.p99_ms),
        cpu_ms=median(lambda result, cpu: 1000 * cpu / result.responses),
        client_cpu_ms=median(
            lambda result, _: 1000 * result.cpu_seconds / result.responses
        ),
        kilobytes=median(lambda result, _: result.bytes_per_response / 1000),
    )


def min_milliseconds(
    clock: Clock, repeats: int, *calls: Callable[[], object]
) -> list[float]:
    """The shortest time of each call. Slow calls are repeated less often.

    The minimum and not the median: the worst of two hundred medians is mostly noise.
    """
    times: list[list[float]] = [[] for _ in calls]
    last = time.perf_counter() + SECONDS_FOR_EACH
    for call in calls:
        call()
    while len(times[0]) < repeats and (not times[0] or time.perf_counter() < last):
        for times_of_call, call in zip(times, calls, strict=True):
            start = clock()
            call()
            times_of_call.append((clock() - start) * 1000)
    return [min(times_of_call) for times_of_call in times]
