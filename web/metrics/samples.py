"""Names and values of metrics, as Prometheus wants them.

https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from prometheus_client.core import GaugeMetricFamily

PREFIX = "ci_observer_"


class Gauge(NamedTuple):
    """A metric that is a column of a row."""

    name: str
    help: str
    column: str


def gauge(name: str, text: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    """A gauge with our prefix, without samples."""
    return GaugeMetricFamily(PREFIX + name, text, labels=tuple(labels))


def number(value: Any) -> float:
    """A number as it is, and a time as seconds since 1970."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    return float(value)


def boolean(value: int) -> str:
    """A label's value for 1 or 0."""
    return "true" if value else "false"
