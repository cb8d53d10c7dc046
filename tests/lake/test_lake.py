"""The lake has the rows of the database, however often and from where it is merged."""

import shutil
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from archive import save_runs, watch
from factories import run_payload
from lakes import TABLES, merge, stored_rows
from sqlite_utils import Database
from varied_archive import fill_varied

from ci_observer.ingest.db import schema
from ci_observer.ingest.lake import merging
from ci_observer.ingest.lake.passes import run_pass
from ci_observer.ingest.lake.place import Place
from ci_observer.ingest.store import instance, repos
from ci_observer.ingest.store.database import transaction

HOSTILE = "Ünïcode ✅ \u202e'; drop table runs; --\n{{7*7}} \x00 \U0001f600"
FEED = ("acme/api", "ci.yml")


def assert_equal(db: Database, lake, *names: str) -> None:
    for name in names or TABLES:
        assert lake.rows(name) == stored_rows(db, name), name


def change_runs(db: Database, sql: str) -> None:
    """Change rows as ingest does it, with a new revision."""
    with transaction(db):
        db.execute(sql)
        instance.bump_revision(db)


def test_all_rows_arrive_in_chunks(db, db_path, lake, monkeypatch):
    monkeypatch.setattr(merging, "CHUNK", 100)
    fill_varied(db, runs=120)
    change_runs(db, "update runs set pr_number = null")

    merge(db_path, lake.folder)

    assert_equal(db, lake)
    assert len(lake.rows("jobs")) > len(lake.rows("attempts")) // 2


def test_a_second_merge_writes_nothing_and_makes_no_file(db, db_path, lake):
    fill_varied(db, runs=10)
    merge(db_path, lake.folder)
    before = lake.files()

    assert merge(db_path, lake.folder) == {}
    assert lake.files() == before


def test_hostile_texts_and_odd_values_arrive(db, db_path, lake):
    watch(db, FEED)
    save_runs(db, run_payload(1, display_title=HOSTILE, head_branch=HOSTILE))
    change_runs(db, "update runs set run_number = 'x', started_at = 'never'")

    merge(db_path, lake.folder)

    [run] = lake.rows("runs")
    [[title]] = db.execute("select display_title from runs")
    assert (run["display_title"], run["run_number"]) == (title, None)
    assert run["started_at"] is None
    assert "drop table" in title


def test_texts_that_are_not_utf_8_and_far_times_arrive(db, db_path, lake):
    watch(db, FEED)
    save_runs(db, *(run_payload(n) for n in range(1, 5)))
    change_runs(db, "update runs set head_branch = cast(x'41ff' as text)")
    change_runs(
        db,
        "update runs set created_at = case run_id when 1 then '1970-01-01'"
        " when 2 then '9999-12-31' when 3 then '' else '0' end",
    )

    merge(db_path, lake.folder)

    runs = lake.rows("runs")
    assert {run["head_branch"] for run in runs} == {"A\ufffd"}
    assert [run["month"] for run in runs] == ["1970-01", "9999-12", *["unknown"] * 2]
    assert [run["created_at"] for run in runs] == [0, 253402214400, None, None]


def test_a_new_attempt_replaces_the_run_and_adds_to_the_attempts(db, db_path, lake):
    watch(db, FEED)
    save_runs(db, run_payload(1, conclusion="failure"), run_payload(2))
    merge(db_path, lake.folder)
    again = {
        "run_attempt": 2,
        "run_started_at": "2026-03-01T13:00:00Z",
        "updated_at": "2026-03-01T13:05:00Z",
    }
    save_runs(db, run_payload(1, **again))

    found = merge(db_path, lake.folder)

    assert found["runs"] == (0, 1)
    assert found["attempts"] == (1, 0)
    assert_equal(db, lake)


def test_a_rename_is_written_to_all_tables(db, db_path, lake):
    fill_varied(db, runs=20)
    merge(db_path, lake.folder)
    with transaction(db):
        repos.rename(db, "acme/api", "acme/renamed")

    merge(db_path, lake.folder)

    assert_equal(db, lake)
    assert "acme/api" not in {row["repo"] for row in lake.rows("jobs")}


def test_old_runs_that_a_backfill_finds_late_arrive(db, db_path, lake):
    watch(db, FEED)
    save_runs(db, run_payload(5000))
    merge(db_path, lake.folder)
    old = dict.fromkeys(("created_at", "run_started_at", "updated_at"))
    old = dict.fromkeys(old, "2024-01-05T10:00:00Z")
    save_runs(db, *(run_payload(n, **old) for n in (1, 2)))

    assert merge(db_path, lake.folder)["runs"] == (2, 0)
    assert_equal(db, lake)


