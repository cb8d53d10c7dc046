"""Delta tables of a lake, read by DuckDB as an analyst would."""
# ruff: noqa: S608 (own names, and no value)

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb

from ci_observer.ingest.lake.tables import ALL_TABLES, LakeTable

TABLES = {table.name: table for table in ALL_TABLES}


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension of DuckDB from its wheel; nothing is downloaded."""
    module = import_module(f"duckdb_extension_{name}")
    [path] = Path(str(module.__file__)).parent.rglob("*.duckdb_extension")
    connection.execute(f"load '{path}'")


class Lake:
    """A lake and the database that it is from, in one session of DuckDB."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, uri: str, db_path: Path
    ) -> None:
        self._connection = connection
        self.uri = uri
        self._db_path = db_path

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a select, in which `{lake}` and `{db}` are the addresses."""
        filled = sql.format(lake=self.uri, db=self._db_path)
        return self._connection.execute(filled).fetchall()

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table in the order of its key, without `revision`."""
        table = TABLES[name]
        columns = [column for column in table.columns if column != "revision"]
        found = self.query(
            f"select {', '.join(columns)} from delta_scan('{{lake}}/{name}')"
            f" order by {', '.join(table.key)}"
        )
        return [dict(zip(columns, row, strict=True)) for row in found]

    def table(self, name: str) -> LakeTable:
        """What is known about a table."""
        return TABLES[name]


@contextmanager
def reading_lake(uri: str, db_path: Path) -> Iterator[Lake]:
    """DuckDB with its extensions for Delta and SQLite."""
    config = {"allow_unsigned_extensions": "true", "threads": "1"}
    with duckdb.connect(config=config) as connection:
        for name in ("delta", "sqlite_scanner"):
            load_extension(connection, name)
        connection.execute("set timezone = 'UTC'")
        yield Lake(connection, uri, db_path)
