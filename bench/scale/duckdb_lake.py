"""The lake in DuckDB, by its extension for Delta."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import duckdb_extension_delta

EXTENSIONS = Path(duckdb_extension_delta.__file__).parent / "extensions"


@contextmanager
def connect_lake(lake: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the view `runs`, as the questions need it."""
    [extension] = EXTENSIONS.rglob("delta.duckdb_extension")
    with duckdb.connect() as conn:
        conn.execute(f"load '{extension}'")
        conn.execute("set timezone = 'UTC'")
        # A view cannot have parameters.
        uri = str(lake / "runs").replace("'", "''")
        conn.execute(f"create view runs as select * from delta_scan('{uri}')")  # noqa: S608
        yield conn
