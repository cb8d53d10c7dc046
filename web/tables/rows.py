"""The rows of a table as HTML. A template would take three times as long.

A page can have 5,000 rows, and the event loop renders it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datasette.utils import to_css_class
from markupsafe import Markup, escape

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
) -> Iterator[Markup]:
    """The rows of a query: the values as shown, with the exact ones in `rows`."""
    classes = [to_css_class(column) for column in columns]
    for shown, exact in zip(display_rows, rows, strict=True):
        yield _row([_cell(classes[at], shown[at], exact[at]) for at in order])


def row_link(cell: Mapping[str, Any]) -> Markup:
    """Datasette's link to a row with a composite key, which other columns repeat."""
    start, _, _ = str(cell["value"]).partition(">")
    label = escape(f"row {cell['raw']}")
    return Markup(f'{start} aria-label="{label}">row</a>')  # noqa: S704 (escaped)


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
