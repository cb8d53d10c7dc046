"""`ci-observer restore`: a backup takes the place of the database, or all stays."""

import os
import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest
from archive import save_runs, watch
from backups import RUNS, archive, backup, damage, folder, runs_in
from click.testing import CliRunner, Result
from factories import run_payload
from processes import environ_with, serving
from sqlite_utils import Database

from ci_observer.ingest.cli import main
from ci_observer.ingest.commands import restore as restore_module
from ci_observer.ingest.db import schema
from ci_observer.ingest.db.database_file import file_id, lock_path, txid_path
from ci_observer.ingest.db.migrations import migrations
from ci_observer.ingest.lock import only_ingest

__all__ = ["archive", "folder"]


@pytest.fixture
def saved(archive: Path, folder: Path, db: Database) -> Path:
    """A backup with three runs of a database that has four by now, and is closed."""
    assert backup(archive, folder / "saved.db").exit_code == 0
    save_runs(db, run_payload(10))
    db.close()
    return folder / "saved.db"


def restore(db_path: Path, *arguments: object, answer: str | None = None) -> Result:
    environ = {"CI_OBSERVER_DB": str(db_path)}
    command = ["restore", *map(str, arguments)]
    return CliRunner().invoke(main, command, env=environ, input=answer)


def test_litestream_has_to_be_stopped_before(archive: Path, saved: Path) -> None:
    folder = archive.with_name(f".{archive.name}-litestream")
    folder.mkdir()

    result = restore(archive, "--yes", saved)

    assert result.exit_code == 1
    assert f"delete the folder {folder}, and restore again" in result.stderr
    assert count_runs(archive) == RUNS + 1
    folder.rmdir()
    assert restore(archive, "--yes", saved).exit_code == 0


def test_a_replica_is_not_replaced(archive: Path, saved: Path) -> None:
    txid_path(archive).touch()

    result = restore(archive, "--yes", saved)

    assert result.exit_code == 1
    assert "is a replica that Litestream writes" in result.stderr
    assert count_runs(archive) == RUNS + 1


def names_next_to(db_path: Path) -> list[str]:
    """The files of the database's folder, without the lock and the backups."""
    names = {path.name for path in db_path.parent.iterdir()}
    return sorted(names - {"backups", lock_path(db_path).name})


def former_of(db_path: Path) -> Path:
    [former] = (p for p in db_path.parent.glob("*.former-*") if p.suffix[-4:] != "-wal")
    return former


def count_runs(path: Path) -> int:
    """The runs of a database, with what is in its write-ahead log."""
    with closing(sqlite3.connect(path)) as conn:
        [count] = conn.execute("select count(*) from runs").fetchone()
    return int(count)


def test_the_backup_takes_the_place_of_the_database(archive: Path, saved: Path) -> None:
    result = restore(archive, "--yes", saved)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "3 runs up to 2026-03-01T12:00:00Z" in result.output
    assert "Start CI Observer again" in result.output
    assert runs_in(archive) == runs_in(saved) == RUNS
    assert count_runs(former_of(archive)) == RUNS + 1
    assert former_of(archive).name in result.output


def test_the_former_database_keeps_what_was_only_in_its_write_ahead_log(
    archive: Path, folder: Path, db: Database
) -> None:
    """The process that wrote it was killed, or is `serve`, which stays."""
    backup(archive, folder / "saved.db")
    save_runs(db, run_payload(10))
    assert Path(f"{archive}-wal").stat().st_size > 0
    wal = file_id(f"{archive}-wal")

    assert restore(archive, "--yes", folder / "saved.db").exit_code == 0

    former = former_of(archive)
    assert file_id(f"{former}-wal") == wal
    assert count_runs(former) == RUNS + 1
    # The next start must not take the former -wal file for that of the new database.
    with closing(schema.connect(archive)) as restored:
        assert restored["runs"].count == RUNS
    assert runs_in(archive) == RUNS


def test_the_next_ingest_keeps_the_write_ahead_log_of_the_restored_database(
    archive: Path, saved: Path
) -> None:
    restore(archive, "--yes", saved)

    first = schema.connect(archive)
    save_runs(first, run_payload(11))
    # Not closed, as after a kill; another process starts.
    with closing(schema.connect(archive)) as second:
        assert second["runs"].count == RUNS + 1
    first.close()


def test_a_running_web_server_shows_the_restored_data(
    archive: Path, saved: Path, tmp_path: Path
) -> None:
    with serving(environ_with(CI_OBSERVER_DB=archive), tmp_path) as web:
        assert len(web.get("/api/runs").json()["runs"]) == RUNS + 1

        assert restore(archive, "--yes", saved).exit_code == 0

        assert len(web.get("/api/runs").json()["runs"]) == RUNS
        rows = web.get("/ci_observer/runs.json?_shape=array").json()
        assert len(rows) == RUNS


def test_a_running_ingest_refuses_it(archive: Path, saved: Path) -> None:
    before = file_id(archive)
    with only_ingest(archive):
        result = restore(archive, "--yes", saved)

    assert (result.exit_code, file_id(archive)) == (1, before)
    assert "Stop it" in result.stderr
    assert names_next_to(archive) == [archive.name]


def test_a_running_ingest_refuses_it_through_a_link(
    archive: Path, saved: Path, tmp_path: Path
) -> None:
    """Both use the same name of the database, as from the same settings."""
    link = tmp_path / "elsewhere" / "linked.db"
    link.parent.mkdir()
    link.symlink_to(archive)
    with only_ingest(link):
        assert restore(link, "--yes", saved).exit_code == 1

    assert restore(link, "--yes", saved).exit_code == 0
    assert link.is_symlink()
    assert runs_in(archive) == RUNS


