"""Fills the temporary tables with what the tiles of a past time are computed from.

Results are read from the stored table, but for branches where one of them was another
then: `schema.STORED_DECISIONS`. Statements that write are executed for all tiles at
once, which halves their overhead.
"""
# ruff: noqa: S608 (own names, and no value)

from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from ci_observer.web.past import changed_runs, needed_runs, schema
from ci_observer.web.past.conditions import BRANCH, NEWEST, TILE, UNCHANGED

Key = tuple[str, str, str]
# The key of a tile, and the time.
Params = dict[str, Any]


class PastTiles:
    """The tiles of a past time, computed on a connection that `schema` has prepared."""

    def __init__(self, conn: Connection, at: str, layout: schema.Layout) -> None:
        self._conn = conn
        self._at = at
        self._layout = layout
        self._runs = ", ".join(layout.runs)
        past = changed_runs.PAST_VALUES
        self._copy_changed = changed_runs.COPY_CHANGED_RUNS.format(
            columns=self._runs,
            values=", ".join(past.get(name, f"r.{name}") for name in layout.runs),
        )

    def compute(self, keys: Iterable[Key]) -> None:
        """Fill `tiles` with the rows of these branches."""
        names = ("repo", "workflow", "branch", "at")
        tiles = [dict(zip(names, (*key, self._at), strict=True)) for key in keys]
        self._for_all(changed_runs.CHANGED_RUNS, tiles)
        _, tiles = self._split(tiles, changed_runs.IS_KEPT)
        for forget in changed_runs.FORGET:
            self._for_all(forget, tiles)
        self._for_all(changed_runs.OPEN_ATTEMPTS, tiles)
        self._for_all(self._copy_changed, tiles)
        tiles, _ = self._split(tiles, changed_runs.HAS_TILE)
        present, past = self._split(tiles, changed_runs.IS_PRESENT)
        self._copy_tiles(present)
        has_other_result = f"select 1 {changed_runs.RESULTS} limit 1"
        others, usual = self._split(past, has_other_result)
        self._compute_tiles(usual)
        if others:
            schema.copy_decisions(self._conn)
            self._copy_decisions(others)
            self._compute_tiles(others)
            schema.restore_decisions(self._conn)

    def add_runs(self, ids_sql: str, tiles: Sequence[Params]) -> None:
        """Copy the runs, of any branch, whose ids a select gives for each tile."""
        self._for_all(
            f"insert or ignore into runs ({self._runs})"
            f" select {self._runs} from main.runs"
            f" where run_id in ({ids_sql}) and created_at <= :at and {UNCHANGED}",
            tiles,
        )

    def _for_all(self, sql: str, tiles: Sequence[Params]) -> None:
        self._conn.executemany(sql, tiles)

    def _split(
        self, tiles: Sequence[Params], sql: str
    ) -> tuple[list[Params], list[Params]]:
        """The tiles for which a select has a row, and the others."""
        cursor = self._conn.cursor()
        found: tuple[list[Params], list[Params]] = ([], [])
        for params in tiles:
            found[cursor.execute(sql, params).fetchone() is None].append(params)
        return found

    def _copy_tiles(self, tiles: Sequence[Params]) -> None:
        columns = ", ".join(self._layout.tiles)
        self._for_all(
            f"insert into tiles ({columns})"
            f" select {columns} from main.tiles where {TILE}",
            tiles,
        )
        self.add_runs(needed_runs.RUNS_OF_TILE, tiles)

    def _copy_decisions(self, tiles: Sequence[Params]) -> None:
        columns = ", ".join(self._layout.decisions)
        insert = f"insert into decisions ({columns}) select {columns}"
        self._for_all(
            f"{insert} from main.decisions"
            f" where {TILE} and created_at <= :at and {UNCHANGED}",
            tiles,
        )
        self._for_all(f"{insert} {changed_runs.RESULTS}", tiles)

    def _compute_tiles(self, tiles: Sequence[Params]) -> None:
        self._copy_newest_runs(tiles)
        self.add_runs(needed_runs.OTHER_RUNS, tiles)
        with_failures, _ = self._split(tiles, needed_runs.HAS_FAILED_AT_ONCE)
        self._for_all(needed_runs.BRANCH_EVENTS, with_failures)
        self._for_all(
            "insert into tiles (repo, workflow, branch)"
            " values (:repo, :workflow, :branch)",
            tiles,
        )
        for view in self._layout.kept:
            self._for_all(
                f"insert into {view} select * from {schema.PREFIX}{view} where {TILE}",
                tiles,
            )
            if view == "tile_red_spans":
                self.add_runs(needed_runs.RUNS_OF_SPAN, tiles)
        columns = ", ".join(self._layout.facts)
        self._for_all(
            f"insert or replace into tiles ({columns})"
            f" select {columns} from tile_facts where {TILE}",
            tiles,
        )

    def _copy_newest_runs(self, tiles: Sequence[Params]) -> None:
        self._for_all(
            f"insert or ignore into runs ({self._runs})"
            f" select {self._runs} from main.branch_runs"
            f" where {BRANCH} and {UNCHANGED} {NEWEST} :limit",
            [params | {"limit": self._limit(params)} for params in tiles],
        )

    def _limit(self, params: Params) -> int:
        """How many of the newest runs of a tile its numbers can depend on."""
        limit = needed_runs.FIRST_LIMIT
        while True:
            newest = self._conn.execute(
                needed_runs.NEWEST_RUNS, params | {"limit": limit}
            ).fetchall()
            if len(newest) < limit or needed_runs.are_enough(newest):
                return limit
            limit *= 4
