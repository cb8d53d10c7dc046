"""The rows of a table as HTML. A template would take three times as long.

A page can have 5,000 rows, and the event loop renders it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from datasette.utils import to_css_class
from markupsafe import Markup, escape

from ci_observer.web.pages.times import zone_of
from ci_observer.web.tables.values import moment

# As `moment` in values.py makes it.
_TIME = re.compile(r'<time datetime="(?P<instant>[^"]*)"[^>]*>(?P<local>[^<]*)</time>')
# Longer texts may be cut by the width of their column, so they have a title.
MAX_WITHOUT_TITLE = 30
MAX_TITLE = 300


def table_rows(
    display_rows: Sequence[Any], columns: Sequence[Mapping[str, Any]], order: list[int]
) -> Iterator[Markup]:
    """The rows of Datasette's table, with the columns in this order."""
    classes = [to_css_class(column["name"]) for column in columns]
    for row in display_rows:
        cells = row.cells
        parts = []
        for at in order:
            cell = cells[at]
            special = cell.get("is_special_link_column")
            value = row_link(cell) if special else cell["value"]
            parts.append(_cell(classes[at], value, cell["raw"]))
        yield _row(parts)


def query_rows(
    display_rows: Sequence[Sequence[Any]],
    rows: Sequence[Sequence[Any]],
    columns: Sequence[str],
    order: list[int],
    ages: Sequence[str],
) -> Iterator[Markup]:
    """The rows of a query: the values as shown, with the exact ones in `rows`.

    Times in the columns `ages` are shown as "2 h ago" where there is a script.
    """
    classes = [to_css_class(column) for column in columns]
    aged = {at for at in order if columns[at] in ages}
    for shown, exact in zip(display_rows, rows, strict=True):
        yield _row(
            [
                _cell(
                    classes[at], _age(shown[at]) if at in aged else shown[at], exact[at]
                )
                for at in order
            ]
        )


def row_link(cell: Mapping[str, Any]) -> Markup:
    """Datasette's link to a row with a composite key, which other columns repeat."""
    start, _, _ = str(cell["value"]).partition(">")
    label = escape(f"row {cell['raw']}")
    return Markup(f'{start} aria-label="{label}">row</a>')  # noqa: S704 (escaped)


def read_time(timezone: str) -> Markup:
    """The present time, whose age a script shows: the rows are not refreshed."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    age: Markup = _age(moment(now, zone_of(timezone) or ZoneInfo("UTC")))
    return age


def _age(shown: Any) -> Any:
    """A time for the script of the page, which keeps ages up to date."""
    found = isinstance(shown, Markup) and _TIME.fullmatch(shown)
    if not found:
        return shown
    return Markup('<time datetime="{0}" title="{1} ({0})" data-ago>{1}</time>').format(
        found["instant"], found["local"]
    )


def _cell(css_class: str, shown: Any, raw: Any) -> str:
    html = escape(shown)
    if isinstance(raw, str):
        if len(raw) > MAX_WITHOUT_TITLE and not isinstance(shown, Markup):
            title = escape(raw[:MAX_TITLE])
            return f'<td class="col-{css_class}" title="{title}">{html}</td>'
    elif isinstance(raw, int | float):
        return f'<td class="col-{css_class} number">{html}</td>'
    return f'<td class="col-{css_class}">{html}</td>'


def _row(cells: list[str]) -> Markup:
    return Markup(f"<tr>{''.join(cells)}</tr>\n")  # noqa: S704 (each cell is escaped)
