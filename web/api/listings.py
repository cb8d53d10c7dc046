"""Lists that are read page by page: their columns, and a page as JSON."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from sqlite3 import Row

from datasette.app import Datasette
from datasette.utils.sqlite import sqlite3

from ci_observer.web.api.attempt_queries import read_attempt_page
from ci_observer.web.api.cursors import encode_cursor
from ci_observer.web.api.job_queries import read_job_page
from ci_observer.web.api.list_columns import ATTEMPT_COLUMNS, JOB_COLUMNS, STATS_COLUMNS
from ci_observer.web.api.run_queries import read_run_page
from ci_observer.web.api.stats_queries import read_stats_page
from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.columns import run_columns
from ci_observer.web.database import fetch
from ci_observer.web.filters import DayFilters, Filters
from ci_observer.web.settings import is_read_only

# Another one may give other JSON at the same revision.
VERSION = version("ci-observer")


@dataclass(frozen=True)
class Listing:
    """A list: `read_page` returns a row of `revision`, the JSON in `name`, and `next`.

    `next` is the sort key of the page's last item as JSON, or None on the last page.
    """

    name: str
    read_page: Callable[[Filters, sqlite3.Connection], Row]
    columns: Callable[[Filters], tuple[str, ...]]
    filters: type[Filters] = Filters

    async def fetch_page(
        self, datasette: Datasette, filters: Filters, *, inline: bool = True
    ) -> Row:
        """One page. Raises `Unavailable` when SQLite fails, or `BadRequest`."""
        select = partial(self.read_page, filters)
        key = f"{self.name} by {' '.join(filters.names())}"
        return await fetch(datasette, select, key=key, inline=inline)

    async def fetch(self, datasette: Datasette, filters: Filters) -> CachedResponse:
        """One page as JSON: `{"ok", "revision", NAME, "next"}`. Raises as above."""

        async def compute() -> CachedResponse:
            page = self._response(filters, await self.fetch_page(datasette, filters))
            if is_read_only(datasette):
                # The file may be replaced by one that has other rows at this revision.
                page.etag_source = None
            return page

        return await get_or_compute(datasette, (self.name, filters), compute)

    def _response(self, filters: Filters, row: Row) -> CachedResponse:
        revision = int(row["revision"])
        cursor = row["next"] and encode_cursor(row["next"])
        head = json.dumps({"ok": True, "revision": revision})[:-1]
        pieces = (
            f'{head}, "{self.name}": '.encode(),
            row[self.name],
            f', "next": {json.dumps(cursor)}}}'.encode(),
        )
        content = b"".join(pieces)
        # Raises `UnicodeDecodeError` if SQLite has made damaged JSON.
        content.decode()
        # The page is the same until the revision changes, and has that in it. Its hash
        # would take a tenth of the time of all else.
        parts = (VERSION, self.name, self.columns(filters), filters, revision)
        source = repr(parts).encode()
        return CachedResponse(content, revision, etag_source=source, next_cursor=cursor)


RUNS = Listing("runs", read_run_page, lambda filters: run_columns(raw=filters.raw))
ATTEMPTS = Listing("attempts", read_attempt_page, lambda _: ATTEMPT_COLUMNS)
JOBS = Listing("jobs", read_job_page, lambda _: JOB_COLUMNS)
STATS = Listing("stats", read_stats_page, lambda _: STATS_COLUMNS, DayFilters)
