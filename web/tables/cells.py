"""Cells of Datasette's pages as people read them; JSON and CSV keep the exact values.

A column's name decides its format, so that the columns of queries and of a user's own
tables get it, too. A value that does not fit its column's name is left to Datasette.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from ci_observer.web.pages.times import DAY, MINUTE
from ci_observer.web.tables import links
from ci_observer.web.tables.values import (
    CACHE_SIZE,
    MAX_PERCENT,
    conclusion_mark,
    duration_mark,
    moment,
    percentage,
    result_mark,
    state_mark,
    status_mark,
)
from ci_observer.web.vocabulary import (
    CONCLUSIONS,
    STATES,
    UNFINISHED,
    label_of,
    result_of,
)

# Longer "durations" are points in time, such as seconds since 1970.
MAX_SECONDS = 20 * 365 * DAY
UNITS = {"seconds": 1, "minutes": MINUTE, "hours": 60 * MINUTE}
# The one column whose null is shown: as the status of the unfinished run.
NULLABLE = "conclusion"

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_WORD = re.compile(r"[a-z]{1,20}(_[a-z]{1,20}){0,3}")
_DURATION = re.compile(r"(?:^|_)(seconds)(?:_|$)|_(minutes|hours)$")
_TIME_NAMES = ("_at", "_to", "_until", "_since", "_start", "_end")


@dataclass(slots=True)
class Cell:
    """A value, its column, and its row. It is null in `NULLABLE` only.

    `table` is None in the rows of a query. `path` is Datasette's `urls.path`.
    """

    value: Any
    column: str
    row: Any
    table: str | None
    path: Callable[[str], str]
    zone: ZoneInfo

    def other(self, column: str) -> Any:
        """Another value of the row; None if it has no such column."""
        try:
            value = self.row[column]
        except (IndexError, KeyError):
            return None
        return value["value"] if isinstance(value, dict) else value


Format = Callable[[Cell], Markup | None]


@lru_cache(CACHE_SIZE)
def format_of(column: str) -> Format | None:
    """How cells of a column are shown; None if as they are."""
    name = column.lower()
    if exact := _FORMATS.get(name):
        return exact
    if found := _DURATION.search(name):
        return partial(_seconds, unit=UNITS[found[1] or found[2]])
    if name.startswith(("is_", "has_")):
        return _claim
    return next((show for ends, show in _BY_END if name.endswith(ends)), None)


def has_times(columns: Iterable[str]) -> bool:
    """Whether one of the columns is shown in the instance's time zone."""
    return any(format_of(column) is _time for column in columns)


def _seconds(cell: Cell, unit: int) -> Markup | None:
    value = cell.value
    if not _is_number(value) or not 0 <= value * unit <= MAX_SECONDS:
        return None
    return duration_mark(value, unit, "second" if unit == 1 else cell.column)


def _share(cell: Cell, whole: int) -> Markup | None:
    value = cell.value
    if not _is_number(value) or (whole == 1 and not 0 <= value <= 1):
        return None
    text = percentage(float(value) * MAX_PERCENT / whole)
    sign = "+" if "change" in cell.column and value > 0 else ""
    return Markup('<span title="{}">{}{}</span>').format(value, sign, text)


def _is_number(value: object) -> bool:
    """Whether it is a number; SQLite also has infinite ones."""
    return isinstance(value, int | float) and math.isfinite(value)


def _time(cell: Cell) -> Markup | None:
    value = cell.value
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return moment(value, cell.zone)
    return None


def _conclusion(cell: Cell) -> Markup | None:
    value = cell.value
    if value is None:
        return _unfinished(cell.other("status"))
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        return None
    if value == "cancelled":
        # Of the run, or of one that a tile speaks of: last_result_conclusion.
        prefix = cell.column.removesuffix("conclusion")
        run = {
            name: cell.other(prefix + name)
            for name in ("cancel_cause", "cancelled_by", "duration_seconds")
        }
        run |= {"status": "completed", "conclusion": value}
        return result_mark(result_of(run), value)
    return conclusion_mark(value)


