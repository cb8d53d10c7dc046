"""The table of a soak: a line for each minute."""

from collections.abc import Iterator, Sequence

from bench.harness.table import format_number
from bench.soak.judge import Minute

P99 = 0.99


def markdown(minutes: Sequence[Minute]) -> Iterator[str]:
    """The lines of the table."""
    names = list(dict.fromkeys(name for minute in minutes for name in minute.memory))
    head = ["minute", *(f"{name}, MB" for name in names), "all, MB", "files", "WAL, MB"]
    head += ["requests", "p99, ms", "4xx", "5xx", "no response", "runs"]
    yield _row(head)
    yield _row(["---:"] * len(head))
    for minute in minutes:
        yield _row(_cells(minute, names))


def _cells(minute: Minute, names: Sequence[str]) -> list[str]:
    statuses = minute.responses.statuses
    client_errors, server_errors = (
        sum(count for status, count in statuses.items() if status // 100 == first)
        for first in (4, 5)
    )
    return [
        str(minute.number),
        *(f"{minute.memory.get(name, 0) / 1e6:.1f}" for name in names),
        f"{minute.total_memory / 1e6:.1f}",
        f"{minute.files:.0f}",
        f"{minute.wal_bytes / 1e6:.1f}",
        str(statuses.total()),
        format_number(_percentile(minute.responses.milliseconds, P99)),
        *(str(count) for count in (client_errors, server_errors, statuses[0])),
        f"{minute.runs:,}",
    ]


def _percentile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
