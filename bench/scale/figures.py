"""The figures of `make scale`, and their table."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.harness.table import format_number

MAX_NOTE = 300
# The name of the row of a part that has failed.
FAILED = "failed"


@dataclass(frozen=True)
class Figure:
    """A measured value. Its unit is in the name, such as "lag, seconds".

    `value` is a number or a word such as "equal". `note` names the measured thing, in
    plain text.
    """

    part: str
    name: str
    value: float | str
    note: str = ""

    @property
    def text(self) -> str:
        """The value as it is in the table."""
        match self.value:
            case str():
                return self.value
            case int():
                return f"{self.value:,}"
            case _:
                return format_number(self.value)


def failure(part: str, error: BaseException) -> Figure:
    """The row of a part that has failed: its error, in one line."""
    text = f"{type(error).__name__}: {error}"
    return Figure(part, FAILED, "**no figures**", " ".join(text.split())[:MAX_NOTE])


def markdown(figures: Iterable[Figure]) -> Iterator[str]:
    """The lines of the table."""
    yield "| part | figure | value | note |"
    yield "| --- | --- | ---: | --- |"
    for figure in figures:
        cells = (figure.part, figure.name, figure.text, figure.note)
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
