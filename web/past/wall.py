"""The wall of a past time: `/api/wall?at=TIME`.

The stored views of the wall compute it, on a connection where the archive is as it was:
`as_of.sql`. At one revision a past wall never changes.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from sqlite3 import Connection, Row
from typing import Any
from zoneinfo import ZoneInfo

from datasette.app import Datasette

from ci_observer.web.api import queries
from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.database import fetch_past, fetch_row
from ci_observer.web.errors import BadRequest
from ci_observer.web.filters import Filters
from ci_observer.web.pages.times import zone_of
from ci_observer.web.past import feeds, schema
from ci_observer.web.past.tiles import Key, PastTiles

NOW_SQL = "select now, (select timezone from settings) as timezone from clock"
# What the tables are filled with is an attribute of the connection.
FILLED = "past_wall"
# The tables that a new time empties. Of `tiles` and `runs`, the rows of branches where
# nothing happened between the two times are kept.
TABLES = (
    *("past_time", "past_states", "past_runs", "open_attempts"),
    *sorted(set(schema.FILLED) - {"tiles", "runs"}),
    *sorted(schema.KEPT),
)
KEEP_TILES_SQL = """
insert into kept_tiles
select t.repo, t.workflow, t.branch from temp.tiles t
where t.newest_run_id is not null
  and not exists (
    select 1 from past_runs p
    where p.repo = t.repo and p.workflow = t.workflow and p.branch = t.branch
  )
  and not exists (
    select 1 from main.runs r
    where r.repo = t.repo and r.workflow = t.workflow and r.tile_branch = t.branch
      and r.created_at > :from and r.created_at <= :to
  )
"""
# The default branches, those that the settings choose, and those that the URL names. A
# feed without a run on its default branch follows its tags.
_DEFAULT_KEYS = """
select f.repo, f.workflow, t.branch
from feeds f
join main.tiles t
  on t.repo = f.repo and t.workflow = f.workflow and t.branch = f.default_branch
"""
_TAG_KEYS = """
select f.repo, f.workflow, t.branch
from feeds f
join main.tiles t
  on t.repo = f.repo and t.workflow = f.workflow and t.branch = 'refs/tags'
where f.default_branch is not 'refs/tags' and (:every or not exists (
  select 1 from tiles d
  where d.repo = f.repo and d.workflow = f.workflow and d.branch = f.default_branch
    and d.newest_run_id is not null
))
"""
_CHOSEN_KEYS = """
select f.repo, f.workflow, c.branch
from feeds f
join main.chosen_tiles c on c.repo = f.repo and c.workflow = f.workflow
where c.branch is not f.default_branch
"""
_NAMED_KEYS = """
select f.repo, f.workflow, t.branch
from feeds f
join main.tiles t
  on t.repo = f.repo and t.workflow = f.workflow and t.branch = :branch
where t.branch <> 'refs/tags' and f.default_branch is not t.branch
"""
# A tile without any run says why: for that, one run of the feed and one other branch.
_EMPTY_FEEDS = """
select f.repo, f.workflow from feeds f
where not exists (
  select 1 from tiles t
  where t.repo = f.repo and t.workflow = f.workflow and t.newest_run_id is not null
)
"""
_ANY_RUN = """
select * from (
  select run_id from main.runs
  where repo = :repo and workflow = :workflow
    and started_at <= :at and created_at <= :at limit 1
)
union all
select * from (
  select run_id from main.late_runs
  where repo = :repo and workflow = :workflow and created_at <= :at limit 1
)
limit 1
"""
_ANY_BRANCH = """
insert or ignore into tiles (repo, workflow, branch)
select t.repo, t.workflow, t.branch from main.tiles t
where t.repo = :repo and t.workflow = :workflow and exists (
  select 1 from main.branch_runs b
  where b.repo = t.repo and b.workflow = t.workflow and b.tile_branch = t.branch
    and b.created_at <= :at
)
limit 1
"""
# Whether the states of a tile's feed are recorded for the time.
WITH_RECORD = """
select w.*, (
  select s.is_recorded from past_states s
  where s.repo = w.repo and s.workflow = w.workflow
) as is_recorded
from ({sql}) w
"""
FACTS_SQL = """
select
  (select value from main.instance where key = 'revision') as revision,
  (select min(started_at) from main.runs) as archive_since,
  (select min(from_at) from main.feed_states) as recorded_since
"""

# The changes of these feeds' states next to the time. Spans may lie in the future.
CHANGES_SQL = """
select
  (
    select max((
      select max(s.from_at) from main.state_spans s
      where s.repo = f.repo and s.workflow = f.workflow and s.from_at < :at
    )) from feeds f
  ) as previous_change_at,
  (
    select min((
      select min(s.from_at) from main.state_spans s
      where s.repo = f.repo and s.workflow = f.workflow and s.from_at > :at
        and s.from_at <= (select now from main.clock)
    )) from feeds f
  ) as next_change_at
