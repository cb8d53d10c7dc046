"""The database file is deleted or replaced while `ci-observer up` is running."""

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from up import PROC, TOKEN, Up, running_up
from waiting import eventually

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.ingest.db import schema
from ci_observer.ingest.db.database_file import (
    discard_files_of_former,
    file_id,
    lock_path,
)
from ci_observer.ingest.db.keeper import check_in
from ci_observer.ingest.errors import DatabaseGone
from ci_observer.ingest.lock import SIZE, only_ingest
from ci_observer.ingest.store import instance
from ci_observer.ingest.store.database import transaction

needs_proc = pytest.mark.skipif(not PROC.is_dir(), reason="needs Linux's /proc")
# They fit on the newest page.
RUNS = 30


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """An `up` that has stored all runs, with its log in a file."""
    world = World("2026-03-02T09:00:00Z")
    for _ in range(RUNS):
        world.add_run("acme/api", "ci.yml", conclusion="success", duration=0)
    settings = {
        "GITHUB_TOKEN": TOKEN,
        "GH_REPOS": "acme/api",
        "GH_WORKFLOWS": "ci.yml",
        "REFRESH_SECONDS": "5",
    }
    with (
        GitHubServer(world, tokens={TOKEN: Token()}) as github,
        (tmp_path / "log").open("wb") as log,
        running_up(tmp_path, log.fileno(), GITHUB_API_URL=github.url, **settings) as up,
    ):
        eventually(lambda: count_runs(up) == RUNS)
        yield up


def count_runs(up: Up) -> int:
    return len(up.get("/api/runs?limit=1000").json().get("runs", []))


def health(up: Up) -> tuple[int, str]:
    response = up.get("/api/health")
    return response.status_code, response.json().get("error", "")


def check(path: Path) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        return conn.execute("pragma integrity_check").fetchall()


@needs_proc
def test_a_deleted_database_is_reported_and_never_created_again(
    up: Up, tmp_path: Path
) -> None:
    path, log = tmp_path / "data/ci_observer.db", tmp_path / "log"
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(f"vacuum into '{backup}'")
    first = up.pid_of("ingest")

    path.unlink()

    status, reason = health(up)
    assert (status, "was deleted or moved away" in reason) == (503, True)
    assert up.get("/api/wall").status_code == 503
    assert "was deleted" in up.get("/").text
    assert up.get("/ci_observer/runs.json").status_code >= 400
    # Two more starts of ingest have seen that it is missing.
    eventually(lambda: log.read_text().count("was deleted or moved away") >= 3)
    assert up.pid_of("ingest") != first
    assert not path.exists()

    backup.rename(path)

    eventually(lambda: up.get("/api/health").status_code == 200)
    assert count_runs(up) == RUNS
    assert up.get("/ci_observer/runs.json?_shape=array").status_code == 200
    assert check(path) == [("ok",)]


@needs_proc
def test_a_backup_moved_over_a_running_database_is_used_and_stays_sound(
    up: Up, tmp_path: Path
) -> None:
    path = tmp_path / "data/ci_observer.db"
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(f"vacuum into '{backup}'")
    with closing(sqlite3.connect(backup)) as conn:
        conn.execute("create table only_in_the_backup (x)")
        conn.execute("delete from runs where run_number % 2")
        conn.commit()
        conn.execute("pragma journal_mode = delete").fetchall()
    assert Path(f"{path}-wal").stat().st_size > 0
    first = up.pid_of("ingest")

    backup.rename(path)

    # At once, while the -wal file of the former database lies next to it.
    assert up.get("/ci_observer/only_in_the_backup.json").status_code == 200
    assert count_runs(up) == RUNS // 2
    eventually(lambda: up.pid_of("ingest") not in (None, first))
    eventually(lambda: up.get("/api/health").status_code == 200)
    assert up.get("/ci_observer/only_in_the_backup.json").status_code == 200
    assert "was replaced by another file" in (tmp_path / "log").read_text()
    assert check(path) == [("ok",)]
    polls = "/ci_observer/polls.json?_shape=array&_sort_desc=poll_id&_size=1"
    before = up.get(polls).json()
    eventually(lambda: up.get(polls).json() != before)
    assert check(path) == [("ok",)]


@pytest.mark.parametrize("change", [os.unlink, lambda path: path.rename("other.db")])
def test_a_transaction_writes_to_no_file_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)

        def write(change: Callable[[Path], object]) -> None:
            instance.bump_revision(db)
            change(path)

        with pytest.raises(DatabaseGone, match="deleted or moved"), transaction(db):
            write(change)
        select = "select value from instance where key = 'revision'"
        assert db.execute(select).fetchall() == [("0",)]
        with pytest.raises(DatabaseGone), transaction(db):
            pytest.fail("The transaction has begun.")


def test_the_wal_of_a_killed_ingest_is_kept_apart_from_a_restored_file(
    tmp_path: Path,
) -> None:
    """A kill leaves the -wal file, and the operator only moves the backup."""
    path, backup = tmp_path / "a.db", tmp_path / "backup.db"
    for file, title in ((path, "former"), (backup, "restored")):
        with closing(schema.connect(file)) as db:
            schema.migrate(db)
            db.execute("insert into instance values ('title', ?)", [title])
    killed = schema.connect(path)
    with only_ingest(path):
        with transaction(killed):
            killed.execute("update instance set value = 'later' where key = 'title'")
        leftover = Path(f"{path}-wal").read_bytes()
    assert leftover

    backup.rename(path)

    with closing(schema.connect(path)) as db:
        [[title]] = db.execute("select value from instance where key = 'title'")
        assert title == "restored"
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert Path(f"{path}-wal.former").read_bytes() == leftover
    killed.close()


def test_the_wal_of_the_file_itself_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    open_db = schema.connect(path)
    schema.migrate(open_db)
    with only_ingest(path):
        pass

    discard_files_of_former(path)

    assert Path(f"{path}-wal").exists()
    assert Path(f"{path}-shm").exists()
    open_db.close()


@pytest.mark.parametrize("letter", ["x", "\N{GRINNING FACE}", '"', "\x00", "\ud800"])
def test_a_long_problem_leaves_the_record_of_the_files_readable(
    tmp_path: Path, letter: str
) -> None:
    path = tmp_path / "a.db"
    with closing(schema.connect(path)):
        pass

    with only_ingest(path) as lock:
        for problem in (letter * 5000, "short"):
            lock.record_problem(problem)
            assert lock_path(path).stat().st_size == SIZE

    record = json.loads(lock_path(path).read_text("utf-8"))
    assert record["problem"] == "short"
    assert tuple(record["files"][""]) == file_id(path)


def test_a_first_start_creates_the_database(tmp_path: Path) -> None:
    with running_up(tmp_path, subprocess.DEVNULL):
        assert (tmp_path / "data/ci_observer.db").exists()


def test_the_last_write_goes_into_the_file_while_another_process_has_it_open(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "ci_observer.db", tmp_path / "copy.db"
    with closing(schema.connect(path)) as db, closing(sqlite3.connect(path)) as reader:
        db.execute("create table written (x)")
        db.execute("insert into written values (1)")
        db.conn.commit()
        assert reader.execute("select x from written").fetchall() == [(1,)]
        assert Path(f"{path}-wal").stat().st_size > 0

        check_in(path)

        assert Path(f"{path}-wal").stat().st_size == 0
        copy.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(copy)) as found:
        assert found.execute("select x from written").fetchall() == [(1,)]
