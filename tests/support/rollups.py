"""Compares the rollups with the views that define them."""

from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.db.rollups import TABLES
from ci_observer.ingest.store import rollups


def differing_rows(db: Database) -> dict[str, list[Any]]:
    """The rows that only a table or only its view has, by the table's name."""
    pairs = [(table, f"counted_{table}") for table in TABLES]
    pairs.append(("default_branches", "feed_default_branches"))
    return {
        table: rows for table, view in pairs if (rows := _differing(db, table, view))
    }


def _differing(db: Database, table: str, view: str) -> list[Any]:
    # The letter case of a repository does not matter, as in `except`.
    names = ", ".join(db[table].columns_dict)
    return db.execute(
        f"with counted as materialized (select {names} from {view})"  # noqa: S608
        f" select * from (select * from {table} except select * from counted)"
        f" union all"
        f" select * from (select * from counted except select * from {table})"
    ).fetchall()


def is_complete(db: Database) -> bool:
    """Whether all runs are in the rollups."""
    return rollups.progress(db).is_complete


def build_all(db: Database, limit: int = 100) -> None:
    """Add all runs to the rollups, some in each transaction."""
    while rollups.build(db, limit):
        pass