def test_changes_that_github_does_not_date_arrive(db, db_path, lake):
    watch(db, FEED)
    save_runs(db, run_payload(1), run_payload(2))
    merge(db_path, lake.folder)
    change_runs(db, "update runs set queue_seconds = 7 where run_id = 1")

    assert merge(db_path, lake.folder) == {"runs": (0, 1)}
    assert_equal(db, lake)


def test_a_replica_that_lags_overwrites_nothing(db, db_path, lake, tmp_path):
    watch(db, FEED)
    save_runs(db, run_payload(1))
    replica = copy(db, tmp_path / "replica.db")
    change_runs(db, "update runs set queue_seconds = 7")
    merge(db_path, lake.folder)

    assert merge(replica, lake.folder) == {}
    assert_equal(db, lake)
    assert merge(db_path, lake.folder) == {}


def test_a_restored_backup_is_written_again_and_keeps_newer_runs(
    db, db_path, lake, tmp_path
):
    watch(db, FEED)
    save_runs(db, run_payload(1))
    backup = copy(db, tmp_path / "backup.db")
    save_runs(db, run_payload(2), run_payload(3))
    merge(db_path, lake.folder)
    with closing(schema.connect(backup)) as restored:
        # Its log has other changes under the same numbers.
        save_runs(restored, *(run_payload(n) for n in range(4, 12)))

        assert merge(backup, lake.folder)["runs"] == (8, 0)
        assert [row["run_id"] for row in lake.rows("runs")] == list(range(1, 12))


def test_a_lake_that_missed_more_than_the_log_has_is_filled_again(
    db, db_path, lake, monkeypatch
):
    watch(db, FEED)
    save_runs(db, run_payload(1))
    merge(db_path, lake.folder)
    monkeypatch.setattr(instance, "CHANGES_KEPT", 2)
    save_runs(db, *(run_payload(n) for n in range(2, 6)))
    instance.save_poll(db, poll())

    assert db.execute("select count(*) from run_changes").fetchone() == (2,)
    assert merge(db_path, lake.folder)["runs"] == (4, 0)
    assert_equal(db, lake)


def test_a_deleted_lake_is_filled_again_by_a_running_process(db, db_path, lake):
    watch(db, FEED)
    save_runs(db, run_payload(1))
    running = Place(str(lake.folder), folder=lake.folder)
    run_pass(db_path, running)
    shutil.rmtree(lake.folder)

    run_pass(db_path, running)

    assert_equal(db, lake)


def test_tiles_that_the_wall_no_longer_shows_are_deleted(db, db_path, lake):
    watch(db, FEED, ("acme/web", "ci.yml"))
    save_runs(db, run_payload(1))
    save_runs(db, run_payload(2), repo="acme/web")
    merge(db_path, lake.folder)
    change_runs(db, "update feeds set is_watched = 0 where repo = 'acme/web'")

    merge(db_path, lake.folder)

    assert [row["repo"] for row in lake.rows("tiles")] == ["acme/api"]


def test_writers_of_one_month_lose_nothing(migrated_file, lake, tmp_path):
    paths = [shard(migrated_file, tmp_path, number) for number in range(3)]
    threads = [Thread(target=merge, args=(path, lake.folder)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [row["run_id"] for row in lake.rows("runs")] == [1, 101, 201, 999]
    assert len(lake.rows("attempts")) == 4
    assert len(lake.rows("tiles")) == 3


def shard(migrated_file: bytes, folder: Path, number: int) -> Path:
    """A database with a run of its own, and one that every other has, too."""
    path = folder / f"{number}.db"
    path.write_bytes(migrated_file)
    repo = f"acme/{number}"
    with closing(schema.connect(path)) as db:
        db.execute(
            "update instance set value = ? where key = 'database_id'", [str(number)]
        )
        watch(db, (repo, "ci.yml"))
        save_runs(db, run_payload(100 * number + 1), run_payload(999), repo=repo)
    return path


def copy(db: Database, path: Path) -> Path:
    """The database as it is now, in another file."""
    db.execute("pragma wal_checkpoint(truncate)")
    [[_, _, source]] = db.execute("pragma database_list")
    shutil.copyfile(source, path)
    return path


def poll() -> dict[str, object]:
    """A poll of nothing."""
    counts = ("feeds", "feeds_failed", "requests", "not_modified", "runs_written")
    at = "2026-03-01T18:00:00Z"
    return dict.fromkeys(counts, 0) | {"started_at": at, "finished_at": at}


@pytest.mark.parametrize("name", ["runs", "attempts", "jobs"])
def test_every_column_of_the_database_is_in_the_lake(db, name):
    """One that should not be has its reason here."""
    left_out = {"annotations_at", "has_jobs"}
    table = TABLES[name]
    # Virtual columns, too.
    rows = db.execute(f"pragma table_xinfo({table.described_as})")

    assert {row[1] for row in rows} - set(table.columns) <= left_out
