"""A database that cannot be read: every route responds with 503 and advice."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from archive import NOW, save_runs, set_clock, watch
from factories import run_payload
from sqlite_utils import Database
from web_client import get_error, get_json, serving

from ci_observer.ingest.db import schema
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.store import instance
from ci_observer.web.database import DATABASE, fetch_rows, fetch_snapshot
from ci_observer.web.database_file import DatabaseFile
from ci_observer.web.errors import BadRequest, Unavailable

ROUTES = (
    "/api/runs",
    "/api/runs.csv",
    "/api/runs.ndjson",
    "/api/runs.parquet",
    "/api/runs/1",
    "/api/attempts",
    "/api/jobs.csv",
    "/api/stats",
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
    assert "There is no readable database at none.db." in error
    assert not (tmp_path / "none.db").exists()


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [None, b"", b"This is no database. " * 100])
async def test_the_whole_path_is_only_in_the_log(
    db_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    if content is not None:
        db_path.write_bytes(content)
    async with serving(db_path) as datasette:
        paths = ("/", "/runs", "/api/runs", "/ci_observer", "/-/dashboards/ci-observer")
        pages = [await datasette.client.get(path) for path in paths]

    assert [page.url.path for page in pages if str(db_path.parent) in page.text] == []
    [line] = [record.getMessage() for record in caplog.records]
    assert str(db_path) in line


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
@pytest.mark.parametrize("query", ["failing_now", "runs", "run_history"])
async def test_a_damaged_page_of_a_table_is_not_the_statement_s_fault(
    db_path: Path, db: Database, query: str
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    [[size]] = db.execute("pragma page_size")
    roots = [*db.execute("select rootpage from sqlite_schema where rootpage > 1")]
    db.execute("pragma wal_checkpoint(truncate)").fetchall()
    content = bytearray(db_path.read_bytes())
    for [root] in roots:
        content[(root - 1) * size : root * size] = b"\xff" * size
    async with serving(db_path) as datasette:
        await datasette.client.get("/ci_observer.json")
        db_path.write_bytes(content)
        response = await datasette.client.get(f"/ci_observer/{query}")

    assert response.status_code == 503
    assert "is damaged. Restore a backup" in response.text


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
async def test_a_statement_that_is_too_large_is_the_request_s_fault(
    db_path: Path, db: Database
) -> None:
    async with serving(db_path) as datasette:
        with pytest.raises(BadRequest, match="LIKE or GLOB pattern too complex"):
            await fetch_rows(
                datasette, "select 'x' like :pattern", {"pattern": "x" * 60_000}
            )
        with pytest.raises(BadRequest, match=r"stack overflow|too large"):
            await fetch_rows(datasette, f"select {'not ' * 2000} 1")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "words"),
    [
        (f"q={'x' * 60_000}", "q takes at most 500 characters"),
        (f"cursor={'x' * 60_000}", "Use the value of next"),
        (f"{'x' * 60_000}=1", "Allowed: repo"),
    ],
)
async def test_a_long_argument_is_400_with_a_short_message(
    db_path: Path, db: Database, query: str, words: str
) -> None:
    async with serving(db_path) as datasette:
        status, error = await get_error(datasette, f"/api/runs?{query}")

    assert status == 400
    assert words in error
    assert len(error) <= 1001


@pytest.mark.asyncio
async def test_a_replaced_database_is_read_without_a_restart(
    db_path: Path, db: Database, tmp_path: Path
) -> None:
    """Also if both have the same revision."""
    watch(db, ("acme/api", "ci.yml"))
    backup = tmp_path / "backup.db"
    db.execute(f"vacuum into '{backup}'")
    async with serving(db_path) as datasette:
        before = await get_json(datasette, "/api/wall")
        with closing(schema.connect(backup)) as other:
            other["feeds"].update(("acme/api", "ci.yml"), {"is_watched": 0})
            other.execute("pragma journal_mode = delete").fetchall()
        backup.rename(db_path)
        after = await get_json(datasette, "/api/wall")
        rows = await datasette.get_database(DATABASE).execute(
            "select is_watched from feeds"
        )

    assert (len(before["tiles"]), after["tiles"]) == (1, [])
    assert before["revision"] == after["revision"]
    assert [row[0] for row in rows] == [0]


@pytest.mark.asyncio
async def test_a_deleted_database_is_503_until_it_is_back(
    db_path: Path, db: Database, tmp_path: Path
) -> None:
    async with serving(db_path) as datasette:
        await get_json(datasette, "/api/wall")
        db_path.rename(tmp_path / "away.db")
        errors = {await get_error(datasette, path) for path in ROUTES}
        (tmp_path / "away.db").rename(db_path)
        await get_json(datasette, "/api/wall")

    [(status, error)] = errors
    assert status == 503
    assert "was deleted or moved away" in error


@pytest.mark.asyncio
async def test_what_ingest_cannot_write_is_the_reason(
    db_path: Path, db: Database
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path) as datasette:
        with only_ingest(db_path) as lock:
            lock.record_problem("The disk is full.")
            fresh = await get_json(datasette, "/api/health")
            config = await get_json(datasette, "/api/config")
            set_clock(db, NOW + timedelta(hours=1))
            _, error = await get_error(datasette, "/api/health")
            set_clock(db, NOW)
            lock.record_problem(None)
            solved = await get_json(datasette, "/api/health")

    assert (fresh["state"], fresh["reason"]) == ("failed", "The disk is full.")
    assert config["polling"]["reason"] == "The disk is full."
    assert error == "The disk is full."
    assert solved["reason"] == "The first poll is under way."


@pytest.mark.asyncio
async def test_a_clock_set_back_invalidates_cached_tiles(
    db_path: Path, db: Database
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path) as datasette:
        states = []
        for hours in (0, -10):
            set_clock(db, NOW + timedelta(hours=hours))
            [tile] = (await get_json(datasette, "/api/wall"))["tiles"]
            states.append(tile["tile_state"])

    assert states == ["unknown", "stale"]


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


def test_a_first_look_after_a_replacement_finds_the_former_wal_file(
    db_path: Path, db: Database, tmp_path: Path
) -> None:
    """As in a process that has served no page of Datasette before."""
    instance.bump_revision(db)
    db.conn.commit()
    with only_ingest(db_path):
        other = tmp_path / "other.db"
        with closing(sqlite3.connect(other)) as conn:
            conn.execute("create table t (x)")
        assert not DatabaseFile(str(db_path)).check().has_no_wal

        other.rename(db_path)

        assert DatabaseFile(str(db_path)).check().has_no_wal
