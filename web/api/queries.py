"""Every select of the web side, and the answers made of them.

The JSON is built inside SQLite: Python never handles single values. All of an answer is
read at one revision.
"""

import json
from sqlite3 import Row
from typing import Any

from datasette.app import Datasette

from ci_observer.web.api.cursors import encode_cursor
from ci_observer.web.api.run_queries import fetch_run_page
from ci_observer.web.cache import Answer, reuse
from ci_observer.web.columns import (
    FILTER_COLUMNS,
    TILE_COLUMNS_BUT_STRIP,
    json_object_sql,
)
from ci_observer.web.database import Params, fetch_row, fetch_snapshot
from ci_observer.web.errors import Unavailable
from ci_observer.web.filters import STATES, Filters

_TILE = json_object_sql(TILE_COLUMNS_BUT_STRIP)

# The strip is JSON as it is stored: SQLite would take it apart to put it in. Both are
# bytes as the answer is: a megabyte of text need not be decoded to be encoded again.
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
  'timezone', coalesce(max(value) filter (where key = 'timezone'), 'UTC'),
  'repos', json(coalesce(max(value) filter (where key = 'repos'), '[]')),
  'workflows', json(coalesce(max(value) filter (where key = 'workflows'), '[]')),
  'version', max(value) filter (where key = 'version'),
  'revision', cast(max(value) filter (where key = 'revision') as integer),
  'polling', (
    select json_object(
      'state', state,
      'reason', reason,
      'last_success_at', last_success_at,
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
  is_healthy, state, reason, last_success_at
from polling
"""

# Those of one run are many, and stand in no index by their counts.
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


async def fetch_runs(datasette: Datasette, filters: Filters) -> Answer:
    """One page of runs, newest first."""

    async def compute() -> Answer:
        row = await fetch_run_page(datasette, filters)
        revision = int(row["revision"])
        head = json.dumps({"ok": True, "revision": revision})[:-1].encode()
        cursor = json.dumps(row["next"] and encode_cursor(row["next"])).encode()
        pieces = (head, b', "runs": ', row["runs"], b', "next": ', cursor, b"}")
        return Answer(b"".join(pieces), revision)

    return await reuse(datasette, ("runs", filters), compute)


async def fetch_wall(datasette: Datasette, filters: Filters) -> Answer:
    """The tiles, and how many there are of each state."""

    async def compute() -> Answer:
        sql, params = wall_sql(filters)
        selects = {"revision": REVISION_SQL, "tiles": sql}
        rows = await fetch_snapshot(datasette, selects, params)
        tiles = sorted(rows["tiles"], key=_place)
        revision = int(rows["revision"][0]["revision"])
        head = {"ok": True, "revision": revision, "counts": _counts(tiles)}
        flips = [tile["expires_at"] for tile in tiles if tile["expires_at"]]
        return Answer(_wall_json(head, tiles), revision, min(flips, default=None))

    return await reuse(datasette, ("wall", filters), compute)


def _place(tile: Row) -> tuple[Any, ...]:
    """What needs somebody first, then what is so the longest."""
    names = (tile["repo"].lower(), tile["workflow"], tile["branch"] or "")
    return (tile["rank"], tile["since_at"] or "", *names)


def _wall_json(head: dict[str, Any], tiles: list[Row]) -> bytes:
    # A megabyte: each piece is copied once.
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
    """How many tiles say each word of `state`, whether it is shown or not."""
    counts = dict.fromkeys(("total", *STATES), 0)
    for tile in tiles:
        words = {tile["tile_state"], tile["activity"], tile["alarm"]}
        for word in ("total", *filter(None, words)):
            counts[word] = counts.get(word, 0) + 1
    return counts


async def fetch_filters(datasette: Datasette) -> Answer:
    """What the runs can be filtered by, and how many runs have each value."""

    async def compute() -> Answer:
        row = await fetch_row(datasette, FILTERS_SQL)
        values = ", ".join(f'"{name}": {row[name]}' for name in FILTER_COLUMNS)
        return Answer(
            f'{{"ok": true, "revision": {row["revision"]}, {values}}}'.encode(),
            revision=int(row["revision"]),
        )

    return await reuse(datasette, "filters", compute)


async def fetch_config(datasette: Datasette) -> dict[str, Any]:
    """The public settings and how polling goes; never a secret."""
    row = await fetch_row(datasette, CONFIG_SQL)
    config: dict[str, Any] = {"ok": True} | json.loads(row["config"])
    return config


async def fetch_health(datasette: Datasette) -> Answer:
    """That the data are fresh, or off on purpose; else raise `Unavailable`."""
    row = await fetch_row(datasette, HEALTH_SQL)
    facts = {name: row[name] for name in ("state", "last_success_at")}
    if not row["is_healthy"]:
        raise Unavailable(row["reason"] or "Nothing was fetched lately.", **facts)
    return Answer(
        json.dumps({"ok": True} | facts | {"reason": row["reason"]}).encode(),
        revision=int(row["revision"]),
    )


def wall_sql(filters: Filters) -> tuple[str, Params]:
    """The select of the tiles, of the default branches unless others are named."""
    where, params = filters.where_sql(branch="branch")
    state, state_params = filters.state_sql()
    source = "wall_branches" if filters.branch else "wall"
    sql = WALL_SQL.format(source=source, where=where, state=state)
    return sql, params | state_params
