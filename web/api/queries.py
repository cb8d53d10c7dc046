"""The selects behind the wall, runs, filters, config and health, as JSON responses.

SQLite builds the JSON: Python never handles single values. A response is read at one
revision.
"""

import json
from sqlite3 import Row
from typing import Any

from datasette.app import Datasette

from ci_observer.web.api.run_queries import encode_cursor, fetch_run_page
from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.columns import (
    FILTER_COLUMNS,
    TILE_COLUMNS_WITHOUT_STRIP,
    tile_json_sql,
)
from ci_observer.web.database import DATABASE, Params, fetch_row, fetch_snapshot
from ci_observer.web.database_file import read_problem
from ci_observer.web.errors import Unavailable
from ci_observer.web.filter_sql import state_sql, where_sql
from ci_observer.web.filters import Filters
from ci_observer.web.vocabulary import STATES

_TILE = tile_json_sql(TILE_COLUMNS_WITHOUT_STRIP)

# The strip is a column of its own: within the object SQLite would parse its JSON. Both
# are blobs, so that Python does not decode and encode a megabyte.
WALL_SQL = f"""
select
  repo, workflow, branch, rank, since_at, tile_state, activity, alarm, expires_at,
  {{state}} as is_shown,
  cast({_TILE} as blob) as tile, cast(strip as blob) as strip
from {{source}} where {{where}}
"""  # noqa: S608 (own names)

REVISION_SQL = "select value as revision from instance where key = 'revision'"

CONFIG_SQL = """
select json_object(
  'title', coalesce(max(value) filter (where key = 'title'), 'CI Observer'),
  'refresh_seconds', coalesce(
    cast(max(value) filter (where key = 'refresh_seconds') as integer), 60
  ),
  'stale_seconds', coalesce((select stale_seconds from settings), 180),
  'timezone', coalesce(max(value) filter (where key = 'timezone'), 'UTC'),
  'repos', json(coalesce(max(value) filter (where key = 'repos'), '[]')),
  'workflows', json(coalesce(max(value) filter (where key = 'workflows'), '[]')),
  'version', max(value) filter (where key = 'version'),
  'revision', cast(max(value) filter (where key = 'revision') as integer),
  'polling', (
    select json_object(
      'state', state,
      'reason', display_text(reason),
      'last_success_at', last_success_at,
      'feeds', feeds,
      'stale_feeds', stale_feeds,
      'next_poll_at', next_poll_at,
      'token_expires_at', token_expires_at,
      'rate_limit', iif(rate_limit is null, null, json_object(
        'limit', rate_limit,
        'remaining', rate_limit_remaining,
        'reset_at', rate_limit_reset_at
      ))
    )
    from polling
  ),
  'server_time', (select now from clock)
) as config
from instance
"""

HEALTH_SQL = """
select
  (select value from instance where key = 'revision') as revision,
  is_healthy, state, reason, last_success_at, feeds, stale_feeds
from polling
"""

# Values of a single run are many, and the index by count leaves them out.
_VALUES_SQL = """
(
  select json_group_array(json_object('value', value, 'count', runs)) from (
    select * from (
      select value, runs from run_values where name = '{column}' and runs > 1
      order by runs desc, value limit 1000
    )
    union all
    select * from (
      select value, runs from run_values where name = '{column}' and runs = 1
      order by value limit 1000
    )
    order by runs desc, value limit 1000
  )
)"""

FILTERS_SQL = f"""
select
  (select value from instance where key = 'revision') as revision,
  {
    ", ".join(
        _VALUES_SQL.format(column=column) + f" as {name}"
        for name, column in FILTER_COLUMNS.items()
    )
}
"""  # noqa: S608 (own names)


async def fetch_runs(datasette: Datasette, filters: Filters) -> CachedResponse:
    """One page of runs, newest first: `{"ok", "revision", "runs", "next"}`.

    Raises `Unavailable` when SQLite fails, and `BadRequest` for a bad cursor.
    """

    async def compute() -> CachedResponse:
        row = await fetch_run_page(datasette, filters)
        revision = int(row["revision"])
        head = json.dumps({"ok": True, "revision": revision})[:-1].encode()
        cursor = json.dumps(row["next"] and encode_cursor(row["next"])).encode()
        pieces = (head, b', "runs": ', row["runs"], b', "next": ', cursor, b"}")
        return CachedResponse(_checked(b"".join(pieces)), revision)

    return await get_or_compute(datasette, ("runs", filters), compute)


