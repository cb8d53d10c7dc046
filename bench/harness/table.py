"""The table of all figures, with their baselines and goals."""

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
    """Our figure, the figure of the baseline in the same run, and the goal.

    `goal` is "<= 1.3x" (a limit for ours / baseline), "< 25" (a limit for ours), or
    None.
    """

    title: str
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
        """True if the goal is met. None if there is no goal."""
        goal = _GOAL.fullmatch(self.goal or "")
        if goal is None:
            return None
        value = self.ratio if goal["times"] else self.ours
        if value is None:
            raise ValueError(f"{self.title}: {self.goal} needs a baseline.")
        return _COMPARE[goal["compare"]](value, float(goal["limit"]))


def markdown(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of the table."""
    yield "| figure | unit | ours | baseline | ratio | goal | met |"
    yield "| --- | --- | ---: | ---: | ---: | --- | --- |"
    for row in rows:
        cells = [
            *(row.title, row.unit, format_number(row.ours)),
            format_number(row.baseline),
            *(f"{row.ratio:.2f}" if row.ratio is not None else "-", row.goal or "-"),
            {True: "yes", False: "**no**", None: "-"}[row.is_met],
        ]
        yield f"| {' | '.join(cells)} |"


def format_number(value: float | None) -> str:
    """Three significant digits, or all digits before the decimal point."""
    if value is None:
        return "-"
    digits = next((n for n, least in ((0, 100), (1, 10), (2, 1)) if value >= least), 3)
    return f"{value:,.{digits}f}"


def replace_marked(text: str, lines: Iterable[str]) -> str:
    """The document with the text between its marks replaced by these lines.

    Raises `ValueError` if the document has no marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The document needs the marks {BEGIN} and {END}.")
    middle = "\n".join(lines)
    return f"{before}{BEGIN}\n\n{middle}\n\n{END}{after}"
