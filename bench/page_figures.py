"""How soon a slow laptop has drawn the wall, and what a refresh costs; `bench.page`."""

from collections.abc import Iterator
from pathlib import Path

from bench.effort import Effort
from bench.page import SLOWER, measure
from bench.table import Row

LAST_BYTE = "from the last byte"
MAIN_THREAD = "main thread"


def rows(_small: Path, _large: Path, effort: Effort) -> Iterator[Row]:
    """The first drawing beside a plain table, and a refresh beside that drawing."""
    took = measure(effort.drawings)
    for kind, goal in (("television", "<= 300"), ("phone", None)):
        yield Row(
            figure=f"the wall drawn after its last byte, {kind}, {SLOWER} times slower,"
            " beside a plain table",
            ours=took[f"{kind}: {LAST_BYTE}"],
            baseline=took[f"table: {LAST_BYTE}"],
            unit="ms",
            goal=goal,
        )
    for what in ("one change", "no change"):
        yield Row(
            figure=f"a refresh with {what}: main thread, beside the first drawing",
            ours=took[f"refresh with {what}: {MAIN_THREAD}"],
            baseline=took[f"television: {LAST_BYTE}"],
            unit="ms",
        )
