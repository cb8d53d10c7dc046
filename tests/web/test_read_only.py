"""`serve --read-only`: a file that other programs write, replace, restore or delete."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest
from archive import NOW, save_runs, set_clock, watch
from datasette.app import Datasette
from factories import run_payload
from read_only import (
    files_of,
    read_only,
    to_rollback_mode,
    write_in_place,
)
from sqlite_utils import Database
from web_client import get_error, get_json, serving

from ci_observer.ingest.db import schema
from ci_observer.web import database, read_only_file
from ci_observer.web.database import DATABASE

FEED = ("acme/api", "ci.yml")
COUNT = "select count(*) from runs"
STATEMENT = "/ci_observer.json?sql=select+count(*)+from+runs&_shape=arrays"
# One for each kind of read: inline, the export's own, past walls, workers, and the
# threads in which Datasette reads the schema.
ROUTES = (
    *("/", "/api/runs", "/api/runs.csv", "/api/wall?at=2026-03-01T17:00:00Z"),
    *("/metrics", "/ci_observer/runs", STATEMENT),
)


@pytest.fixture
def filled(db: Database) -> Database:
    """A database with a run of a watched feed."""
    watch(db, FEED)
    save_runs(db, run_payload(1))
    return db


@pytest.fixture
def replica(filled: Database, db_path: Path) -> Path:
    """The same in a closed file, in rollback-journal mode."""
    filled.close()
    to_rollback_mode(db_path)
    return db_path


@pytest.fixture
def newer(replica: Path, tmp_path: Path) -> Path:
    """A copy that has another run, and the same revision."""
    path = tmp_path / "elsewhere" / "newer.db"
    path.parent.mkdir()
    shutil.copyfile(replica, path)
    with closing(schema.connect(path)) as db:
        [[revision]] = db.execute("select value from instance where key = 'revision'")
        save_runs(db, run_payload(1), run_payload(2, conclusion="failure"))
        db.execute("update instance set value = ? where key = 'revision'", [revision])
        db.conn.commit()
    to_rollback_mode(path)
    return path


@pytest.fixture
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request does not wait for the end of an update."""
    monkeypatch.setattr(read_only_file, "WAIT_SECONDS", 0.1)


@asynccontextmanager
async def reading(path: Path) -> AsyncIterator[Datasette]:
    async with serving(path, web=read_only()) as datasette:
        yield datasette


async def run_ids(datasette: Datasette) -> tuple[list[int], int]:
    """The runs of the API, and how many a worker counts."""
    runs = (await get_json(datasette, "/api/runs"))["runs"]
    [[count]] = (await get_json(datasette, STATEMENT))["rows"]
    return sorted(run["run_id"] for run in runs), count


@pytest.mark.asyncio
async def test_no_route_leaves_a_lock_or_a_file(replica: Path) -> None:
    before = files_of(replica.parent)
    async with reading(replica) as datasette:
        for route in ROUTES:
            response = await datasette.client.get(route)
            assert response.status_code in (200, 302), (route, response.text)
            with closing(
                sqlite3.connect(replica, timeout=0, isolation_level=None)
            ) as conn:
                # As the follower before each update; an open read would refuse it.
                conn.execute("begin exclusive")
                conn.execute("rollback")

    assert files_of(replica.parent) == before


@pytest.mark.asyncio
async def test_a_request_waits_for_a_lock(replica: Path) -> None:
    async with reading(replica) as datasette:
        await run_ids(datasette)
        with closing(sqlite3.connect(replica, isolation_level=None)) as conn:
            conn.execute("begin exclusive")
            found = asyncio.create_task(run_ids(datasette))
            pool = datasette.get_database(DATABASE).pool
            while not pool._executor._threads:
                await asyncio.sleep(0.001)
            assert not found.done()
            conn.execute("rollback")

            assert await found == ([1], 1)


@pytest.mark.asyncio
async def test_pages_written_in_place_are_seen(replica: Path, newer: Path) -> None:
    """Also if the counter of changes, by which SQLite notices them, is the same."""
    async with reading(replica) as datasette:
        before = await run_ids(datasette)
        wall, listing = [
            await datasette.client.get(path) for path in ("/api/wall", "/api/runs")
        ]
        write_in_place(replica, newer.read_bytes())
        after = await run_ids(datasette)
        again = [
            await datasette.client.get(
                path, headers={"If-None-Match": r.headers["ETag"]}
            )
            for path, r in (("/api/wall", wall), ("/api/runs", listing))
        ]
        config = await get_json(datasette, "/api/config")

    assert (before, after) == (([1], 1), ([1, 2], 2))
    assert [response.status_code for response in again] == [200, 200]
    assert again[0].json()["revision"] == wall.json()["revision"]
    assert config["wall_etag"] == again[0].headers["ETag"]
    assert config["read_only"] is True


