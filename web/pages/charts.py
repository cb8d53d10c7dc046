"""Geometry of the bar charts, for an SVG of the height `HEIGHT`.

The SVG is stretched to the page's width, so it has only rectangles and lines, no text.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ci_observer.web.pages.times import DAY, HOUR, MINUTE

HEIGHT = 100
STEP = 10
BAR = 8
# The minimum number of slots for bars, so that a few bars are not too wide.
MIN_SLOTS = 7
# A value of zero is still visible.
MIN_HEIGHT = 1.5

_NICE_SECONDS = (
    *(5, 10, 15, 20, 30, 45),
    *(n * MINUTE for n in (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45)),
    *(n * HOUR for n in (1, 2, 3, 4, 6, 8, 12)),
    *(n * DAY for n in (1, 2, 3, 5, 10, 20, 40)),
)


@dataclass(frozen=True)
class Bar:
    """One bar: `item` is the row behind it, `value` is None when it has none."""

    item: Any
    value: float | None
    key: str
    css_class: str
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
    """A chart of the bars, aligned to the right; those above `top` are cut."""
    empty_slots = max(0, MIN_SLOTS - len(bars))
    return Chart(
        bars=[
            _with_geometry(bar, empty_slots + index, top)
            for index, bar in enumerate(bars)
        ],
        lines=[
            Line(name, _y(value, top))
            for name, value in (lines or {}).items()
            if value is not None
        ],
        top=top,
        width=max(MIN_SLOTS, len(bars)) * STEP,
        is_short=empty_slots > 0,
    )


def top_of_seconds(values: Sequence[float], usual: float | None) -> float:
    """The top of an axis of durations, at a round number.

    At most a quarter above the usual duration, so that one run that hung for hours does
    not flatten the others.
    """
    longest = max(values, default=0)
    top = min(longest, 1.25 * usual) if usual else longest
    return nice_step(top)


def nice_step(seconds: float) -> float:
    """The next round number of seconds, such as 5 s, 2 min or 4 h; whole days above."""
    return next(
        (n for n in _NICE_SECONDS if n >= seconds), math.ceil(seconds / DAY) * DAY
    )


def _with_geometry(bar: Bar, index: int, top: float) -> Bar:
    height = None
    if bar.value is not None:
        height = max(MIN_HEIGHT, HEIGHT - _y(bar.value, top))
    return replace(
        bar,
        x=index * STEP + (STEP - BAR) / 2,
        y=HEIGHT - (height or 0),
        height=height,
        is_cut=bar.value is not None and bar.value > top,
    )


def _y(value: float, top: float) -> float:
    return round(HEIGHT * (1 - min(1, value / top)), 2) if top else HEIGHT
