"""The text of /metrics, in the format that the client asks for."""

import asyncio

from datasette.app import Datasette
from prometheus_client import exposition
from prometheus_client.core import CollectorRegistry, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from ci_observer.web.api.queries import fetch_tiles, problem_of
from ci_observer.web.cache import CachedResponse
from ci_observer.web.filters import Filters
from ci_observer.web.metrics.counters import counters_of
from ci_observer.web.metrics.increases import Feed
from ci_observer.web.metrics.instance_metrics import instance_metrics
from ci_observer.web.metrics.requests import responses_of
from ci_observer.web.metrics.run_metrics import run_metrics
from ci_observer.web.metrics.tile_metrics import Tile, tile_metrics

OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_TYPE = openmetrics.CONTENT_TYPE_LATEST
TEXT_TYPE = exposition.CONTENT_TYPE_LATEST


async def fetch_metrics(
    datasette: Datasette, filters: Filters, *, is_openmetrics: bool
) -> CachedResponse:
    """The text, which is never the same twice.

    The tiles are those of `/api/wall` with the same filters; the runs are those of the
    tiles' workflows. Raises `Unavailable` when SQLite fails.
    """
    every_tile = await fetch_tiles(datasette, Filters())
    tiles = every_tile
    if filters != Filters():
        tiles = await fetch_tiles(datasette, filters)
    counters = counters_of(datasette)
    reading = await counters.update(datasette, _feeds(every_tile))

    instance = reading.instance | problem_of(datasette, reading.instance["state"])
    metrics = [
        *tile_metrics(tiles),
        *run_metrics(counters, _feeds(tiles)),
        *instance_metrics(instance, counters.polls, responses_of(datasette)),
    ]
    # Writing thousands of lines would delay the wall.
    text = await asyncio.to_thread(_text, metrics, is_openmetrics)
    return CachedResponse(text, reading.instance["revision"])


class _Collected(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _text(metrics: list[Metric], is_openmetrics: bool) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(metrics))
    # Processor time, memory and open files of this process.
    ProcessCollector(registry=registry)
    if is_openmetrics:
        return bytes(openmetrics.generate_latest(registry))  # type: ignore[no-untyped-call]
    return exposition.generate_latest(registry)


def _feeds(tiles: list[Tile]) -> frozenset[Feed]:
    return frozenset((tile["repo"], tile["workflow"]) for tile in tiles)