@pytest.mark.asyncio
@pytest.mark.usefixtures("_no_wait")
async def test_an_update_that_was_broken_off_is_503_until_the_file_is_restored(
    replica: Path, newer: Path
) -> None:
    """Litestream writes the -txid file after the pages of an update."""
    txid = Path(f"{replica}-txid")
    txid.write_text("1")
    async with reading(replica) as datasette:
        before = await run_ids(datasette)
        write_in_place(replica, newer.read_bytes()[:-8192])
        modified = replica.stat().st_mtime_ns
        os.utime(txid, ns=(modified - 1, modified - 1))
        errors = {await get_error(datasette, path) for path in ("/api/runs", STATEMENT)}
        page = await datasette.client.get("/")
        newer.replace(replica)
        txid.write_text("2")
        after = await run_ids(datasette)

    [(status, error)] = errors
    assert (before, after) == (([1], 1), ([1, 2], 2))
    assert (status, page.status_code) == (503, 503)
    assert "a replication was stopped in the middle" in error
    assert error in page.text


@pytest.mark.asyncio
async def test_another_file_is_read_at_once(replica: Path, newer: Path) -> None:
    async with reading(replica) as datasette:
        before = await run_ids(datasette)
        newer.replace(replica)
        after = await run_ids(datasette)

    assert (before, after) == (([1], 1), ([1, 2], 2))


@pytest.mark.asyncio
async def test_a_file_is_waited_for(replica: Path, tmp_path: Path) -> None:
    away = tmp_path / "elsewhere.db"
    replica.rename(away)
    async with reading(replica) as datasette:
        errors = [await get_error(datasette, path) for path in ("/api/runs", STATEMENT)]
        page = await datasette.client.get("/")
        replica.touch()
        errors += [await get_error(datasette, "/api/health")]
        shutil.copyfile(away, replica)
        first = await run_ids(datasette)
        replica.unlink()
        gone = await get_error(datasette, "/api/runs")
        replica.mkdir()
        folder = await get_error(datasette, "/api/runs")
        replica.rmdir()
        away.rename(replica)
        second = await run_ids(datasette)

    assert {status for status, _ in (*errors, gone, folder)} == {503}
    assert "was deleted or moved away" in folder[1]
    assert all(
        "There is no database yet at ci_observer.db" in text for _, text in errors
    )
    assert "There is no database yet" in page.text
    assert "was deleted or moved away" in gone[1]
    assert first == second == ([1], 1)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            "insert into _sqlite_migrations (migration_set, name)"
            " values ('ci_observer', 'm900_next')",
            "of CI Observer 9.9 with the migration m900_next, which this version, "
            "0.1.0, does not know: update this process to the writer's version.",
        ),
        (
            "delete from _sqlite_migrations where name = (select max(name)"
            " from _sqlite_migrations)",
            "of this version, 0.1.0: update the writer, or run its version here. "
            "Without a writer, as for a restored file, run ci-observer migrate.",
        ),
        (
            "drop view branch_runs",
            "whose view branch_runs differs from that of this version, 0.1.0: run the "
            "same version here and at the writer.",
        ),
    ],
)
async def test_another_version_is_503_until_its_own_is_back(
    replica: Path, newer: Path, change: str, expected: str
) -> None:
    own = replica.read_bytes()
    with closing(sqlite3.connect(newer)) as conn:
        conn.execute(change)
        conn.execute("update instance set value = '9.9' where key = 'version'")
        conn.commit()
    async with reading(replica) as datasette:
        await run_ids(datasette)
        write_in_place(replica, newer.read_bytes(), is_counted=True)
        errors = {
            await get_error(datasette, path)
            for path in ("/api/runs", "/api/config", "/api/health", STATEMENT)
        }
        pages = [
            await datasette.client.get(path) for path in ("/", "/ci_observer/runs")
        ]
        write_in_place(replica, own, is_counted=True)
        after = await run_ids(datasette)

    [(status, error)] = errors
    assert status == 503
    assert error.startswith("The database ci_observer.db has the schema of CI Observer")
    assert expected in error
    assert [page.status_code for page in pages] == [503, 503]
    assert expected[:40].replace("'", "&#39;") in pages[0].text
    assert after == ([1], 1)


@pytest.mark.asyncio
async def test_a_backup_in_wal_mode_is_read_alone_until_a_writer_comes(
    filled: Database, db_path: Path
) -> None:
    filled.close()
    before = files_of(db_path.parent)
    assert db_path.read_bytes()[18] == 2
    async with reading(db_path) as datasette:
        alone = await run_ids(datasette)
        assert files_of(db_path.parent) == before
        with closing(schema.connect(db_path)) as writer:
            save_runs(writer, run_payload(1), run_payload(2))
            beside = await run_ids(datasette)
            writer.execute("pragma wal_checkpoint(truncate)").fetchall()
            save_runs(writer, *map(run_payload, (1, 2, 3)))
            checkpointed = await run_ids(datasette)
        after = await run_ids(datasette)
    names = {*files_of(db_path.parent)}

    assert alone == ([1], 1)
    assert beside == ([1, 2], 2)
    assert checkpointed == after == ([1, 2, 3], 3)
    # The files of the writer, which could not delete them.
    assert names <= {"ci_observer.db", "ci_observer.db-wal", "ci_observer.db-shm"}