"""


async def past_time(datasette: Datasette, at: str, zone: ZoneInfo | None = None) -> str:
    """A time of `Filters.at` in UTC, with the zone of the settings if it has none.

    Raises `BadRequest` if it lies in the future.
    """
    row = await fetch_row(datasette, NOW_SQL)
    if not at.endswith("Z"):
        zone = zone or zone_of(row["timezone"]) or ZoneInfo("UTC")
        try:
            local = datetime.fromisoformat(at).replace(tzinfo=zone)
            at = f"{local.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
        except OverflowError:
            raise BadRequest(f"at={at} is not a time of any archive.") from None
    if at > row["now"]:
        raise BadRequest(
            f"at={at} lies in the future: it is {row['now']}. Write an earlier time."
        )
    return at


async def fetch_past_wall(datasette: Datasette, filters: Filters) -> CachedResponse:
    """The wall at `filters.at`, as `queries.fetch_wall` gives that of now.

    The JSON has `at`, `archive_since` and `recorded_since`, too, and each tile has
    `is_recorded`. Raises `BadRequest` for a time in the future.
    """
    at = await past_time(datasette, str(filters.at))
    filters = replace(filters, at=at)
    selection = replace(filters, at=None)

    async def compute() -> CachedResponse:
        sql, params = queries.wall_sql(selection)
        sql = WITH_RECORD.format(sql=sql)
        facts, changes, tiles = await fetch_past(
            datasette, lambda conn: _select(conn, at, filters.branch, sql, params)
        )
        head = {
            "ok": True,
            "revision": int(facts["revision"]),
            "at": at,
            "archive_since": facts["archive_since"],
            "recorded_since": facts["recorded_since"],
            "previous_change_at": changes[0],
            "next_change_at": changes[1],
        }
        content = queries.wall_json(head, tiles)
        return CachedResponse(content, int(facts["revision"]))

    return await get_or_compute(datasette, ("past wall", filters), compute)


def _select(
    conn: Connection, at: str, branches: Sequence[str], sql: str, params: Any
) -> tuple[Row, Row, list[Row]]:
    fill(conn, at, branches)
    facts = conn.execute(FACTS_SQL).fetchone()
    changes = conn.execute(CHANGES_SQL, {"at": at}).fetchone()
    return facts, changes, conn.execute(sql, params).fetchall()


def fill(conn: Connection, at: str, branches: Sequence[str] = ()) -> None:
    """Fill the temporary tables of a connection with the wall of a time.

    They stay filled until another time, or other branches, or a change of the database.
    Within the caller's transaction, which is then to be committed.
    """
    revision, _, _ = conn.execute(FACTS_SQL).fetchone()
    [version] = conn.execute("pragma main.schema_version").fetchone()
    before = getattr(conn, FILLED, None)
    wanted = (version, revision, at, tuple(branches))
    if before is not None and before[1:] == wanted:
        return
    setattr(conn, FILLED, None)
    if before is not None and before[1] == version:
        layout = before[0]
    else:
        schema.drop(conn)
        layout = schema.create(conn)
    if before is not None and (*before[1:3], before[4]) == (*wanted[:2], wanted[3]):
        span = {"from": min(at, before[3]), "to": max(at, before[3])}
        conn.execute(KEEP_TILES_SQL, span)
    for table in TABLES:
        conn.execute(f"delete from temp.{table}")  # noqa: S608 (own names)
    _forget_tiles(conn)
    conn.execute("insert into past_time values (?)", [at])
    feeds.fill(conn, at)
    _fill_tiles(conn, PastTiles(conn, at, layout), at, branches)
    setattr(conn, FILLED, (layout, *wanted))


def _forget_tiles(conn: Connection) -> None:
    """Delete the tiles and their runs, but for those that are kept."""
    if conn.execute("select 1 from kept_tiles limit 1").fetchone():
        for table, branch in (("runs", "tile_branch"), ("tiles", "branch")):
            conn.execute(
                f"delete from temp.{table} where (repo, workflow, {branch})"  # noqa: S608
                " not in (select repo, workflow, branch from kept_tiles)"
            )
        conn.execute("delete from kept_tiles")
    else:
        # Without a condition, SQLite deletes no single rows.
        conn.execute("delete from temp.runs")
        conn.execute("delete from temp.tiles")


def _fill_tiles(
    conn: Connection, tiles: PastTiles, at: str, branches: Sequence[str]
) -> None:
    keys = _keys(conn, _DEFAULT_KEYS) + _keys(conn, _CHOSEN_KEYS)
    for branch in branches:
        keys += _keys(conn, _NAMED_KEYS, branch=branch)
    tiles.compute(dict.fromkeys(keys))
    tiles.compute(_keys(conn, _TAG_KEYS, every=bool(branches)))
    tiles.add_runs("select blocked_run_id from repos", [{"at": at}])
    for repo, workflow in conn.execute(_EMPTY_FEEDS).fetchall():
        params = {"repo": repo, "workflow": workflow, "at": at}
        tiles.add_runs(_ANY_RUN, [params])
        conn.execute(_ANY_BRANCH, params)


def _keys(conn: Connection, sql: str, **params: Any) -> list[Key]:
    return [(row[0], row[1], row[2]) for row in conn.execute(sql, params).fetchall()]
