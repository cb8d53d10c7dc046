"""The one table of figures: what was measured, beside what, and whether it will do."""

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
_GOAL = re.compile(r"(?P<compare>[<>]=?) (?P<limit>[\d.]+)(?P<times>x)?")

BEGIN = "<!-- measured -->"
END = "<!-- end of measured -->"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure of ours, that of the baseline in the same run, and the goal.

    `goal` is "<= 1.3x" (of the ratio ours to baseline), "< 25" (of our own figure), or
    None for a figure that is only told.
    """

    figure: str
    ours: float
    baseline: float | None = None
    unit: str
    goal: str | None = None

    def __post_init__(self) -> None:
        if self.goal is not None and not _GOAL.fullmatch(self.goal):
            raise ValueError(f"{self.goal!r} is not a goal such as '<= 1.3x'.")

    @property
    def ratio(self) -> float | None:
        return self.ours / self.baseline if self.baseline else None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        goal = _GOAL.fullmatch(self.goal or "")
        if goal is None:
            return None
        value = self.ratio if goal["times"] else self.ours
        if value is None:
            raise ValueError(f"{self.figure}: {self.goal} needs a baseline.")
        return _COMPARE[goal["compare"]](value, float(goal["limit"]))


def markdown(rows: Iterable[Row]) -> Iterator[str]:
    """The table's lines."""
    yield "| figure | unit | ours | baseline | ratio | goal | met |"
    yield "| --- | --- | ---: | ---: | ---: | --- | --- |"
    for row in rows:
        cells = [
            *(row.figure, row.unit, shown(row.ours), shown(row.baseline)),
            *(f"{row.ratio:.2f}" if row.ratio is not None else "-", row.goal or "-"),
            {True: "yes", False: "**no**", None: "-"}[row.is_met],
        ]
        yield f"| {' | '.join(cells)} |"


def shown(value: float | None) -> str:
    """Three digits, or all of those before the point."""
    if value is None:
        return "-"
    digits = next((n for n, least in ((0, 100), (1, 10), (2, 1)) if value >= least), 3)
    return f"{value:,.{digits}f}"


def put_between_marks(text: str, lines: Iterable[str]) -> str:
    """A document with these lines between its marks, instead of what was there.

    Raises `ValueError` when it has no marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"There are no {BEGIN} … {END} for the table.")
    middle = "\n".join(lines)
    return f"{before}{BEGIN}\n\n{middle}\n\n{END}{after}"