@pytest.mark.asyncio
@pytest.mark.usefixtures("_no_wait")
async def test_a_wal_file_without_its_index_is_503(
    filled: Database, db_path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy" / "ci_observer.db"
    copy.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{db_path}{suffix}", f"{copy}{suffix}")
    before = files_of(copy.parent)
    async with reading(copy) as datasette:
        status, error = await get_error(datasette, "/api/runs")

    assert status == 503
    assert "cannot be read without the file ci_observer.db-shm" in error
    assert files_of(copy.parent) == before


@pytest.mark.asyncio
async def test_a_hot_journal_is_503_until_it_is_rolled_back(
    replica: Path, newer: Path
) -> None:
    with closing(sqlite3.connect(newer, isolation_level=None)) as conn:
        # Too small for the transaction, so that some pages are written before its end.
        conn.execute("pragma cache_size = 1")
        conn.execute("begin")
        conn.execute("create table t as select * from runs, sqlite_master")
        conn.execute("delete from runs")
        shutil.copyfile(f"{newer}-journal", f"{replica}-journal")
        shutil.copyfile(newer, replica)
    async with reading(replica) as datasette:
        errors = {await get_error(datasette, path) for path in ("/api/runs", STATEMENT)}
        with closing(sqlite3.connect(replica)) as conn:
            conn.execute("select * from runs").fetchall()
        after = await run_ids(datasette)

    [(status, error)] = errors
    assert status == 503
    assert "was stopped in the middle of writing ci_observer.db" in error
    assert after == ([1, 2], 2)


@pytest.mark.asyncio
async def test_old_data_are_unhealthy_with_their_age(
    filled: Database, db_path: Path
) -> None:
    set_clock(filled, NOW + timedelta(minutes=12))
    async with reading(db_path) as datasette:
        status, error = await get_error(datasette, "/api/health")
        config = await get_json(datasette, "/api/config")
        [tile] = (await get_json(datasette, "/api/wall"))["tiles"]

    assert (status, error) == (
        503,
        "The data of this read-only instance are 12 minutes old: the writer or the "
        "replication has stopped.",
    )
    assert (config["polling"]["state"], config["polling"]["reason"]) == ("stale", error)
    assert tile["tile_state"] == "stale"


@pytest.mark.asyncio
async def test_a_read_is_repeated_if_the_file_changes_meanwhile(
    replica: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the file and the lock of the read."""
    async with reading(replica) as datasette:
        before = await run_ids(datasette)
        content = newer.read_bytes()
        check = read_only_file._Guard.check_begin

        def change_first(guard: object, conn: sqlite3.Connection) -> None:
            monkeypatch.setattr(read_only_file._Guard, "check_begin", check)
            write_in_place(replica, content)
            check(guard, conn)

        monkeypatch.setattr(read_only_file._Guard, "check_begin", change_first)
        after = await run_ids(datasette)

    assert (before, after) == (([1], 1), ([1, 2], 2))


@pytest.mark.asyncio
async def test_a_read_goes_on_while_another_copy_is_shown(
    replica: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a slow one would be repeated at each change, and never end."""
    shown = replica.with_name("shown.db")
    shown.symlink_to(replica.name)
    others = iter([newer, replica])

    def show_the_other() -> None:
        link = newer.with_name("link")
        link.symlink_to(next(others))
        link.replace(shown)

    async with reading(shown) as datasette:
        before = await run_ids(datasette)
        begin, run = read_only_file._Guard.check_begin, database.run_statement

        def check_begin(guard: object, conn: sqlite3.Connection) -> None:
            monkeypatch.setattr(read_only_file._Guard, "check_begin", begin)
            show_the_other()
            begin(guard, conn)  # type: ignore[arg-type]

        monkeypatch.setattr(read_only_file._Guard, "check_begin", check_begin)
        [[inline]] = await database.fetch_rows(datasette, COUNT)
        after = await run_ids(datasette)

        async def run_statement(*args: object) -> object:
            monkeypatch.setattr(database, "run_statement", run)
            show_the_other()
            return await run(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(database, "run_statement", run_statement)
        [[in_worker]] = await datasette.get_database(DATABASE).execute(COUNT)
        again = await run_ids(datasette)

    assert (before, inline, after) == (([1], 1), 1, ([1, 2], 2))
    assert (in_worker, again) == (2, ([1], 1))
