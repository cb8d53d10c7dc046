"""Every select of the web side, and the answers made of them.

The JSON is built inside SQLite, in one statement per answer: all of it is read at one
revision, and Python never handles single rows.
"""

import json
from typing import Any

from datasette.app import Datasette

from web.cache import Answer, reuse
from web.columns import FILTER_COLUMNS, TILE_COLUMNS, json_object_sql, run_columns
from web.cursors import decode_cursor, encode_cursor
from web.database import Params, fetch_row
from web.errors import Unavailable
from web.filters import STATES, Filters

# The page of keys comes first: an index holds them, and a row is read only when shown.
RUNS_SQL = """
with page as materialized (
  select run_id, started_at from runs
  where {where}
  order by started_at desc, run_id desc limit :limit + 1
),
shown as (
  select {columns} from page cross join {source} using (run_id)
  order by page.started_at desc, run_id desc limit :limit
)
select
  (select value from instance where key = 'revision') as revision,
  (select json_group_array({json_object}) from shown) as runs,
  (
    select json_array(started_at, run_id) from page
    where (select count(*) from page) > :limit limit 1 offset :limit - 1
  ) as next
"""

WALL_SQL = f"""
with tiles as materialized (select * from {{source}} where {{where}}),
words as (
  select tile_state as word from tiles
  union all
  select activity from tiles where activity is not null
  union all
  select alarm from tiles where alarm <> tile_state
)
select
  (select value from instance where key = 'revision') as revision,
  (select min(flips_at) from tiles) as flips_at,
  (select count(*) from tiles) as total,
  (
    select json_group_object(word, number)
    from (select word, count(*) as number from words group by word)
  ) as counts,
  (
    select json_group_array({json_object_sql(TILE_COLUMNS)})
    from (
      select * from tiles where {{state}}
      order by rank, since_at, repo, workflow, branch
    )
  ) as tiles
"""  # noqa: S608 (own names)

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

_VALUES_SQL = """
(
  select json_group_array(json_object('value', value, 'count', number)) from (
    select {column} as value, count(*) as number from runs
    where {column} is not null
    group by {column} order by number desc, value limit 1000
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
        sql, params = runs_sql(filters)
        row = await fetch_row(datasette, sql, params | {"limit": filters.limit})
        cursor = None if row["next"] is None else encode_cursor(row["next"])
        return Answer(
            f'{{"ok": true, "revision": {row["revision"]}, "runs": {row["runs"]}, '
            f'"next": {json.dumps(cursor)}}}',
            revision=int(row["revision"]),
        )

    return await reuse(datasette, ("runs", filters), compute)


async def fetch_wall(datasette: Datasette, filters: Filters) -> Answer:
    """The tiles, and how many there are of each state."""

    async def compute() -> Answer:
        sql, params = wall_sql(filters)
        row = await fetch_row(datasette, sql, params)
        counts = dict.fromkeys(("total", *STATES), 0)
        counts |= json.loads(row["counts"]) | {"total": row["total"]}
        return Answer(
            f'{{"ok": true, "revision": {row["revision"]}, '
            f'"counts": {json.dumps(counts)}, "tiles": {row["tiles"]}}}',
            revision=int(row["revision"]),
            flips_at=row["flips_at"],
        )

    return await reuse(datasette, ("wall", filters), compute)


async def fetch_filters(datasette: Datasette) -> Answer:
    """What the runs can be filtered by, and how many runs have each value."""

    async def compute() -> Answer:
        row = await fetch_row(datasette, FILTERS_SQL)
        values = ", ".join(f'"{name}": {row[name]}' for name in FILTER_COLUMNS)
        return Answer(
            f'{{"ok": true, "revision": {row["revision"]}, {values}}}',
            revision=int(row["revision"]),
        )

    return await reuse(datasette, "filters", compute)


async def fetch_config(
    datasette: Datasette, filters: Filters = Filters()  # noqa: B008
) -> dict[str, Any]:
    """The public settings and how polling goes; never a secret."""
    wall = await fetch_wall(datasette, filters)
    row = await fetch_row(datasette, CONFIG_SQL)
    config: dict[str, Any] = {"ok": True} | json.loads(row["config"])
    config["wall_etag"] = wall.etag
    return config


async def fetch_health(datasette: Datasette) -> Answer:
    """That the data are fresh, or off on purpose; else raise `Unavailable`."""
    row = await fetch_row(datasette, HEALTH_SQL)
    facts = {name: row[name] for name in ("state", "last_success_at")}
    if not row["is_healthy"]:
        raise Unavailable(row["reason"] or "Nothing was fetched lately.", **facts)
    return Answer(
        json.dumps({"ok": True} | facts | {"reason": row["reason"]}),
        revision=int(row["revision"]),
    )


def runs_sql(filters: Filters) -> tuple[str, Params]:
    """The select of one page of runs; the limit is the caller's parameter."""
    where, params = filters.where_sql()
    if filters.cursor:
        where += " and (started_at, run_id) < (:cursor_at, :cursor_id)"
        cursor_at, cursor_id = decode_cursor(filters.cursor)
        params = params | {"cursor_at": cursor_at, "cursor_id": cursor_id}
    columns = run_columns(raw=filters.raw)
    source = "runs_full" if filters.raw else "runs"
    sql = RUNS_SQL.format(
        where=where,
        source=source,
        columns=", ".join(f"{source}.{name}" for name in columns),
        json_object=json_object_sql(columns),
    )
    return sql, params


def wall_sql(filters: Filters) -> tuple[str, Params]:
    """The select of the tiles, of the default branches unless others are named."""
    where, params = filters.where_sql(branch="branch")
    state, state_params = filters.state_sql()
    source = "wall_branches" if filters.branch else "wall"
    sql = WALL_SQL.format(source=source, where=where, state=state)
    return sql, params | state_params