def _unfinished(status: object) -> Markup | None:
    """In place of the conclusion that a run does not have yet."""
    return status_mark(status) if status in UNFINISHED else None


def _status(cell: Cell) -> Markup | None:
    value = cell.value
    if value in UNFINISHED:
        return status_mark(value)
    return conclusion_mark(value) if value in CONCLUSIONS else None


def _state(cell: Cell) -> Markup | None:
    value = cell.value
    return state_mark(value) if isinstance(value, str) and value in STATES else None


def _claim(cell: Cell) -> Markup | None:
    if cell.value not in (0, 1):
        return None
    return _YES if cell.value else _NO


_YES = Markup('<span title="1">yes</span>')
_NO = Markup('<span title="0">no</span>')


def _strip(cell: Cell) -> Markup | None:
    """The number of runs with each result, instead of a screen of JSON."""
    try:
        results = [run["result"] or "other" for run in json.loads(cell.value)]
    except (TypeError, ValueError, KeyError, RecursionError):
        return None
    if not results or not all(isinstance(result, str) for result in results):
        return None
    words = dict.fromkeys(("passing", "failing", *results))
    counts = ((word, results.count(word)) for word in words)
    return escape(", ".join(f"{count} {label_of(w)}" for w, count in counts if count))


def _run(cell: Cell) -> Markup | None:
    if cell.table == "runs":
        return None  # The page of the row itself.
    return links.row_link(cell.path, "runs", cell.value)


def _job(cell: Cell) -> Markup | None:
    if cell.table == "jobs":
        return None
    return links.row_link(cell.path, "jobs", cell.value)


def _link(cell: Cell) -> Markup | None:
    if not isinstance(cell.value, str):
        return None
    number = cell.other(f"{cell.column.removesuffix('html_url')}run_number")
    text = f"#{number}" if isinstance(number, int) else links.words_for(cell.value)
    if cell.column == "html_url" and cell.other("gone_at"):
        return Markup('{} <span class="quiet">no longer on GitHub</span>').format(text)
    return links.outward(cell.value, text)


def _commit(cell: Cell) -> Markup | None:
    return links.commit(cell.path, cell.value, cell.other("repo"), _repository(cell))


def _pull_request(cell: Cell) -> Markup | None:
    repository = _repository(cell)
    if not isinstance(cell.value, int) or not repository:
        return None
    return links.outward(f"{repository}/pull/{cell.value}", f"#{cell.value}")


def _repository(cell: Cell) -> str | None:
    """The address of the repository on GitHub, out of that of a run in the row."""
    for column in ("html_url", *cell.row.keys()):
        if column.endswith("html_url"):
            address = links.repository_of(cell.other(column))
            if address:
                return address
    return None


def _workflow(cell: Cell) -> Markup | None:
    # GitHub's list has workflows that are not watched and have no page.
    if cell.table == "workflows":
        return None
    return links.workflow(cell.path, cell.other("repo"), cell.value)


def _repo(cell: Cell) -> Markup | None:
    return links.repo(cell.path, cell.value)


def _rows(cell: Cell) -> Markup | None:
    return links.rows(cell.path, cell.value)


_FORMATS: dict[str, Format] = {
    **dict.fromkeys(("conclusion", "effective_conclusion"), _conclusion),
    **dict.fromkeys(
        ("tile_state", "last_result", "result", "activity", "alarm", "stuck_activity"),
        _state,
    ),
    "status": _status,
    "job_id": _job,
    "pr_number": _pull_request,
    "workflow": _workflow,
    "repo": _repo,
    "runs_path": _rows,
    "strip": _strip,
    "now": _time,
}
_BY_END: tuple[tuple[str | tuple[str, ...], Format], ...] = (
    ("run_id", _run),
    ("head_sha", _commit),
    (_TIME_NAMES, _time),
    ("percent", partial(_share, whole=MAX_PERCENT)),
    ("_rate", partial(_share, whole=1)),
    ("_url", _link),
    ("_conclusion", _conclusion),
)
