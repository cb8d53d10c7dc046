"""The table of jobs: the order of its rows, its headings, and changes as text."""

from collections.abc import Iterable
from typing import Any

from ci_observer.web.errors import BadRequest
from ci_observer.web.pages.job_links import JobLinks
from ci_observer.web.pages.job_statistics import Statistics
from ci_observer.web.pages.times import SPACE, exact_duration, signed
from ci_observer.web.pages.workflow_selection import Selection

# Name of a column in the URL → the statistic by which it sorts, and its heading.
SORTS = {
    "name": "Job",
    "runs": "Runs",
    "p50": "p50",
    "p95": "p95",
    "failures": "Failures",
    "flaky": "Flaky",
    "queue_p50": "Queue p50",
    "queue_p95": "Queue p95",
}
DEFAULT_SORT = "p50"
ORDERS = ("desc", "asc")

Row = dict[str, Any]


def order_of(selection: Selection) -> tuple[str, str]:
    sort = selection.others.get("sort", DEFAULT_SORT)
    if sort not in SORTS:
        raise BadRequest(f"sort={sort} is not one of {', '.join(SORTS)}.")
    order = selection.others.get("order", "asc" if sort == "name" else "desc")
    if order not in ORDERS:
        raise BadRequest(f"order={order} is not one of {', '.join(ORDERS)}.")
    return sort, order


def sorted_rows(rows: Iterable[Statistics], order: tuple[str, str]) -> list[Statistics]:
    """The rows in the order of the URL, those without a value last."""
    sort, direction = order
    by_name = sorted(rows, key=lambda row: row.name.casefold())
    known = [row for row in by_name if _value(row, sort) is not None]
    known.sort(key=lambda row: _value(row, sort), reverse=direction == "desc")
    return known + [row for row in by_name if _value(row, sort) is None]


def _value(row: Statistics, sort: str) -> Any:
    if sort == "name":
        return row.name.casefold()
    value = getattr(row, sort)
    return value if sort == "runs" else value.value


def headings(links: JobLinks, order: tuple[str, str]) -> list[Row]:
    """The columns, with the path that sorts by them, or that turns the order around."""
    sort, direction = order
    other = ORDERS[1 - ORDERS.index(direction)]
    return [
        {
            "label": label,
            "path": links.page(sort=name, order=other if name == sort else None),
            "direction": f"{direction}ending" if name == sort else None,
            "is_number": name != "name",
        }
        for name, label in SORTS.items()
    ]


def more_seconds(change: float) -> str:
    seconds = int(abs(change) + 0.5)
    return signed(seconds and change, exact_duration(seconds))


def more_points(change: float) -> str:
    """The change of a share, in percentage points."""
    points = round(100 * abs(change), 1)
    return signed(points and change, f"{points:g}{SPACE}points")
