"""Delta tables of a lake, read by DuckDB as an analyst would."""
# ruff: noqa: S608 (own names, and no value)

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
from sqlite_utils import Database

from ci_observer import column_kinds as kinds
from ci_observer.ingest.lake.passes import Pass, run_pass
from ci_observer.ingest.lake.place import Place
from ci_observer.ingest.lake.tables import ALL_TABLES, REVISION, SOURCE, LakeTable

TABLES = {table.name: table for table in ALL_TABLES}
Rows = list[dict[str, Any]]


def merge(db_path: Path, folder: Path) -> dict[str, tuple[int, int]]:
    """Merge a database; the inserted and updated rows of each table that changed."""
    return written(run_pass(db_path, Place(str(folder), folder=folder)))


def written(found: Pass) -> dict[str, tuple[int, int]]:
    """The inserted and updated rows of each table that changed."""
    return {
        merged.table: (merged.inserted, merged.updated)
        for merged in found.merged
        if merged.inserted or merged.updated or merged.deleted
    }


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension of DuckDB from its wheel; nothing is downloaded."""
    module = import_module(f"duckdb_extension_{name}")
    [path] = Path(str(module.__file__)).parent.rglob("*.duckdb_extension")
    connection.execute(f"load '{path}'")


class Lake:
    """A lake in a folder, in a session of DuckDB."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a select."""
        return self.connection.execute(sql).fetchall()

    def rows(self, name: str) -> Rows:
        """The rows of a table in the order of its key, without `revision`."""
        table = TABLES[name]
        # DuckDB needs pytz for times with a zone.
        values = ", ".join(
            f"epoch({column})" if table.kind(column) == kinds.TIME else column
            for column in _columns(table)
        )
        found = self.query(
            f"select {values} from delta_scan('{self.folder}/{name}')"
            f" order by {', '.join(table.key)}"
        )
        return [dict(zip(_columns(table), row, strict=True)) for row in found]

    def files(self) -> set[Path]:
        """All files of the lake."""
        return {path for path in self.folder.rglob("*") if path.is_file()}


def stored_rows(db: Database, name: str) -> Rows:
    """The rows that a table of the lake should have: times are seconds since 1970."""
    table = TABLES[name]
    values = {
        "revision": 0,
        "source": db.execute(
            "select value from instance where key = 'database_id'"
        ).fetchone()[0],
    }
    cursor = db.execute(f"{table.select_sql} from {table.from_sql}", values)
    rows = [dict(zip(table.columns, row, strict=True)) for row in cursor.fetchall()]
    typed = [
        {c: _typed(table.kind(c), row[c]) for c in _columns(table)} for row in rows
    ]
    return sorted(typed, key=lambda row: [row[column] for column in table.key])


def _columns(table: LakeTable) -> list[str]:
    return [column for column in table.columns if column not in (REVISION, SOURCE)]


def _typed(kind: str, value: Any) -> Any:
    match kind:
        case kinds.TIME if value is not None:
            return datetime.fromisoformat(value).timestamp()
        case kinds.BOOLEAN if value is not None:
            return bool(value)
    return value


@contextmanager
def reading_lake(folder: Path) -> Iterator[Lake]:
    """DuckDB with its extensions for Delta and SQLite."""
    config = {"allow_unsigned_extensions": "true", "threads": "1"}
    with duckdb.connect(config=config) as connection:
        for name in ("delta", "sqlite_scanner"):
            load_extension(connection, name)
        yield Lake(connection, folder)
