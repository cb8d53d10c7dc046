"""Minutes in SQL: run, billed by the factors of the settings, and wasted."""

from typing import Any

import pytest
from archive import NOW, save_cause, save_runs, set_clock, watch
from factories import run_payload, times
from sqlite_utils import Database
from tiles import FEED, rerun, rows_of

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import instance
from ci_observer.ingest.store.jobs import save_jobs
from ci_observer.ingest.store.pending import PendingItem


@pytest.fixture
def archive(db: Database) -> Database:
    watch(db, FEED)
    set_clock(db, NOW)
    return db


def save_job(
    db: Database, run_id: int, seconds: int, *labels: str, attempt: int = 1, **more: Any
) -> None:
    """A job that started at noon and ran for some seconds."""
    job = {
        "id": run_id * 10 + attempt,
        "run_attempt": attempt,
        "name": "test",
        "status": "completed",
        "conclusion": "success",
        "created_at": "2026-03-01T12:00:00Z",
        "started_at": "2026-03-01T12:00:00Z",
        "completed_at": f"2026-03-01T12:{seconds // 60:02}:{seconds % 60:02}Z",
        "labels": list(labels),
    }
    save_jobs(db, PendingItem("jobs", run_id, attempt, None, *FEED), [job | more])


def billed(db: Database) -> dict[str, tuple[str, float, float | None]]:
    """System, run minutes and billed minutes by labels."""
    return {
        row["labels"]: (row["os"], row["run_minutes"], row["billed_minutes"])
        for row in rows_of(db, "select * from minutes_daily")
    }


def test_minutes_are_rounded_up_and_multiplied_by_the_systems_factor(
    archive: Database,
) -> None:
    kinds = [
        ("ubuntu-latest",),
        ("Windows-2022",),
        ("macOS-latest",),
        ("self-hosted", "macOS"),
        ("my-macos-box",),
        ("macos-latest-xlarge",),
    ]
    save_runs(archive, *(run_payload(n) for n in range(1, len(kinds) + 2)))
    for run_id, labels in enumerate(kinds, 1):
        save_job(archive, run_id, 61, *labels)
    # Stored by an older version.
    save_job(archive, len(kinds) + 1, 60)
    with archive.atomic():
        archive.execute("update jobs set labels = null where run_id = 7")

    assert billed(archive) == {
        '["ubuntu-latest"]': ("linux", 1.0, 2),
        '["Windows-2022"]': ("windows", 1.0, 4),
        '["macOS-latest"]': ("macos", 1.0, 20),
        '["self-hosted","macOS"]': ("self-hosted", 1.0, 0),
        '["my-macos-box"]': ("linux", 1.0, 2),
        '["macos-latest-xlarge"]': ("macos", 1.0, 20),
        "": ("unknown", 1.0, None),
    }
    # Also for days of the past: a label has a factor of its own.
    text = "macos=8,macos-latest-xlarge=17.5,self-hosted=0.1"
    config = Config.from_environ({"MINUTE_MULTIPLIERS": text})
    instance.save_settings(archive, config, version="0.1.0", now=NOW)
    assert billed(archive)['["macOS-latest"]'][2] == 16
    assert billed(archive)['["macos-latest-xlarge"]'][2] == 35
    assert billed(archive)['["self-hosted","macOS"]'][2] == pytest.approx(0.2)


def test_waste_is_told_apart_and_counted_once(archive: Database) -> None:
    failed = {"conclusion": "failure"}
    cancelled = {"conclusion": "cancelled"}
    save_runs(
        archive,
        run_payload(1, **times("10:00")),
        run_payload(2, **failed, **times("10:01")),
        run_payload(3, **cancelled, **times("10:02")),
        run_payload(4, **cancelled, **times("10:03")),
        run_payload(5, **failed, **times("10:04")),
    )
    save_cause(archive, 4, "superseded")
    for run_id in range(1, 6):
        save_job(archive, run_id, 60 * run_id, "ubuntu-latest")
    other = {"triggering_actor": {"login": "bob"}}
    save_runs(archive, rerun(5, "10:04", "12:00", "success", **other))
    save_job(archive, 5, 360, "ubuntu-latest", attempt=2)

    [row] = rows_of(archive, "select * from minutes_daily")
    assert row == {
        "day": "2026-03-01",
        "repo": "acme/api",
        "workflow": "ci.yml",
        "os": "linux",
        "labels": '["ubuntu-latest"]',
        "jobs": 6,
        "run_minutes": 21.0,
        "billed_minutes": 21.0,
        "wasted_minutes": 20.0,
        "wasted_billed_minutes": 20.0,
        "superseded_minutes": 4.0,
        "cancelled_minutes": 3.0,
        "failed_minutes": 7.0,
        "rerun_minutes": 6.0,
    }
    actors = rows_of(archive, "select actor, run_minutes from actor_minutes_daily")
    assert sorted((row["actor"], row["run_minutes"]) for row in actors) == [
        ("ada", 15.0),
        ("bob", 6.0),
    ]


def test_a_day_is_found_by_the_key_of_the_rollups(db: Database) -> None:
    for view, table in (
        ("minutes_daily", "job_rollups"),
        ("actor_minutes_daily", "actor_rollups"),
    ):
        sql = f"select * from {view} where day >= '2026-03-01' and repo = 'acme/api'"  # noqa: S608 (own names)
        plan = " ".join(row[3] for row in db.execute(f"explain query plan {sql}"))
        assert f"SEARCH {table} USING PRIMARY KEY (unit=? AND period>?)" in plan
