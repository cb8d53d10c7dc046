"""The selects behind the wall, filters, config and health, as JSON responses.

SQLite builds the JSON: Python never handles single values. A response is read at one
revision.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from sqlite3 import Row
from typing import Any

from datasette.app import Datasette

from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.columns import (
    FILTER_COLUMNS,
    TILE_COLUMNS_WITHOUT_STRIP,
    tile_json_sql,
)
from ci_observer.web.database import DATABASE, Params, fetch_row, fetch_snapshot
from ci_observer.web.database_file import read_problem
from ci_observer.web.errors import Unavailable
from ci_observer.web.filter_sql import state_sql, team_sql, where_sql
from ci_observer.web.filters import Filters
from ci_observer.web.replica_age import age_of_copy
from ci_observer.web.settings import is_read_only, settings_of
from ci_observer.web.vocabulary import STATES

_TILE = tile_json_sql(TILE_COLUMNS_WITHOUT_STRIP)

# The strip is a column of its own: within the object SQLite would parse its JSON. Both
# are blobs, so that Python does not decode and encode a megabyte.
WALL_SQL = f"""
select
  repo, workflow, branch, rank, since_at, tile_state, activity, alarm, stuck_run_id,
  no_scheduled_run_since, muted_until, expires_at,
  {{state}} as is_shown,
  cast({_TILE} as blob) as tile, cast(strip as blob) as strip
from {{source}} where {{where}}
"""  # noqa: S608 (own names)

# Another version of CI Observer may give other JSON at the same revision.
_WALL_FORMAT = hashlib.sha256(WALL_SQL.encode()).hexdigest()

# The columns of tiles that time alone changes, after those of the key.
_TIMED_COLUMNS = (
    "repo",
    "workflow",
    "branch",
    "tile_state",
    "activity",
    "alarm",
    "stuck_run_id",
    "no_scheduled_run_since",
    "muted_until",
)
TIMED_SQL = f"""
select {", ".join(_TIMED_COLUMNS)}, expires_at, {{state}} as is_shown
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
  'screens', json((
    select json_group_array(json_object('name', name, 'query', query))
    from (select name, query from screens order by position)
  )),
  'shard', json(max(value) filter (where key = 'shard')),
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
  'warnings', json((select json_group_array(warning) from alert_warnings)),
  'server_time', (select now from clock)
) as config
from instance
"""

HEALTH_SQL = """
select
  (select value from instance where key = 'revision') as revision,
  is_healthy, state, reason, last_success_at, feeds, stale_feeds,
  (select now from clock) as now,
  (select json_group_array(warning) from alert_warnings) as warnings
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


async def fetch_wall(datasette: Datasette, filters: Filters) -> CachedResponse:
    """The tiles, most urgent first: `{"ok", "revision", "counts", "tiles"}`.

    The counts by state are of all tiles, also of those that `state` leaves out.
    """

    async def compute() -> CachedResponse:
        sql, params = wall_sql(filters)
        selects = {"revision": REVISION_SQL, "tiles": sql}
        rows = await fetch_snapshot(datasette, selects, params)
        tiles = rows["tiles"]
        revision = int(rows["revision"][0]["revision"])
        return CachedResponse(
            wall_json({"ok": True, "revision": revision}, tiles),
            revision,
            first_expiry(tiles),
            etag_source=(
                None
                if is_read_only(datasette)
                else _wall_version(filters, revision, tiles)
            ),
        )

    return await get_or_compute(datasette, ("wall", filters), compute)


async def fetch_tiles(datasette: Datasette, filters: Filters) -> list[dict[str, Any]]:
    """The tiles of `fetch_wall` as objects."""
    cached = await fetch_wall(datasette, filters)
    tiles: list[dict[str, Any]] = json.loads(cached.content)["tiles"]
    return tiles


async def fetch_wall_etag(datasette: Datasette, filters: Filters) -> str:
    """The ETag of `fetch_wall`, without computing the tiles.

    A file that others replace may have other tiles at the same revision.
    """
    if is_read_only(datasette):
        return (await fetch_wall(datasette, filters)).etag

    async def compute() -> CachedResponse:
        sql, params = wall_sql(filters, TIMED_SQL)
        selects = {"revision": REVISION_SQL, "tiles": sql}
        rows = await fetch_snapshot(datasette, selects, params)
        revision = int(rows["revision"][0]["revision"])
        content = _wall_version(filters, revision, rows["tiles"])
        return CachedResponse(content, revision, first_expiry(rows["tiles"]))

    return (await get_or_compute(datasette, ("wall ETag", filters), compute)).etag


def first_expiry(tiles: list[Row]) -> str | None:
    """When time alone next changes one of these tiles."""
    expiries = [tile["expires_at"] for tile in tiles if tile["expires_at"]]
    return min(expiries, default=None)


