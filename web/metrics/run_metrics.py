"""The runs of the tiles' workflows since the process started."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from ci_observer.web.metrics.counters import Counters
from ci_observer.web.metrics.increases import Feed, Key
from ci_observer.web.metrics.queries import INFINITE, LIMITS
from ci_observer.web.metrics.samples import PREFIX, boolean
from ci_observer.web.vocabulary import DECISIVE

LABELS = ("repo", "workflow", "default_branch")
# Measure of `run_bucket_rollups`: name and help.
HISTOGRAMS = {
    "duration": (
        "run_duration_seconds",
        "Durations of runs that passed at the first attempt.",
    ),
    "queue": ("run_queue_seconds", "How long first attempts waited for a runner."),
}
UPPER_LIMITS = (*(str(limit) for limit in LIMITS), INFINITE)


def run_metrics(counters: Counters, feeds: frozenset[Feed]) -> Iterator[Metric]:
    """The runs by conclusion, and their durations and queue times."""
    yield _counter(counters, feeds)
    for measure in HISTOGRAMS:
        yield _histogram(measure, counters, feeds)


def _counter(counters: Counters, feeds: frozenset[Feed]) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}runs",
        "Completed runs by conclusion. A run that is run again counts again.",
        labels=(*LABELS, "conclusion"),
    )
    totals: dict[Key, float] = {
        (*key, conclusion): 0 for key in _keys(feeds) for conclusion in DECISIVE
    }
    totals |= {key: n for key, n in counters.runs.totals.items() if key[:2] in feeds}
    for key, total in sorted(totals.items()):
        family.add_metric([*_labels(key[:-1]), key[-1]], total)
    return family


def _histogram(measure: str, counters: Counters, feeds: frozenset[Feed]) -> Metric:
    name, text = HISTOGRAMS[measure]
    family = HistogramMetricFamily(PREFIX + name, text, labels=LABELS)
    runs: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    seconds: defaultdict[Key, float] = defaultdict(float)
    # The keys end with the measure and the limit.
    for bucket, total in counters.durations.totals.items():
        if bucket[-2] == measure:
            runs[bucket[:-2]][bucket[-1]] = int(total)
    for bucket, total in counters.seconds.totals.items():
        if bucket[-2] == measure:
            seconds[bucket[:-2]] += total
    for key in _keys(feeds):
        count = 0
        buckets = []
        for limit in UPPER_LIMITS:
            count += runs[key][limit]
            buckets.append((limit, float(count)))
        family.add_metric(_labels(key), buckets, seconds[key])
    return family


def _keys(feeds: frozenset[Feed]) -> list[Key]:
    """The keys of all series: one that began with its first run would hide that run."""
    return [(*feed, is_default) for feed in sorted(feeds) for is_default in (0, 1)]


def _labels(key: Key) -> list[str]:
    repo, workflow, is_default = key
    return [repo, workflow, boolean(is_default)]
