"""`ci-observer backup`: complete copies of a database that others write to."""

import fcntl
import os
import shutil
import signal
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from archive import save_runs
from backups import RUNS, archive, backup, damage, folder, names_in, runs_in
from factories import run_payload
from processes import CI_OBSERVER, environ_with
from sqlite_utils import Database
from waiting import HANG_SECONDS, eventually

from ci_observer.ingest.commands.backup import delete_older
from ci_observer.ingest.db import copies, schema
from ci_observer.ingest.db.migrations import migrations

__all__ = ["archive", "folder"]


def test_it_saves_what_is_only_in_the_write_ahead_log(
    archive: Path, folder: Path
) -> None:
    assert Path(f"{archive}-wal").stat().st_size > 0

    result = backup(archive, folder / "a.db")

    assert (result.exit_code, result.stderr) == (0, "")
    assert f"Saved 3 runs up to 2026-03-01T12:00:00Z in {folder}/a.db" in result.output
    assert runs_in(folder / "a.db") == RUNS
    assert names_in(folder) == ["a.db"]


def test_writers_do_not_wait_and_a_copy_has_the_state_of_its_start(
    archive: Path, folder: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "STEP_PAGES", 1)
    target = folder / "a.db"
    target.touch()
    steps = 0
    db.execute("pragma busy_timeout = 0")

    def write(_done: int, _total: int) -> None:
        nonlocal steps
        steps += 1
        save_runs(db, run_payload(100 + steps))

    with closing(copies.open_live(archive)) as source:
        copied = copies.copy_into(target, source, write)

    assert steps > 10
    assert copied.rows["runs"] == runs_in(target) == RUNS
    assert db["runs"].count == RUNS + steps


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o640), (0o077, 0o600)])
def test_only_the_owner_and_the_group_can_read_it(
    archive: Path, folder: Path, umask: int, mode: int
) -> None:
    former = os.umask(umask)
    try:
        backup(archive, folder / "a.db")
    finally:
        os.umask(former)

    assert (folder / "a.db").stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_backup_by_root_belongs_to_the_owner_of_the_database(
    archive: Path, folder: Path
) -> None:
    os.chown(archive, 1234, 1235)

    backup(archive, folder / "a.db")

    found = (folder / "a.db").stat()
    assert (found.st_uid, found.st_gid) == (1234, 1235)


def test_a_folder_gets_a_file_with_the_time_as_its_name(
    archive: Path, tmp_path: Path
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)

    result = backup(archive, f"{tmp_path}/new/")

    assert result.exit_code == 0
    [name] = names_in(tmp_path / "new")
    at = datetime.strptime(name, "ci_observer-%Y%m%dT%H%M%SZ.db").replace(tzinfo=UTC)
    assert before <= at <= datetime.now(UTC)


def test_an_existing_file_is_replaced_only_by_force(
    archive: Path, folder: Path, db: Database
) -> None:
    target = folder / "a.db"
    backup(archive, target)
    save_runs(db, run_payload(10))

    refused = backup(archive, target)
    assert (refused.exit_code, runs_in(target)) == (1, RUNS)
    assert "exists already" in refused.stderr

    assert backup(archive, target, "--force").exit_code == 0
    assert runs_in(target) == RUNS + 1


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", ".lock"])
@pytest.mark.parametrize("way", ["path", "symlink", "hard link"])
def test_the_files_of_the_database_are_never_replaced(
    archive: Path, folder: Path, suffix: str, way: str
) -> None:
    own = Path(f"{archive}{suffix}")
    own.touch()
    before = own.read_bytes()
    target = own if way == "path" else folder / "other"
    if way == "symlink":
        target.symlink_to(own)
    elif way == "hard link":
        os.link(own, target)

    result = backup(archive, target, "--force")

    assert (result.exit_code, own.read_bytes()) == (1, before)
    assert "belongs to the database" in result.stderr


def test_the_folder_of_the_file_is_created(archive: Path, tmp_path: Path) -> None:
    assert backup(archive, tmp_path / "new/a.db").exit_code == 0

    assert names_in(tmp_path / "new") == ["a.db"]


@pytest.mark.parametrize("target", ["/dev/null", "no/such/folder/", "no/such/a.db"])
def test_a_target_that_cannot_hold_a_file_is_refused(
    archive: Path, folder: Path, target: str
) -> None:
    result = backup(archive, folder / target, "--force")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert names_in(folder) == []


def test_a_damaged_database_leaves_no_backup_and_keeps_the_older_ones(
    archive: Path, folder: Path, db: Database
) -> None:
    backup(archive, folder)
    older = names_in(folder)
    db.close()
    damage(archive)

    result = backup(archive, folder, "--keep", "1", "--force")

    assert result.exit_code == 1
    assert "is damaged (" in result.stderr
    assert names_in(folder) == older


