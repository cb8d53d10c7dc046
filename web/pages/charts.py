"""Bars of a chart, as plain numbers for an SVG whose height is `HEIGHT`.

The drawing is stretched to the page's width: no text in it, and shapes that bear that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ci_observer.web.times import DAY, HOUR, MINUTE

HEIGHT = 100
STEP = 10
BAR = 8
# Fewer bars than these are no broader than as many would be.
FEWEST = 7
# What is there at all can be seen.
LEAST = 1.5

_NICE_SECONDS = (
    *(5, 10, 15, 20, 30, 45),
    *(n * MINUTE for n in (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45)),
    *(n * HOUR for n in (1, 2, 3, 4, 6, 8, 12)),
    *(n * DAY for n in (1, 2, 3, 5, 10, 20, 40)),
)


@dataclass(frozen=True)
class Bar:
    """What `item` is worth; None where there is nothing to measure."""

    item: Any
    value: float | None
    key: str
    look: str
    href: str | None
    is_counted: bool = True
    x: float = 0
    y: float = 0
    height: float | None = None
    is_cut: bool = False


@dataclass(frozen=True)
class Line:
    """A value across the whole chart."""

    name: str
    y: float


@dataclass(frozen=True)
class Chart:
    """Bars from left to right, under an axis that ends at `top`."""

    bars: list[Bar]
    lines: list[Line]
    top: float
    width: float
    is_short: bool
    height: int = HEIGHT


def chart(
    bars: Sequence[Bar], top: float, lines: dict[str, float | None] | None = None
) -> Chart:
    """Place the bars side by side; what is higher than the axis is cut.

    The last one stands at the right, however few there are.
    """
    left = max(0, FEWEST - len(bars))
    return Chart(
        bars=[_place(bar, left + index, top) for index, bar in enumerate(bars)],
        lines=[
            Line(name, _y(value, top))
            for name, value in (lines or {}).items()
            if value is not None
        ],
        top=top,
        width=max(FEWEST, len(bars)) * STEP,
        is_short=left > 0,
    )


def top_of_seconds(values: Sequence[float], usual: float | None) -> float:
    """Where an axis of durations ends: one that hung for hours flattens no others."""
    longest = max(values, default=0)
    wanted = min(longest, 1.25 * usual) if usual else longest
    return next(
        (n for n in _NICE_SECONDS if n >= wanted), math.ceil(wanted / DAY) * DAY
    )


def _place(bar: Bar, index: int, top: float) -> Bar:
    height = None
    if bar.value is not None:
        height = max(LEAST, HEIGHT - _y(bar.value, top))
    return replace(
        bar,
        x=index * STEP + (STEP - BAR) / 2,
        y=HEIGHT - (height or 0),
        height=height,
        is_cut=bar.value is not None and bar.value > top,
    )


def _y(value: float, top: float) -> float:
    return round(HEIGHT * (1 - min(1, value / top)), 2) if top else HEIGHT