async def fetch_wall(datasette: Datasette, filters: Filters) -> CachedResponse:
    """The tiles, most urgent first: `{"ok", "revision", "counts", "tiles"}`.

    The counts by state are of all tiles, also of those that `state` leaves out.
    """

    async def compute() -> CachedResponse:
        sql, params = wall_sql(filters)
        selects = {"revision": REVISION_SQL, "tiles": sql}
        rows = await fetch_snapshot(datasette, selects, params)
        tiles = sorted(rows["tiles"], key=_sort_key)
        revision = int(rows["revision"][0]["revision"])
        head = {"ok": True, "revision": revision, "counts": _counts(tiles)}
        expiries = [tile["expires_at"] for tile in tiles if tile["expires_at"]]
        content = _checked(_wall_json(head, tiles))
        return CachedResponse(content, revision, min(expiries, default=None))

    return await get_or_compute(datasette, ("wall", filters), compute)


def _checked(content: bytes) -> bytes:
    """JSON that SQLite has made; raises `UnicodeDecodeError` if it is damaged."""
    content.decode()
    return content


def _sort_key(tile: Row) -> tuple[Any, ...]:
    """Most urgent first, then the longest in that state, then by name."""
    names = (tile["repo"].lower(), tile["workflow"], tile["branch"] or "")
    return (tile["rank"], tile["since_at"] or "", *names)


def _wall_json(head: dict[str, Any], tiles: list[Row]) -> bytes:
    # Up to a megabyte, so each piece is copied only once.
    pieces = [json.dumps(head)[:-1].encode(), b', "tiles": [']
    separator = b""
    for tile in tiles:
        if tile["is_shown"]:
            pieces += (
                separator,
                tile["tile"][:-1],
                b', "strip": ',
                tile["strip"],
                b"}",
            )
            separator = b", "
    return b"".join((*pieces, b"]}"))


def _counts(tiles: list[Row]) -> dict[str, int]:
    """How many tiles are in each state; a tile may count for up to three."""
    counts = dict.fromkeys(("total", *STATES), 0)
    for tile in tiles:
        states = {tile["tile_state"], tile["activity"], tile["alarm"]}
        for state in ("total", *filter(None, states)):
            counts[state] = counts.get(state, 0) + 1
    return counts


async def fetch_filters(datasette: Datasette) -> CachedResponse:
    """The values of each filter, each with its number of runs.

    The JSON has a list of `{"value", "count"}` for each key of `FILTER_COLUMNS`.
    """

    async def compute() -> CachedResponse:
        row = await fetch_row(datasette, FILTERS_SQL)
        values = ", ".join(f'"{name}": {row[name]}' for name in FILTER_COLUMNS)
        return CachedResponse(
            f'{{"ok": true, "revision": {row["revision"]}, {values}}}'.encode(),
            revision=int(row["revision"]),
        )

    return await get_or_compute(datasette, "filters", compute)


async def fetch_config(datasette: Datasette) -> dict[str, Any]:
    """The public settings and the state of polling; never a secret."""
    row = await fetch_row(datasette, CONFIG_SQL)
    config: dict[str, Any] = {"ok": True} | json.loads(row["config"])
    config["polling"] |= _problem(datasette, config["polling"]["state"])
    return config | {"warnings": _warnings(datasette)}


async def fetch_health(datasette: Datasette) -> CachedResponse:
    """`{"ok", "state", "last_success_at", "feeds", "stale_feeds", "reason", …}`.

    Raises `Unavailable` with the reason when no feed has fresh data, unless polling is
    off on purpose.
    """
    row = await fetch_row(datasette, HEALTH_SQL)
    names = ("state", "last_success_at", "feeds", "stale_feeds")
    facts = {name: row[name] for name in (*names, "reason")}
    facts |= _problem(datasette, row["state"])
    facts["warnings"] = _warnings(datasette)
    if not row["is_healthy"]:
        raise Unavailable(facts.pop("reason") or "Nothing was fetched lately.", **facts)
    return CachedResponse(
        json.dumps({"ok": True} | facts).encode(), revision=int(row["revision"])
    )


def _warnings(datasette: Datasette) -> list[str]:
    """Sentences about what will stop polling unless somebody acts."""
    warning = datasette.get_database(DATABASE).disk.measure()
    return [warning] if warning else []


def _problem(datasette: Datasette, state: str) -> dict[str, str]:
    """What ingest cannot write into the database: that it cannot write."""
    problem = read_problem(datasette.get_database(DATABASE).path)
    if problem is None or state == "off":
        return {}
    return {"state": "stale" if state == "stale" else "failed", "reason": problem}


def wall_sql(filters: Filters) -> tuple[str, Params]:
    """The select of the tiles and its parameters.

    Without a `branch` filter it gives the tiles of the default branches.
    """
    where, params = where_sql(
        filters, branch="branch", cancel_cause="last_result_cancel_cause"
    )
    state, state_params = state_sql(filters)
    source = "wall_branches" if filters.branch else "wall"
    sql = WALL_SQL.format(source=source, where=where, state=state)
    return sql, params | state_params