def add_later_migration(path: Path) -> None:
    with closing(Database(path)) as db:
        migrations._record_applied(db, "m999_later")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damage, "is damaged ("),
        (add_later_migration, "belongs to a newer version"),
        (lambda path: path.write_bytes(b"x" * 10_000), "cannot be read"),
        (lambda path: path.write_bytes(b""), "is not a database of CI Observer"),
        (lambda path: path.unlink(), "There is no file"),
        (lambda path: os.truncate(path, path.stat().st_size // 2), "malformed"),
    ],
    ids=["damaged", "newer", "no database", "empty", "missing", "truncated"],
)
def test_another_file_is_refused_and_nothing_changes(
    archive: Path, saved: Path, change, reason: str
) -> None:
    change(saved)
    before = archive.read_bytes()

    result = restore(archive, "--yes", saved)

    assert result.exit_code == 1
    assert reason in result.stderr
    assert str(saved) in result.stderr
    assert archive.read_bytes() == before
    assert names_next_to(archive) == [archive.name]


def test_the_database_of_another_application_is_refused(
    archive: Path, tmp_path: Path
) -> None:
    other = tmp_path / "backups.db"
    with closing(sqlite3.connect(other)) as conn:
        conn.execute("create table runs (run_id integer primary key, started_at text)")

    result = restore(archive, "--yes", other)

    assert result.exit_code == 1
    assert "is not a database of CI Observer" in result.stderr


@pytest.mark.parametrize("way", ["path", "symlink", "hard link"])
def test_the_database_itself_is_refused(
    archive: Path, tmp_path: Path, way: str
) -> None:
    source = archive if way == "path" else tmp_path / "other.db"
    if way == "symlink":
        source.symlink_to(archive)
    elif way == "hard link":
        os.link(archive, source)

    result = restore(archive, "--yes", source)

    assert result.exit_code == 1
    assert "is the database itself" in result.stderr


def test_a_disk_that_is_too_full_is_refused(
    archive: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000))

    result = restore(archive, "--yes", saved)

    assert result.exit_code == 1
    assert "Nothing has been changed" in result.stderr
    assert names_next_to(archive) == [archive.name]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_it_asks_on_a_terminal(
    archive: Path,
    saved: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
) -> None:
    monkeypatch.setattr(restore_module, "is_interactive", lambda: True)
    before = file_id(archive)

    result = restore(archive, saved, answer=answer)

    assert result.exit_code == code
    assert "3 runs" in result.output
    assert (file_id(archive) == before) is bool(code)
    assert len(names_next_to(archive)) == (1 if code else 2)


def test_without_a_terminal_it_needs_yes(archive: Path, saved: Path) -> None:
    before = file_id(archive)

    result = restore(archive, saved)

    assert (result.exit_code, file_id(archive)) == (2, before)
    assert "--yes" in result.stderr


def test_the_restored_file_has_the_mode_of_the_former_one(
    archive: Path, saved: Path
) -> None:
    saved.chmod(0o444)
    archive.chmod(0o660)

    restore(archive, "--yes", saved)

    assert archive.stat().st_mode & 0o777 == 0o660


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_gives_the_files_to_the_owner_of_the_former_one(
    archive: Path, saved: Path
) -> None:
    os.chown(archive, 1234, 1235)

    restore(archive, "--yes", saved)

    for path in (archive, lock_path(archive)):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


def test_a_new_machine_needs_no_database(
    archive: Path, saved: Path, tmp_path: Path
) -> None:
    fresh = tmp_path / "new/data/ci_observer.db"

    result = restore(fresh, "--yes", saved)

    assert result.exit_code == 0
    assert "former" not in result.output
    assert runs_in(fresh) == RUNS
    assert fresh.stat().st_mode & 0o777 == 0o640


def test_a_damaged_database_can_be_replaced(archive: Path, saved: Path) -> None:
    archive.write_bytes(b"x" * 10_000)

    assert restore(archive, "--yes", saved).exit_code == 0

    assert runs_in(archive) == RUNS
    assert former_of(archive).read_bytes() == b"x" * 10_000


def test_a_copy_with_its_write_ahead_log_is_restored_whole(
    archive: Path, folder: Path, db: Database, tmp_path: Path
) -> None:
    """Somebody has copied both files with `cp` while nothing was written."""
    for suffix in ("", "-wal"):
        shutil.copy(f"{archive}{suffix}", f"{folder}/copied.db{suffix}")
    target = tmp_path / "new.db"

    assert restore(target, "--yes", folder / "copied.db").exit_code == 0

    assert runs_in(target) == RUNS


def test_an_older_backup_is_brought_up_to_date_by_the_next_start(
    archive: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    with closing(schema.connect(old)) as db:
        migrations.apply(db, stop_before="m002_polling")

    assert restore(archive, "--yes", old).exit_code == 0

    with closing(schema.connect(archive)) as db:
        assert "m002_polling" in schema.migrate(db)
        watch(db, ("acme/api", "ci.yml"))


def test_two_restores_keep_both_former_databases(
    archive: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore(archive, "--yes", saved)
    first = former_of(archive)

    again = restore(archive, "--yes", saved)

    # Within one second the name is taken: nothing changes.
    if again.exit_code:
        assert "File exists" in again.stderr
    assert count_runs(first) == RUNS + 1
    assert runs_in(archive) == RUNS
