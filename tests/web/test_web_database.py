"""A database that cannot be read: every route responds with 503 and advice."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database
from web_client import get_error, get_json, serving

from ci_observer.ingest.db import schema
from ci_observer.web.database import DATABASE, fetch_rows, fetch_snapshot
from ci_observer.web.errors import Unavailable

ROUTES = (
    "/api/runs",
    "/api/runs.csv",
    "/api/runs.ndjson",
    "/api/wall",
    "/api/filters",
    "/api/config",
    "/api/health",
)


async def errors(db_path: Path) -> set[tuple[int, str]]:
    """The statuses and messages of all routes."""
    async with serving(db_path) as datasette:
        return {await get_error(datasette, path) for path in ROUTES}


@pytest.mark.asyncio
async def test_a_missing_database_is_503(tmp_path: Path) -> None:
    [(status, error)] = await errors(tmp_path / "none.db")

    assert status == 503
    assert f"There is no readable database at {tmp_path / 'none.db'}." in error
    assert not (tmp_path / "none.db").exists()


@pytest.mark.asyncio
async def test_a_file_that_is_no_database_is_503(db_path: Path) -> None:
    db_path.write_text("This is no database. " * 100)
    [(status, error)] = await errors(db_path)

    assert status == 503
    assert "is not an SQLite database" in error


@pytest.mark.asyncio
async def test_an_empty_file_says_to_migrate(db_path: Path) -> None:
    db_path.touch()
    [(status, error)] = await errors(db_path)

    assert status == 503
    assert "Run ci-observer migrate." in error


@pytest.mark.asyncio
async def test_a_damaged_database_is_503(db_path: Path, db: Database) -> None:
    db.execute("pragma wal_checkpoint(truncate)").fetchall()
    content = bytearray(db_path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    db_path.write_bytes(content)
    [(status, error)] = await errors(db_path)

    assert status == 503
    assert "is damaged. Restore a backup" in error


@pytest.mark.asyncio
async def test_a_locked_database_is_503(
    db_path: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_observer.web.database.BUSY_SECONDS", 0)
    db.execute("pragma journal_mode = delete").fetchall()
    holder = sqlite3.connect(db_path)
    holder.execute("begin exclusive")
    async with serving(db_path) as datasette:
        status, error = await get_error(datasette, "/api/runs")
        holder.close()
        answer = await get_json(datasette, "/api/runs")

    assert status == 503
    assert "is locked by another program" in error
    assert answer["runs"] == []


NEVER_ENDING = """
with recursive n (n) as (select 1 union all select n + 1 from n) select count(*) from n
"""


@pytest.mark.asyncio
async def test_a_slow_query_says_to_narrow_the_selection(
    db_path: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_observer.web.database.INLINE_SECONDS", 0.01)
    monkeypatch.setattr("ci_observer.web.database.TIME_LIMIT_SECONDS", 0.01)
    async with serving(db_path) as datasette:
        with pytest.raises(Unavailable, match="Narrow the selection"):
            await fetch_rows(datasette, NEVER_ENDING)


@pytest.mark.asyncio
async def test_a_database_works_as_soon_as_it_exists(db_path: Path) -> None:
    async with serving(db_path) as datasette:
        status, _ = await get_error(datasette, "/api/runs")
        await asyncio.to_thread(_make_database, db_path)
        answer = await get_json(datasette, "/api/runs")

    assert (status, answer["runs"]) == (503, [])


def _make_database(db_path: Path) -> None:
    db = schema.connect(db_path)
    schema.migrate(db)
    db.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["a?mode=rwc.db", "50%20 off#1.db"])
async def test_any_path_can_be_opened(tmp_path: Path, name: str) -> None:
    _make_database(tmp_path / name)
    async with serving(tmp_path / name) as datasette:
        answer = await get_json(datasette, "/api/config")

    assert answer["title"] == "CI Observer"


@pytest.mark.asyncio
async def test_nothing_can_be_written(db_path: Path, db: Database) -> None:
    async with serving(db_path) as datasette:
        database = datasette.get_database(DATABASE)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await database.execute("delete from instance", log_sql_errors=False)
        with pytest.raises(Unavailable, match="only reads"):
            database.connect(write=True)


@pytest.mark.asyncio
async def test_a_snapshot_is_of_one_moment(
    db: Database, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = "select count(*) as n from instance"
    selects = {"first": counting, "second": f"{counting} -- again", "third": counting}

    def write(statement: str) -> None:
        if statement.endswith("again"):
            with sqlite3.connect(db_path) as conn:
                conn.execute("insert into instance values ('new', '1')")
            conn.close()

    async with serving(db_path) as datasette:
        database = datasette.get_database(DATABASE)
        connect = database.connect

        def traced(write_: bool = False) -> sqlite3.Connection:
            conn: sqlite3.Connection = connect(write_)
            conn.set_trace_callback(write)
            return conn

        monkeypatch.setattr(database, "connect", traced)
        rows = await fetch_snapshot(datasette, selects)
        [later] = await fetch_rows(datasette, counting)

    [first], [second], [third] = (rows[name] for name in selects)
    assert first["n"] == second["n"] == third["n"] == later["n"] - 1