def test_a_broken_text_is_damage(archive: Path, folder: Path, db: Database) -> None:
    with db.conn:
        db.execute("update runs set started_at = cast(x'ff' as text)")

    result = backup(archive, folder)

    assert result.exit_code == 1
    assert "is damaged (Could not decode to UTF-8" in result.stderr
    assert names_in(folder) == []


def test_missing_rows_are_damage(archive: Path, folder: Path) -> None:
    with closing(copies.open_live(archive)) as source:
        expected = copies.contents(source)
    shutil.copy(archive, folder / "a.db")

    # The copy lacks what is in the write-ahead log.
    with pytest.raises(copies.Damaged, match="rows are missing"):
        copies.verify(folder / "a.db", expected, lambda: None)


def test_a_disk_that_is_too_full_is_refused_before_anything_is_written(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000))

    result = backup(archive, folder / "a.db")

    assert (result.exit_code, names_in(folder)) == (1, [])
    assert "0.0 MB are free" in result.stderr


def test_only_older_files_with_its_own_names_are_deleted(
    archive: Path, folder: Path, tmp_path: Path
) -> None:
    dated = [f"ci_observer-2026030{day}T120000Z.db" for day in range(1, 6)]
    others = [
        "ci_observer-20260101T120000Z.db.gz",
        "ci_observer-before-upgrade.db",
        "ci_observer.db",
        "other-20260101T120000Z.db",
        ".ci_observer-20260101T120000Z.db",
    ]
    for name in dated + others:
        (folder / name).touch()
    link = folder / "ci_observer-20250101T120000Z.db"
    link.symlink_to(folder / dated[4])
    (folder / "ci_observer-20250102T120000Z.db").mkdir()

    delete_older(archive, folder / dated[4], 2)

    assert set(names_in(folder)) == {
        *dated[3:],
        *others,
        link.name,
        "ci_observer-20250102T120000Z.db",
    }


def test_the_new_backup_is_kept_also_when_the_clock_was_set_back(
    archive: Path, folder: Path
) -> None:
    for name in ("ci_observer-20990101T000000Z.db", "ci_observer-20990102T000000Z.db"):
        (folder / name).touch()

    result = backup(archive, folder, "--keep", "2")

    assert result.exit_code == 0
    new, later = names_in(folder)
    assert runs_in(folder / new) == RUNS
    assert later == "ci_observer-20990102T000000Z.db"


def test_keep_needs_a_folder(archive: Path, folder: Path) -> None:
    result = backup(archive, folder / "a.db", "--keep", "2")

    assert (result.exit_code, names_in(folder)) == (2, [])


@contextmanager
def locked(part: Path) -> Iterator[None]:
    with part.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_what_a_killed_backup_has_left_is_deleted_and_a_running_one_is_not(
    archive: Path, folder: Path
) -> None:
    left = folder / ".ci_observer-20260101T120000Z.db.part"
    running = folder / ".ci_observer-20260102T120000Z.db.part"
    foreign = folder / ".download.part"
    left.touch()
    foreign.touch()

    with locked(running):
        assert backup(archive, folder / "a.db").exit_code == 0

    assert names_in(folder) == [running.name, foreign.name, "a.db"]


def test_two_backups_do_not_write_one_file(archive: Path, folder: Path) -> None:
    with locked(folder / ".a.db.part"):
        result = backup(archive, folder / "a.db")

    assert result.exit_code == 1
    assert "Another backup is writing" in result.stderr


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_backup_leaves_no_file(
    archive: Path, folder: Path, db: Database, number: int
) -> None:
    # Large enough to be copied for a while.
    db.execute("create table filler as select zeroblob(300000000)")
    with subprocess.Popen(  # noqa: S603 (our own command)
        [*CI_OBSERVER, "backup", folder / "a.db"],
        env=environ_with(CI_OBSERVER_DB=archive),
        stderr=subprocess.DEVNULL,
    ) as process:
        eventually((folder / ".a.db.part").exists, every=0.001)
        process.send_signal(number)
        assert process.wait(HANG_SECONDS) == 1

    assert names_in(folder) == []


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, folder: Path, content: bytes
) -> None:
    (tmp_path / "x.db").write_bytes(content)

    result = backup(tmp_path / "x.db", folder / "a.db")

    assert (result.exit_code, names_in(folder)) == (1, [])
    assert str(tmp_path / "x.db") in result.stderr


def test_a_missing_database_is_not_created(tmp_path: Path, folder: Path) -> None:
    result = backup(tmp_path / "x.db", folder / "a.db")

    assert (result.exit_code, (tmp_path / "x.db").exists()) == (1, False)
    assert "There is no database" in result.stderr


def test_a_database_of_any_version_is_saved_and_not_changed(
    tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / "old.db"
    with closing(schema.connect(path)) as db:
        migrations.apply(db, stop_before="m002_polling")

    assert backup(path, folder / "a.db").exit_code == 0

    with closing(Database(folder / "a.db")) as copy:
        assert [row.name for row in migrations.applied(copy)] == ["m001_runs"]
