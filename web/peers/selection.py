"""Filters the tiles of peers by the SQL that filters those of the database."""

import sqlite3
from contextlib import closing

from ci_observer.web.api.queries import wall_sql
from ci_observer.web.columns import TILE_COLUMNS_WITHOUT_STRIP
from ci_observer.web.filters import Filters
from ci_observer.web.peers.tiles import Tile

_COLUMNS = ("position", *TILE_COLUMNS_WITHOUT_STRIP)
# Letter case of a repository does not matter, as in the database.
_DEFINITIONS = (f"{c} collate nocase" if c == "repo" else c for c in _COLUMNS)
_CREATE = f"create table tiles ({', '.join(_DEFINITIONS)})"
_INSERT = f"insert into tiles values ({', '.join(f':{c}' for c in _COLUMNS)})"  # noqa: S608 (own names)
_SELECT = "select position, {state} as is_shown from tiles where {where}"


def select_tiles(tiles: list[Tile], filters: Filters) -> tuple[list[Tile], list[Tile]]:
    """The tiles to show, and all that are counted: those of any state."""
    if not filters.names():
        return tiles, tiles
    sql, params = wall_sql(filters, _SELECT)
    rows = [{"position": number} | tile for number, tile in enumerate(tiles)]
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(_CREATE)
        db.executemany(_INSERT, rows)
        found = db.execute(sql, params).fetchall()
    return (
        [tiles[position] for position, is_shown in found if is_shown],
        [tiles[position] for position, _ in found],
    )
