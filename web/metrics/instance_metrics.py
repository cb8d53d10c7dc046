"""The state of polling, and what this process has done."""

from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from prometheus_client.core import CounterMetricFamily, InfoMetricFamily, Metric

from ci_observer.web.metrics.samples import PREFIX, Gauge, gauge, number

# The values of `polling.state`.
STATES = (
    *("ok", "starting", "off", "stale", "rate_limited", "unauthorized", "offline"),
    "failed",
)
# Missing where the column is null.
GAUGES = (
    Gauge("feeds", "Watched feeds.", "feeds"),
    Gauge("stale_feeds", "Watched feeds without fresh data.", "stale_feeds"),
    Gauge(
        "last_success_timestamp_seconds",
        "When a feed last had a good response.",
        "last_success_at",
    ),
    Gauge("last_poll_timestamp_seconds", "When the last pass ended.", "last_poll_at"),
    Gauge(
        "last_poll_duration_seconds", "How long that pass took.", "last_poll_seconds"
    ),
    Gauge("rate_limit", "Requests that GitHub allows in an hour.", "rate_limit"),
    Gauge(
        "rate_limit_remaining",
        "The requests that were left of them.",
        "rate_limit_remaining",
    ),
    Gauge(
        "rate_limit_reset_timestamp_seconds",
        "When the rate limit is renewed.",
        "rate_limit_reset_at",
    ),
    Gauge(
        "token_expires_timestamp_seconds",
        "When the token expires.",
        "token_expires_at",
    ),
)


def instance_metrics(
    instance: dict[str, Any], polls: Counter[str], responses: Counter[int]
) -> Iterator[Metric]:
    """The metrics of a row of `polling`, of poll passes, and of responses."""
    info = {"version": version("ci-observer")}
    yield InfoMetricFamily(PREFIX.rstrip("_"), "The running version.", value=info)
    yield _polling_state(instance["state"])
    for name, text, column in GAUGES:
        if instance[column] is not None:
            family = gauge(name, text)
            family.add_metric((), number(instance[column]))
            yield family
    yield from _counters(polls)
    yield _responses(responses)


def _polling_state(current: str) -> Metric:
    family = gauge("polling_state", "1 for the state of polling, else 0.", ["state"])
    for state in dict.fromkeys((*STATES, current)):
        family.add_metric([state], float(state == current))
    return family


def _counters(polls: Counter[str]) -> Iterator[Metric]:
    passes = CounterMetricFamily(
        f"{PREFIX}poll_passes", "Poll passes by result.", labels=["result"]
    )
    for result in ("passed", "failed"):
        passes.add_metric([result], polls[result])
    yield passes
    for name, text in (
        ("requests", "Requests to GitHub."),
        ("not_modified", "Responses 304 of GitHub, which are free of charge."),
    ):
        yield CounterMetricFamily(f"{PREFIX}github_{name}", text, value=polls[name])


def _responses(responses: Counter[int]) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}http_responses", "Responses by HTTP status.", labels=["code"]
    )
    for status, count in sorted(responses.items()):
        family.add_metric([str(status)], count)
    return family
