"""Cells of tables, rows and queries as people read them; `web/tables/cells.py`."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from datasette import hookimpl
from datasette.app import Datasette
from markupsafe import Markup

from ci_observer.web.database import DATABASE, fetch_row
from ci_observer.web.errors import WebError
from ci_observer.web.pages.times import zone_of
from ci_observer.web.rendering import SLICE_SECONDS
from ci_observer.web.tables.cells import NULLABLE, Cell, format_of

ZONE_SECONDS = 10
UTC = ZoneInfo("UTC")


class _Zone:
    """The instance's time zone, read again every few seconds."""

    def __init__(self) -> None:
        self.value = UTC
        self.expires_at = 0.0

    async def refresh(self, datasette: Datasette) -> None:
        # Requests at the same time need not read it too.
        self.expires_at = time.perf_counter() + ZONE_SECONDS
        try:
            row = await fetch_row(datasette, "select timezone from settings")
        except WebError:
            return
        self.value = zone_of(row["timezone"]) or UTC


_ZONES: WeakKeyDictionary[Datasette, _Zone] = WeakKeyDictionary()
# Of the event loop, which renders the cells of one page after the other.
_next_pause_at = 0.0


# First, so that Datasette awaits what it returns.
@hookimpl(tryfirst=True)
def render_cell(  # noqa: PLR0917 (Datasette's)
    row: Any,
    value: object,
    column: str,
    table: str | None,
    database: str,
    datasette: Datasette,
) -> Markup | Awaitable[Markup | None] | None:
    """The cell; None leaves it to Datasette.

    From time to time it is a coroutine, so that a large page lets other requests in.
    """
    if database != DATABASE:
        return None
    zone = _ZONES.get(datasette)
    if zone is None:
        zone = _ZONES[datasette] = _Zone()
    now = time.perf_counter()
    if now > zone.expires_at or now > _next_pause_at:
        return _render_later(row, value, column, table, datasette, zone)
    return _render(row, value, column, table, datasette, zone)


def _render(  # noqa: PLR0917
    row: Any,
    value: Any,
    column: str,
    table: str | None,
    datasette: Datasette,
    zone: _Zone,
) -> Markup | None:
    # Datasette has replaced the value of a foreign key by its label.
    if isinstance(value, dict):
        value = value["value"]
    if value is None and column != NULLABLE:
        return None
    if (show := format_of(column)) is None:
        return None
    return show(Cell(value, column, row, table, datasette.urls.path, zone.value))


async def _render_later(*arguments: Any) -> Markup | None:
    global _next_pause_at  # noqa: PLW0603 (the loop's, not a page's)
    *_, datasette, zone = arguments
    if time.perf_counter() > zone.expires_at:
        await zone.refresh(datasette)
    await asyncio.sleep(0)
    _next_pause_at = time.perf_counter() + SLICE_SECONDS
    return _render(*arguments)
