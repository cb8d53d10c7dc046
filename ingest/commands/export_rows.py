"""The rows of an export: the view `run_history` in the order of an index.

`runs` is the outer loop, so that SQLite reads the index by time from its start to its
end, and the first row is there at once. A sort would read all rows before.
"""
# ruff: noqa: S608 (own names, and no value)

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlite_utils import Database

INDEX = "runs_started"
# Rows that are read and written at once.
CHUNK = 500

# GitHub's object belongs to the latest attempt of a run.
_PAYLOAD = "left join runs_full p on p.run_id = h.run_id and h.is_latest_attempt"


@dataclass(frozen=True)
class Selection:
    """The runs to export, by repository and by the start of their latest attempt.

    `since` and `until` are UTC texts as in the database, both included.
    """

    repos: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def where_sql(self) -> tuple[str, list[str]]:
        """The condition on `runs` as `r`, and its parameters."""
        conditions, params = ["true"], list(self.repos)
        if self.repos:
            conditions.append(f"r.repo in ({', '.join('?' * len(self.repos))})")
        if self.since:
            conditions.append("r.started_at >= ?")
            params.append(self.since)
        if self.until:
            conditions.append("r.started_at <= ?")
            params.append(self.until)
        return " and ".join(conditions), params

    def count_runs(self, db: Database) -> int:
        """The number of runs, by the index only: 0.1 s for a million."""
        where, params = self.where_sql()
        [[count]] = db.execute(
            f"select count(*) from runs r indexed by {INDEX} where {where}", params
        )
        return int(count)


@contextmanager
def snapshot(db: Database) -> Iterator[None]:
    """All reads within it see one state of the database."""
    db.execute("begin")
    try:
        yield
    finally:
        db.execute("rollback")


def columns_of(db: Database) -> dict[str, str]:
    """The columns of `run_history` with their declared types."""
    return {
        row[1]: str(row[2]).lower()
        for row in db.execute("pragma table_info(run_history)")
    }


def cursor_of_rows(db: Database, selection: Selection, *, raw: bool) -> sqlite3.Cursor:
    """The rows of a selection; with `raw`, a run's latest attempt has `raw_json`."""
    columns = f"h.* {', p.raw_json' if raw else ''}"
    return select(db, columns, selection, join=_PAYLOAD if raw else "")


def select(
    db: Database, columns: str, selection: Selection, *, join: str = ""
) -> sqlite3.Cursor:
    """Select `columns` of `run_history` as `h`, oldest first."""
    where, params = selection.where_sql()
    order = [row[2] for row in db.execute(f"pragma index_info({INDEX})")]
    by_index = ", ".join(f"r.{column}" for column in dict.fromkeys([*order, "run_id"]))
    return db.execute(
        f"select {columns} from runs r indexed by {INDEX}"
        f" cross join run_history h using (run_id) {join}"
        f" where {where} order by {by_index}, h.run_attempt",
        params,
    )