def _wall_version(filters: Filters, revision: int, tiles: list[Row]) -> bytes:
    """Everything on which the JSON of the wall depends, hashed.

    Facts that do not depend on the time have changed only if the revision has.
    """
    timed = sorted(
        [*map(str, (tile[name] for name in _TIMED_COLUMNS))]
        for tile in tiles
        if tile["is_shown"]
    )
    parts = [_WALL_FORMAT, repr(filters), revision, counts_of(tiles), timed]
    text = json.dumps(parts)
    return hashlib.sha256(text.encode()).digest()


def _checked(content: bytes) -> bytes:
    """JSON that SQLite has made; raises `UnicodeDecodeError` if it is damaged."""
    content.decode()
    return content


def _sort_key(tile: Row) -> tuple[Any, ...]:
    """Most urgent first, then the longest in that state, then by name."""
    names = (tile["repo"].lower(), tile["workflow"], tile["branch"] or "")
    return (tile["rank"], tile["since_at"] or "", *names)


def wall_json(head: dict[str, Any], tiles: list[Row]) -> bytes:
    """The JSON of rows of `wall_sql`, after the keys of `head` and the counts.

    Raises `UnicodeDecodeError` if SQLite has made damaged JSON.
    """
    head |= {"counts": counts_of(tiles)}
    # Up to a megabyte, so each piece is copied only once.
    pieces = [json.dumps(head)[:-1].encode(), b', "tiles": [']
    separator = b""
    for tile in sorted(tiles, key=_sort_key):
        if tile["is_shown"]:
            pieces += (
                separator,
                tile["tile"][:-1],
                b', "strip": ',
                tile["strip"],
                *_record(tile),
                b"}",
            )
            separator = b", "
    return _checked(b"".join((*pieces, b"]}")))


def _record(tile: Row) -> tuple[bytes, ...]:
    """The key that only tiles of a past time have."""
    if "is_recorded" not in tile.keys():  # noqa: SIM118 (a Row contains its values)
        return ()
    return (b', "is_recorded": ', b"true" if tile["is_recorded"] else b"false")


def counts_of(tiles: Sequence[Row | Mapping[str, Any]]) -> dict[str, int]:
    """How many tiles are in each state; a tile may count for up to three.

    A muted tile counts as `muted` and in the total only.
    """
    counts = dict.fromkeys(("total", "muted", *STATES), 0)
    for tile in tiles:
        if tile["muted_until"]:
            counts["total"] += 1
            counts["muted"] += 1
            continue
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
    polling = config["polling"]
    polling |= problem_of(datasette, polling["state"])
    polling |= age_of_copy(datasette, polling, config["server_time"])
    config["read_only"] = is_read_only(datasette)
    config["warnings"] += _warnings(datasette)
    return config


async def fetch_health(datasette: Datasette) -> CachedResponse:
    """`{"ok", "state", "last_success_at", "feeds", "stale_feeds", "reason", …}`.

    Raises `Unavailable` with the reason when no feed has fresh data, unless polling is
    off on purpose.
    """
    row = await fetch_row(datasette, HEALTH_SQL)
    names = ("state", "last_success_at", "feeds", "stale_feeds")
    facts = {name: row[name] for name in (*names, "reason")}
    facts |= problem_of(datasette, row["state"])
    facts |= age_of_copy(datasette, facts, row["now"])
    facts["warnings"] = json.loads(row["warnings"]) + _warnings(datasette)
    is_healthy = row["is_healthy"]
    if row["state"] == "off" and not row["feeds"] and settings_of(datasette).peers:
        is_healthy, facts["reason"] = True, "This instance only shows its peers."
    if not is_healthy:
        raise Unavailable(facts.pop("reason") or "Nothing was fetched lately.", **facts)
    return CachedResponse(
        json.dumps({"ok": True} | facts).encode(), revision=int(row["revision"])
    )


def _warnings(datasette: Datasette) -> list[str]:
    """Sentences about problems that will stop polling."""
    warning = datasette.get_database(DATABASE).disk.measure()
    return [warning] if warning else []


def problem_of(datasette: Datasette, state: str) -> dict[str, str]:
    """The one fact that ingest cannot write: that it cannot write."""
    problem = read_problem(datasette.get_database(DATABASE).path)
    if problem is None or state == "off":
        return {}
    return {"state": "stale" if state == "stale" else "failed", "reason": problem}


def wall_sql(filters: Filters, template: str = WALL_SQL) -> tuple[str, Params]:
    """The select of the tiles and its parameters.

    Without a `branch` filter it gives the tiles of the default branches.
    """
    where, params = where_sql(
        filters, branch="branch", cancel_cause="last_result_cancel_cause"
    )
    team, team_params = team_sql(filters)
    state, state_params = state_sql(filters)
    source = "wall_branches" if filters.branch else "wall"
    sql = template.format(source=source, where=f"{where} and {team}", state=state)
    return sql, params | team_params | state_params
