"""What each tile of the wall shows."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import Metric

from ci_observer.web.metrics.samples import Gauge, gauge, number
from ci_observer.web.vocabulary import ACTIVITIES, ALARMS, FAILING_ALARM, state_of

Tile = dict[str, Any]

LABELS = ("repo", "workflow", "branch")
# What a tile's colour shows: exactly one of them.
SHOWN_STATES = (*ALARMS, FAILING_ALARM, "failing", "unknown", "untested", "passing")
# Missing where the column is null.
GAUGES = (
    Gauge(
        "tile_streak_runs",
        "Runs in a row with the last result, passing or failing.",
        "streak",
    ),
    Gauge(
        "tile_last_duration_seconds",
        "The duration of the last result.",
        "last_result_duration_seconds",
    ),
    Gauge(
        "tile_since_timestamp_seconds",
        "Since when the tile has its state.",
        "since_at",
    ),
    Gauge(
        "tile_last_result_timestamp_seconds",
        "When the last result started.",
        "last_result_started_at",
    ),
)


def tile_metrics(tiles: list[Tile]) -> Iterator[Metric]:
    """The metrics of the tiles, which are those of `/api/wall`."""
    yield _states(tiles)
    yield _activities(tiles)
    yield _flags(tiles, "tile_muted", "1 while the tile is muted.", "muted_until")
    yield _flags(
        tiles, "tile_flaky", "1 if a commit both failed and passed lately.", "is_flaky"
    )
    for name, text, column in GAUGES:
        family = gauge(name, text, LABELS)
        for tile in tiles:
            if tile[column] is not None:
                family.add_metric(_labels(tile), number(tile[column]))
        yield family


def _states(tiles: list[Tile]) -> Metric:
    text = "1 for the state that the tile shows, 0 for the others."
    family = gauge("tile_state", text, (*LABELS, "state"))
    for tile in tiles:
        shown = state_of(tile)
        for state in dict.fromkeys((*SHOWN_STATES, shown)):
            family.add_metric([*_labels(tile), state], float(state == shown))
    return family


def _activities(tiles: list[Tile]) -> Metric:
    text = "1 while a newer run is running, queued and so on, else 0."
    family = gauge("tile_activity", text, (*LABELS, "activity"))
    for tile in tiles:
        for activity in ACTIVITIES:
            value = float(activity == tile["activity"])
            family.add_metric([*_labels(tile), activity], value)
    return family


def _flags(tiles: list[Tile], name: str, text: str, column: str) -> Metric:
    family = gauge(name, text, LABELS)
    for tile in tiles:
        family.add_metric(_labels(tile), float(bool(tile[column])))
    return family


def _labels(tile: Tile) -> list[str]:
    return [tile[name] or "" for name in LABELS]
