"""`ci-observer reshard`: split and join databases, and lose nothing."""
# ruff: noqa: S608, S603, S311 (own names, own commands, no secrets)

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from threading import Lock, Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlite_utils import Database

from bench.databases.make_db import make_db
from ci_observer.ingest.cli import main
from ci_observer.ingest.commands import reshard as command
from ci_observer.ingest.commands.reshard import reshard
from ci_observer.ingest.config.shard import number_of
from ci_observer.ingest.db import copies, derived
from ci_observer.ingest.db.database_file import lock_path
from ci_observer.ingest.db.migrations import table_names
from ci_observer.ingest.db.rollups import TABLES as ROLLUPS
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.reshard import rebuilding, tables
from ci_observer.ingest.store.instance import stored_shard

NOW = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
# Rows of the tables that synthetic runs do not fill. `{repo}` has a waiting alert.
OTHERS = """
insert into alerts (alert_id, repo, workflow, event, subject, at, found_at)
    select 'a' || run_id, repo, workflow, 'broken', run_id, created_at, created_at
    from runs group by repo;
insert into alert_deliveries (alert_id, receiver, state, next_at, ended_at)
    select alert_id, '1', iif(repo = '{repo}', 'waiting', 'sent'), at,
        iif(repo = '{repo}', null, at)
    from alerts;
insert into alert_tiles (repo, workflow, known_at)
    select repo, workflow, '2026' from feeds;
insert into refs select repo, 'v1', 1, '2026' from repos;
insert into feed_backfills (repo, workflow, fetched_to)
    select repo, workflow, '2026' from feeds;
insert into watch_errors values ('acme/*', 'No.', 'not_found', '2026', null);
insert into muted_tiles (repo, workflow, reason, from_at, until_at)
    values ('{repo}', 'ci.yml', 'known', '2026', '2027');
insert into screens values ('hall', 'repo=x', 0);
insert into waits select run_id, 1, created_at, 'approval', null from runs limit 50;
insert into errors (text) values ('Error: a'), ('Error: b'), ('unused');
insert into job_errors
    select j.job_id, run_id, repo, workflow, completed_at, 1 + j.job_id % 2, name
    from jobs j join runs using (run_id) where j.conclusion = 'failure';
create table mine (repo text);
insert into mine values ('acme/unknown'), (x'00');
alter table runs add column my_note text;
pragma writable_schema = on;
insert into sqlite_schema values
    ('table', 'unusable', 'unusable', 0, 'create virtual table unusable using none()');
"""
# All rows of a table count, but not the numbers of texts, which a file gives itself.
ARCHIVE = (
    *("runs", "run_attempts", "jobs", "waits", "pending", "feeds", "repos"),
    *("workflows", "refs", "feed_backfills", "feed_settings", "feed_states"),
    *("state_spans", "alerts", "alert_deliveries", "alert_tiles", "watch_errors"),
    *("newest_pages", "tile_branches", "default_branches", "branch_events"),
    *("decisions", "flaky_shas", "run_values", *ROLLUPS, "screens", "muted_tiles"),
)
VIEWS = {
    "runs_full": "select run_id, raw_json from runs_full",
    "wall": "select * from wall",
    "run_history": "select * from run_history",
    "steps": "select * from steps",
    "errors": "select job_id, failed_at, text, message"
    " from job_errors left join errors using (error_id)",
    "tiles": "select * from tiles",
}
PAIRS = {
    "decisions": "run_decisions",
    "branch_events": "timed_events",
    "flaky_shas": "counted_flaky_shas",
    "run_values": "counted_values",
    **{table: f"counted_{table}" for table in ROLLUPS},
}


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as conn:
        cursor = conn.execute(sql)
        keep = [i for i, c in enumerate(cursor.description) if c[0] not in OF_A_FILE]
        return sorted((tuple(row[i] for i in keep) for row in cursor), key=repr)


