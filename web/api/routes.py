"""The description of a route on `/api`: parameters, example, shape of the response."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ci_observer.web.columns import FILTER_COLUMNS, RUN_COLUMNS, TILE_COLUMNS


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A response: sample text, and the keys or columns of each `part` in it."""

    sample: str
    part: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Route:
    """A route: its handler, whose docstring is the route's purpose, and its parameters.

    `example` is a query string to try it with; None if the response is this page.
    """

    handler: Callable[..., Any]
    shape: Shape
    parameters: tuple[str, ...] = ()
    example: str | None = ""


_OK = '"ok": true, "revision": 7'
_FACTS = (
    '"state": "ok", "reason": null, "last_success_at": "…", "feeds": 12,'
    ' "stale_feeds": 0'
)
_VALUES = ",\n ".join(
    f'"{name}": [{{"value": "…", "count": 5}}, …]' for name in FILTER_COLUMNS
)

INDEX = Shape(
    sample='{"ok": true, "routes": [{"path": "/api", "description": "…"}, …]}'
)
RUNS = Shape(
    sample=f'{{{_OK},\n "runs": [RUN, …],\n "next": "a cursor, or null"}}',
    part="RUN",
    columns=RUN_COLUMNS,
)
RUNS_CSV = Shape(sample="a header, and a line for each run", columns=RUN_COLUMNS)
RUNS_NDJSON = Shape(sample="RUN\nRUN\n…", part="RUN", columns=RUN_COLUMNS)
FILTERS = Shape(sample=f"{{{_OK},\n {_VALUES}}}")
WALL = Shape(
    sample=f'{{{_OK},\n "counts": {{"total": 12, "failing": 1, …}},\n'
    ' "tiles": [TILE, …]}',
    part="TILE",
    columns=TILE_COLUMNS,
)
CONFIG = Shape(
    sample='{"ok": true, "title": "CI Observer", "refresh_seconds": 60,\n'
    ' "stale_seconds": 180, "timezone": "UTC", "repos": ["acme/api"],\n'
    ' "workflows": ["ci.yml"], "version": "…", "revision": 7,\n'
    f' "polling": {{{_FACTS},\n'
    '  "next_poll_at": "…", "token_expires_at": null,\n'
    '  "rate_limit": {"limit": 5000, "remaining": 4998, "reset_at": "…"}},\n'
    ' "server_time": "2026-03-01T18:00:20Z", "warnings": [],\n'
    ' "wall_etag": "the ETag of /api/wall with the same parameters"}'
)
HEALTH = Shape(sample=f'{{"ok": true, {_FACTS}, "warnings": []}}')
