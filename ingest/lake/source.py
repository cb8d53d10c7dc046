"""Reads the database: the changed runs, and rows by ranges of runs.

A read never lasts longer than a chunk: a long one would keep the writer from emptying
its write-ahead log.
"""
# ruff: noqa: S608 (own names, and no value)

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from arro3.core import RecordBatch, Table
from sqlite_utils import Database

from ci_observer.ingest.errors import DatabaseError
from ci_observer.ingest.lake.arrow import batch_of, plain_schema
from ci_observer.ingest.lake.tables import MONTH, LakeTable
from ci_observer.ingest.lake.watermark import Watermark

# Rows that are converted at once: as Python's objects they are ten times as large.
BATCH = 5_000
# Before a table: SQLite starts with the changed runs and looks up their rows.
CHANGED = "temp.changed_runs c cross join"


@dataclass(frozen=True)
class Rows:
    """Typed rows of a range of runs up to `last_run_id`; None of all that are left."""

    data: Table | None
    last_run_id: int | None
    months: frozenset[str]

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.data.num_rows if self.data else 0


class Source:
    """A database that is open for reading.

    Raises `DatabaseError` if an older version has written it last.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        db.execute("pragma temp_store = memory")
        try:
            [[self.database_id]] = db.execute(
                "select value from instance, (select count(*) from run_changes)"
                " where key = 'database_id'"
            )
        except (sqlite3.OperationalError, ValueError):
            raise DatabaseError(
                "The database has no log of changes yet, which the lake needs. Bring it"
                " up to date with ci-observer migrate, or start the new version of"
                " ci-observer up; a replica gets it from there."
            ) from None

    def newest(self) -> Watermark:
        """The end of the log of changes, and the revision."""
        [[change_id, nonce, revision]] = self._db.execute(
            "select coalesce(max(change_id), 0), coalesce(nonce, 0),"
            " (select cast(value as integer) from instance where key = 'revision')"
            " from run_changes"
        )
        return Watermark(change_id, nonce, revision)

    def has(self, mark: Watermark) -> bool:
        """Whether all changes since this mark are in the log.

        Not so after a backup of before was restored, or if too much has changed.
        """
        if mark.change_id == 0:
            [[first]] = self._db.execute("select min(change_id) from run_changes")
            return first in (None, 1)
        found = self._db.execute(
            "select 1 from run_changes where change_id = ? and nonce = ?",
            [mark.change_id, mark.nonce],
        )
        return found.fetchone() is not None

    def former_ids(self) -> list[str]:
        """The ids of the databases that `ci-observer reshard` made this one of."""
        [[text]] = self._db.execute(
            "select coalesce(max(value), '[]') from instance"
            " where key = 'former_database_ids'"
        )
        return [str(former) for former in json.loads(text)]

    def repos(self) -> list[str]:
        """The repositories that are or were watched."""
        return [repo for [repo] in self._db.execute("select distinct repo from feeds")]

    def count_rows(self, table: LakeTable) -> int:
        """The number of rows, from an index."""
        [[count]] = self._db.execute(f"select count(*) from {table.described_as}")
        return int(count)

    def all_rows(self, table: LakeTable, *, after: int, limit: int) -> Rows:
        """About `limit` rows of the runs with ids above `after`."""
        return self._read(table, "x", "", after=after, limit=limit)

    @contextmanager
    def changed_runs(self, since: Watermark, until: Watermark) -> Iterator[None]:
        """Within it, `changed_rows` has the runs that changed between two marks."""
        self._db.execute("create temp table changed_runs (run_id integer primary key)")
        try:
            self._db.execute(
                "insert or ignore into changed_runs select run_id from run_changes"
                " where change_id > ? and change_id <= ?",
                [since.change_id, until.change_id],
            )
            self._db.conn.commit()
            yield
        finally:
            self._db.conn.rollback()
            self._db.execute("drop table temp.changed_runs")

    def changed_rows(self, table: LakeTable, *, after: int, limit: int) -> Rows:
        """About `limit` rows of the changed runs with ids above `after`."""
        return self._read(table, "c", CHANGED, after=after, limit=limit)

    def tiles(self, table: LakeTable) -> Table:
        """The tiles of the wall."""
        data, _ = self._fetch(table, f"{table.select_sql} from {table.from_sql}", {})
        return data or Table.from_batches([], schema=plain_schema(table))

    def _read(
        self, table: LakeTable, by: str, joined: str, *, after: int, limit: int
    ) -> Rows:
        """Read in the order of the ids of the runs in `by`, an alias."""
        [[last, count]] = self._db.execute(
            f"select max(run_id), count(*) from (select {by}.run_id"
            f" from {joined} {table.described_as} x"
            f" where {by}.run_id > ?{' and x.run_id = c.run_id' if joined else ''}"
            f" order by {by}.run_id limit ?)",
            [after, limit],
        )
        data, months = self._fetch(
            table,
            f"{table.select_sql} from {joined} {table.from_sql}"
            f" where {by}.run_id > :after and {by}.run_id <= :last"
            f"{' and x.run_id = c.run_id' if joined else ''} order by {by}.run_id",
            {"after": after, "last": after if last is None else last},
        )
        return Rows(data, None if count < limit else last, months)

    def _fetch(
        self, table: LakeTable, sql: str, params: dict[str, Any]
    ) -> tuple[Table | None, frozenset[str]]:
        """The rows of a statement, and their months."""
        try:
            return self._fetch_batches(table, sql, params)
        except sqlite3.OperationalError as error:
            if not str(error).startswith("Could not decode"):
                raise
        # A user has written a text that is not UTF-8. From here on, reading is slower.
        self._db.conn.text_factory = lambda text: str(text, "utf-8", "replace")
        return self._fetch_batches(table, sql, params)

    def _fetch_batches(
        self, table: LakeTable, sql: str, params: dict[str, Any]
    ) -> tuple[Table | None, frozenset[str]]:
        batches: list[RecordBatch] = []
        months: set[str] = set()
        place = table.columns.index(MONTH) if table.partition else None
        values = {
            **params,
            "revision": self.newest().revision,
            "source": self.database_id,
        }
        cursor = self._db.execute(sql, values)
        while rows := cursor.fetchmany(BATCH):
            batches.append(batch_of(table, rows))
            if place is not None:
                months.update(row[place] for row in rows)
        if not batches:
            return None, frozenset()
        return Table.from_batches(batches), frozenset(months)