# Numbers that each file gives itself, and a column of the user.
OF_A_FILE = ("error_id", "mute_id", "my_note")


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    found = {table: rows(path, f"select * from {table}") for table in ARCHIVE}
    return found | {name: rows(path, sql) for name, sql in VIEWS.items()}


def differences(path: Path) -> list[str]:
    """The derived tables that differ from their defining views."""
    return [
        table
        for table, view in PAIRS.items()
        if (
            names := ", ".join(
                n for n in columns(path, table) if n in columns(path, view)
            )
        )
        and rows(path, f"select distinct {names} from {table}")
        != rows(path, f"select distinct {names} from {view}")
    ]


def are_tiles_current(path: Path) -> bool:
    """Whether the tiles are as computed from the rows of the file. Changes it."""
    before = rows(path, "select * from tiles")
    with closing(sqlite3.connect(path)) as conn:
        derived.rebuild_tiles(Database(conn))
        conn.commit()
    return rows(path, "select * from tiles") == before


def columns(path: Path, name: str) -> list[str]:
    with closing(sqlite3.connect(path)) as conn:
        cursor = conn.execute(f"select * from {name} limit 0")
        return [c[0] for c in cursor.description]


def shard_of(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as conn:
        shard = stored_shard(Database(conn))
    return str(shard) if shard else None


def split(folder: Path, shards: int, *files: Path) -> list[Path]:
    reshard(files, folder, shards=shards)
    return [folder / f"shard-{n}-of-{shards}.db" for n in range(1, shards + 1)]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No test writes to it; its journal is empty."""
    path = tmp_path_factory.mktemp("archive") / "ci_observer.db"
    seed = Random().randrange(10**6)
    print("seed", seed)  # noqa: T201 (pytest shows it if a test fails)
    make_db(path, runs=100, feeds=6, branches=8, actors=5, seed=seed, now=NOW)
    with closing(sqlite3.connect(path)) as conn:
        [repo] = conn.execute("select min(repo) from runs").fetchone()
        conn.executescript(OTHERS.format(repo=repo))
        derived.rebuild_tiles(Database(conn))
        conn.commit()
        conn.execute("pragma wal_checkpoint(truncate)").fetchall()
    return path


def run_command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["reshard", *map(str, arguments)])


def bytes_of(path: Path) -> bytes:
    assert not Path(f"{path}-wal").exists() or not Path(f"{path}-wal").stat().st_size
    return path.read_bytes()


def test_every_table_is_divided_in_one_way() -> None:
    groups = [
        *(tables.OF_REPO, tables.OF_REPO_IN_BEST_SOURCE, tables.OF_RUN, tables.OF_JOB),
        *(tables.TEXTS, (tables.PAYLOADS,), tables.OF_ALERT, tables.DERIVED),
        *(tables.SUMMED, tables.REBUILT, tables.SETTINGS, tables.COPIED_TO_ALL),
        *(tables.EMPTY, tables.OF_SCHEMA),
    ]

    assert sorted(sum(groups, ())) == sorted(table_names())


def test_from_one_to_three_to_two_to_one_nothing_is_lost(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = bytes_of(archive)
    three = split(tmp_path / "three", 3, archive)
    others = "because it is yours: table mine, table unusable, column runs.my_note."
    assert others in capsys.readouterr().out
    two = split(tmp_path / "two", 2, *three)
    [one] = split(tmp_path / "one", 1, *two)

    expected, found = content(archive), content(one)
    assert [name for name in expected if expected[name] != found[name]] == []
    for path in (three[0], one):
        assert differences(path) == []
    assert are_tiles_current(one)
    for files in (three, two):
        for number, path in enumerate(files, start=1):
            repos = {repo for (repo,) in rows(path, "select repo from runs")}
            assert {number_of(repo, len(files)) for repo in repos} <= {number}
            assert shard_of(path) == f"{number}/{len(files)}"
        # An alert that waits is sent by one shard.
        waiting = "select alert_id from alert_deliveries where ended_at is null"
        assert [len(rows(path, waiting)) for path in files].count(1) == 1
        runs = [row for path in files for row in rows(path, "select * from runs")]
        assert sorted(runs, key=repr) == expected["runs"]
    assert shard_of(one) is None
    assert bytes_of(archive) == before
    assert [path.name for path in (tmp_path / "one").iterdir()] == [one.name]


def test_of_the_same_run_the_newest_state_and_all_attempts_are_kept(
    archive: Path, tmp_path: Path
) -> None:
    older, newer = tmp_path / "older.db", tmp_path / "newer.db"
    for path in (older, newer):
        shutil.copy(archive, path)
    [[first, *_], [second, *_]] = rows(
        archive,
        "select run_id from runs where run_attempt = 1 and status = 'completed'"
        " limit 2",
    )
    with closing(sqlite3.connect(newer)) as conn, conn:
        # Each file has a run that the other one has in an older state.
        rerun(conn, first)
        conn.execute("delete from alerts")
        conn.execute("update feeds set checked_at = '2026-03-02T00:00:00Z'")
    with closing(sqlite3.connect(older)) as conn, conn:
        rerun(conn, second)
        rerun(conn, second, attempt=3)
        conn.execute("update alert_deliveries set ended_at = null, state = 'waiting'")

    [one] = split(tmp_path / "one", 1, older, newer)

    assert rows(one, "select count(*) from runs") == rows(
        archive, "select count(*) from runs"
    )
    attempts = "select run_attempt from run_attempts where run_id = "
    newest = "select run_attempt from runs where run_id = "
    assert rows(one, f"{attempts}{first}") == [(1,), (2,)]
    assert rows(one, f"{attempts}{second}") == [(1,), (2,), (3,)]
    assert (rows(one, f"{newest}{first}"), rows(one, f"{newest}{second}")) == (
        [(2,)],
        [(3,)],
    )
    for table in ("jobs", "job_steps", "run_payloads"):
        count = f"select count(*) from {table}"
        assert rows(one, count) == rows(archive, count)
    assert differences(one) == []
    assert are_tiles_current(one)


def rerun(conn: sqlite3.Connection, run_id: int, attempt: int = 2) -> None:
    conn.execute(
        "update runs set run_attempt = ?, updated_at = '2026-03-01T19:00:00Z'"
        " where run_id = ?",
        [attempt, run_id],
    )
    conn.execute(
        "insert into run_attempts (run_id, run_attempt, status, conclusion, started_at,"
        " updated_at) select run_id, ?, status, conclusion, started_at, updated_at"
        " from runs where run_id = ?",
        [attempt, run_id],
    )


KILLED_AT_THE_SECOND = """
import os, signal, sys
from ci_observer.ingest.cli import main
from ci_observer.ingest.reshard import rebuilding

check = rebuilding.check

def killing(conn, shard):
    if shard == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return check(conn, shard)

rebuilding.check = killing
main(["reshard", *sys.argv[1:]])
"""


def test_a_kill_leaves_no_file_that_looks_whole(archive: Path, tmp_path: Path) -> None:
    before = bytes_of(archive)
    output = tmp_path / "new"
    arguments = ["--shards", "3", "--output", str(output), str(archive)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_SECOND, *arguments], check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in output.iterdir()] == [".reshard.part"]
    assert bytes_of(archive) == before

    result = run_command(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(list(output.iterdir())) == 3


@pytest.mark.parametrize(
    ("case", "advice"),
    [
        ("exists", "shard-2-of-2.db exists already: choose another folder"),
        ("twice", "named twice"),
        ("missing", "There is no file"),
        ("other", "is not a database of CI Observer"),
        ("old", "ci-observer migrate"),
        ("polled", "CI Observer is running and polls into"),
        ("full", "Make room"),
    ],
)
def test_what_would_go_wrong_is_refused_without_a_file(
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    advice: str,
) -> None:
    path, output = tmp_path / "ci_observer.db", tmp_path / "new"
    output.mkdir()
    files = [path, path] if case == "twice" else [path]
    if case != "missing":
        shutil.copy(archive, path)
    if case == "exists":
        (output / "shard-2-of-2.db").touch()
    if case == "other":
        path.unlink()
        sqlite3.connect(path).execute("create table t (x)").connection.close()
    if case == "old":
        with closing(sqlite3.connect(path)) as conn, conn:
            conn.execute("drop view wall")
    if case == "full":
        usage = shutil.disk_usage(tmp_path)._replace(free=0)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    names = sorted(output.iterdir())
    if case == "polled":
        with only_ingest(path):
            result = run_command("--shards", 2, "--output", output, *files)
        assert lock_path(path).exists()
    else:
        result = run_command("--shards", 2, "--output", output, *files)

    assert result.exit_code == 1
    assert advice in result.stderr
    assert sorted(output.iterdir()) == names


@pytest.fixture
def source(archive: Path, tmp_path: Path) -> Path:
    """A copy of the archive that a test may change."""
    path = tmp_path / "ci_observer.db"
    shutil.copy(archive, path)
    return path


def assert_refused(source: Path, text: str, *options: str) -> None:
    output = source.parent / "new"
    result = run_command("--shards", 2, "--output", output, *options, source)

    assert text in result.stderr
    assert result.exit_code == 1
    assert [p for p in output.iterdir() if not p.is_symlink()] == []


def test_a_damaged_file_is_named(source: Path) -> None:
    [[page]] = rows(source, "select rootpage from sqlite_schema where name = 'jobs'")
    [[size]] = rows(source, "pragma page_size")
    with source.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))

    assert_refused(source, f"{source} is damaged (")


def test_a_file_that_is_changed_meanwhile_is_refused(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(source)) as writer:

        def write(_: Path) -> None:
            monkeypatch.undo()
            command._write_empty(_)
            # Only the -wal file changes.
            writer.execute("delete from waits")
            writer.commit()

        monkeypatch.setattr(command, "_write_empty", write)
        assert_refused(source, "was changed while it was read")


def test_a_disk_that_fills_up_is_named(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_on_full_disk(path: Path) -> sqlite3.Connection:
        conn = copies.open_for_bulk(path)
        conn.execute("pragma max_page_count = 1").fetchall()
        return conn

    monkeypatch.setattr(command, "open_for_bulk", open_on_full_disk)
    assert_refused(source, "Make room, or choose a folder on another disk. All unfin")


# Datasette, which other tests import, has SQLite's callbacks warn of the interruption.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_ends_a_long_statement(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = Lock()
    started.acquire()

    def stop() -> None:
        started.acquire()
        os.kill(os.getpid(), signal.SIGTERM)

    def endless_check(conn: sqlite3.Connection, _: int) -> None:
        Thread(target=stop).start()
        # A Python function would handle the signal itself.
        conn.create_function("start", 0, started.release)
        conn.execute(
            "with n as (select start() union all select 1 from n)"
            " select count(*) from n"
        )

    monkeypatch.setattr(rebuilding, "check", endless_check)
    assert_refused(source, "Aborted!")


def test_the_files_of_another_folder_are_not_deleted(source: Path) -> None:
    others = source.parent / "others"
    others.mkdir()
    (others / "file").touch()
    (source.parent / "new").mkdir()
    (source.parent / "new" / ".reshard.part").symlink_to(others)

    assert_refused(source, "Cannot write to")
    assert (others / "file").exists()


def test_the_file_of_every_former_shard_has_to_be_named(source: Path) -> None:
    with closing(sqlite3.connect(source)) as conn, conn:
        shard = '{"number": 1, "count": 3}'
        conn.execute("insert into instance values ('shard', ?)", [shard])

    assert_refused(source, "those of 3 shards, without shards 2, 3: name every file.")
    output = source.parent / "new"
    options = ("--shards", 1, "--incomplete", "--output", output)
    assert run_command(*options, source).exit_code == 0
