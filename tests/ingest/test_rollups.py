"""The rollups: what they count, and how the background builds them."""

import asyncio
import itertools
import logging
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from archive import NOW, save_runs, watch
from click.testing import CliRunner
from factories import run_payload
from rollups import build_all, differing_rows, is_complete
from sqlite_utils import Database
from tiles import FEED

from ci_observer.ingest.cli import main
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.polling import rollups as background
from ci_observer.ingest.polling.background import PAUSE_SECONDS
from ci_observer.ingest.polling.rollups import CHECK_SECONDS, RollupBuilding
from ci_observer.ingest.store import feeds, instance, repos, workflows
from ci_observer.ingest.store import rollups as builder
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.jobs import save_jobs
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.rollups import RollupProgress


@pytest.fixture
def runs(db: Database) -> Database:
    """Ten runs of two feeds with jobs, from February to April 2026."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    for run_id in range(1, 6):
        day = f"2026-0{run_id % 3 + 2}-1{run_id}"
        save_runs(db, timed_run(run_id, day))
        web = {"id": 2, "full_name": "acme/web"}
        payload = timed_run(10 + run_id, day, repository=web, head_repository=web)
        save_runs(db, payload, repo="acme/web")
        item = PendingItem("jobs", run_id, 1, None, *FEED)
        save_jobs(db, item, [job(run_id)])
    return db


def timed_run(run_id: int, day: str, **fields: Any) -> dict[str, Any]:
    """A run of two minutes, half an hour before the end of a UTC day."""
    times = {
        "created_at": f"{day}T23:30:00Z",
        "run_started_at": f"{day}T23:30:00Z",
        "updated_at": f"{day}T23:32:00Z",
    }
    return run_payload(run_id, **times | fields)


def job(run_id: int) -> dict[str, Any]:
    return {
        "id": 100 + run_id,
        "name": "test",
        "run_attempt": 1,
        "status": "completed",
        "conclusion": "success",
        "created_at": "2026-03-01T12:00:00Z",
        "started_at": "2026-03-01T12:00:07Z",
        "completed_at": "2026-03-01T12:01:08Z",
        "labels": ["ubuntu-latest"],
    }


def days(db: Database) -> list[str]:
    return [
        day
        for (day,) in db.execute(
            "select period from run_rollups where unit = 'day' and repo = ''"
            " and is_default_branch order by period"
        )
    ]


def set_zone(db: Database, timezone: str, *, year: int = 2026) -> None:
    """Start with another time zone, in some year."""
    config = Config(repos=("acme/api",), workflows=("ci.yml",), timezone=timezone)
    now = datetime(year, 5, 1, tzinfo=UTC)
    instance.save_settings(db, config, version="1", now=now)


def test_a_day_and_a_month_have_rows_of_each_workflow_and_of_all(runs):
    levels = runs.execute(
        "select unit, period, repo, workflow, runs, success, timed_seconds"
        " from run_rollups where period in ('2026-03-11', '2026-03')"
    ).fetchall()

    assert levels == [
        ("day", "2026-03-11", "", "", 2, 2, 240),
        ("day", "2026-03-11", "acme/api", "ci.yml", 1, 1, 120),
        ("day", "2026-03-11", "acme/web", "ci.yml", 1, 1, 120),
        ("month", "2026-03", "", "", 4, 4, 480),
        ("month", "2026-03", "acme/api", "ci.yml", 2, 2, 240),
        ("month", "2026-03", "acme/web", "ci.yml", 2, 2, 240),
    ]


@pytest.mark.parametrize("is_built", [True, False])
def test_the_new_runs_of_a_page_are_counted_once(runs, is_built):
    if not is_built:
        with runs.conn:
            runs.execute("update rollup_progress set from_run_id = null")
        builder.build(runs, 3)
    # Among counted runs and others: new ones, and one that is known.
    ids = (5, 6, 7, 8, 9, 10, 16, 17, 18, 19)
    pages = [timed_run(i, f"2026-03-1{i % 3}", conclusion="failure") for i in ids]
    save_runs(runs, *pages)
    assert is_complete(runs) is is_built
    if not is_built:
        build_all(runs, 3)
    assert differing_rows(runs) == {}


def test_the_jobs_of_a_new_run_are_counted_with_it(runs):
    runs.execute("pragma foreign_keys = off")
    with runs.conn:
        runs.execute("delete from runs where run_id < 4")
    assert differing_rows(runs) == {}
    save_runs(runs, *(timed_run(run_id, "2026-03-11") for run_id in range(1, 8)))
    assert differing_rows(runs) == {}


def test_minutes_are_rounded_up_for_each_job(runs):
    rows = runs.execute(
        "select labels, waste, jobs, seconds, minutes from job_rollups"
        " where unit = 'month' and repo = ''"
    ).fetchall()

    assert rows == [('["ubuntu-latest"]', "", 5, 305, 10)]


@pytest.mark.parametrize("conclusion", ["cancelled", "skipped"])
def test_a_job_that_no_runner_took_costs_no_minutes(runs, conclusion):
    item = PendingItem("jobs", 1, 1, None, *FEED)
    never_run = {
        "id": 200,
        "name": "deploy",
        "conclusion": conclusion,
        "runner_id": 0,
        "steps": [],
    }

    save_jobs(runs, item, [job(1), job(1) | never_run])

    [counted] = runs.execute(
        "select jobs, seconds, minutes from job_rollups"
        " where unit = 'month' and repo = ''"
    ).fetchall()
    assert counted == (6, 305, 10)


def test_a_bucket_reports_a_value_within_2_5_percent(db):
    found = db.execute(
        "select bucket, from_seconds, to_seconds, seconds from duration_buckets"
    ).fetchall()

    assert [row[:3] for row in found[:21]] == [(n, n, n + 1) for n in range(21)]
    assert [row[1] for row in found[1:]] == [row[2] for row in found[:-1]]
    assert found[-1][2] > 35 * 24 * 3600
    for _, first, end, value in found[1:]:
        assert (
            max(abs(value - first) / first, abs(value - (end - 1)) / (end - 1)) < 0.025
        )
        assert end - 1 <= first * 1.05


def test_a_new_time_zone_counts_the_days_again_in_the_background(runs):
    assert days(runs)[0] == "2026-02-13"

    set_zone(runs, "Europe/Zurich")

    assert days(runs) == []
    assert not is_complete(runs)
    build_all(runs, 3)
    assert days(runs)[0] == "2026-02-14"
    assert differing_rows(runs) == {}
    [[timezone]] = runs.execute("select timezone from rollup_progress")
    assert timezone == "Europe/Zurich"


def test_a_zone_with_the_same_days_until_now_counts_nothing_again(runs):
    set_zone(runs, "Africa/Abidjan")
    set_zone(runs, "Africa/Abidjan", year=2031)

    assert is_complete(runs)
    assert len(days(runs)) == 5


def test_a_later_start_adds_offsets_and_counts_nothing_again(runs):
    set_zone(runs, "Europe/Zurich")
    build_all(runs)
    before = runs["timezone_offsets"].count

    set_zone(runs, "Europe/Zurich", year=2028)

    assert runs["timezone_offsets"].count == before + 4
    assert is_complete(runs)


def test_the_newest_runs_are_counted_first(runs):
    before = days(runs)
    runs.execute("update rollup_progress set from_run_id = null")

    builder.build(runs, 2)

    [progress] = runs.execute(
        "select from_run_id, runs_done, runs_total from rollup_progress"
    ).fetchall()
    assert progress == (14, 2, 10)
    assert days(runs) == ["2026-03-14", "2026-04-15"]
    save_runs(runs, timed_run(20, "2026-04-20"))
    assert "2026-04-20" in days(runs)
    build_all(runs, 3)
    assert days(runs) == [*before, "2026-04-20"]
    assert differing_rows(runs) == {}


def test_another_default_branch_moves_the_runs_of_both(runs):
    save_runs(runs, timed_run(30, "2026-04-20", head_branch="trunk"))

    feeds.save_metadata(
        runs, "acme/api", default_branch="trunk", workflows=None, now=NOW
    )

    counted = runs.execute(
        "select is_default_branch, sum(runs) from run_rollups"
        " where unit = 'day' and repo = 'acme/api' group by 1"
    ).fetchall()
    assert counted == [(0, 5), (1, 1)]
    assert differing_rows(runs) == {}


@pytest.mark.parametrize("new", ["acme/web", "Acme/API", "other/api"])
def test_a_renamed_repository_takes_its_counts_along(runs, new):
    with transaction(runs):
        repos.rename(runs, "acme/api", new)

    assert differing_rows(runs) == {}
    names = runs.execute("select distinct repo from job_rollups").fetchall()
    assert names == [("",), (new,)]


def test_a_renamed_workflow_takes_its_counts_along(runs):
    with transaction(runs):
        workflows.rename(runs, "acme/api", "ci.yml", "test.yml")

    assert differing_rows(runs) == {}


def test_a_replaced_row_of_a_feed_changes_the_default_branch(runs):
    runs.execute("pragma foreign_keys = off")
    runs.execute(
        "insert or replace into feeds (repo, workflow, default_branch)"
        " values ('acme/api', 'ci.yml', 'dev')"
    )

    assert differing_rows(runs) == {}


def test_the_progress_has_always_one_row(db):
    for sql in (
        "delete from rollup_progress",
        "insert into rollup_progress values (0, 'UTC', 0, 0)",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="rollup_progress"):
            db.execute(sql)


KILLED = """
import os, signal, sys
from pathlib import Path
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import rollups
db = schema.connect(Path(sys.argv[1]))
db.execute("update rollup_progress set from_run_id = null")
db.conn.commit()
rollups.build(db, 3)
rollups.bump_revision = lambda db: os.kill(os.getpid(), signal.SIGKILL)
rollups.build(db, 3)
"""


def test_a_killed_build_continues_and_counts_nothing_twice(runs, db_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, db_path], check=False)  # noqa: S603

    assert killed.returncode == -signal.SIGKILL
    assert builder.progress(runs) == RollupProgress(False, 3, 10)
    build_all(runs, 3)
    assert differing_rows(runs) == {}


def test_migrate_counts_all_runs_at_once(runs, db_path):
    runs.execute("update rollup_progress set from_run_id = null")
    runs.conn.commit()

    result = CliRunner().invoke(main, ["migrate"], env={"CI_OBSERVER_DB": str(db_path)})

    assert result.exit_code == 0
    assert "10 runs counted for charts.\n" in result.output
    assert differing_rows(runs) == {}


def test_an_upgrade_counts_the_runs_in_the_background(runs):
    runs.execute("drop view counted_job_rollups")
    runs.execute("create view counted_job_rollups as select 1")

    schema.migrate(runs)

    assert builder.progress(runs) == RollupProgress(False, 0, 10)
    build_all(runs)
    assert differing_rows(runs) == {}


def test_the_background_logs_its_progress_and_its_end(runs, caplog, monkeypatch):
    monkeypatch.setattr(background, "MIN_BATCH", 3)
    monkeypatch.setattr(background, "MAX_BATCH", 3)
    monkeypatch.setattr(background, "LOG_EVERY", 5)
    caplog.set_level(logging.INFO)
    runs.execute("update rollup_progress set from_run_id = null")
    runs.conn.commit()
    building = RollupBuilding(runs)
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if seconds == CHECK_SECONDS:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(building.run(wait))

    assert waits == [PAUSE_SECONDS] * 3 + [CHECK_SECONDS]
    assert [record.getMessage() for record in caplog.records] == [
        "10 runs to count for charts, newest first, in the background; "
        "ci-observer migrate counts all of them at once",
        "6 of 10 runs counted for charts",
        "10 runs counted for charts, none left",
    ]
    assert differing_rows(runs) == {}


@pytest.mark.parametrize(
    ("seconds", "limits"),
    [(0.01, [100, 1000, 5000]), (0.1, [100, 100, 100]), (1, [100, 100, 100])],
)
def test_a_batch_takes_a_tenth_of_a_second(runs, monkeypatch, seconds, limits):
    times = itertools.count(0, seconds)
    building = RollupBuilding(runs, timer=lambda: next(times))
    asked = []

    def build(db: Database, limit: int, *, shows: bool) -> int:
        asked.append(limit)
        return limit

    runs.execute("update rollup_progress set from_run_id = null")
    monkeypatch.setattr(builder, "build", build)

    for _ in range(3):
        building.build_some()

    assert (
        asked == {0.01: [100, 1000, 5000], 0.1: [100, 100, 100], 1: [100] * 3}[seconds]
    )


def test_a_full_disk_is_logged_once_and_tried_again(runs, caplog, monkeypatch):
    runs.execute("update rollup_progress set from_run_id = null")
    runs.conn.commit()
    building = RollupBuilding(runs)

    with monkeypatch.context() as full:
        full.setattr(builder, "build", refuse)
        assert [building.build_some(), building.build_some()] == [False, False]
    while building.build_some():
        pass

    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith("Runs cannot be counted for charts: ")
    assert differing_rows(runs) == {}


def refuse(db: Database, limit: int, *, shows: bool) -> int:
    raise sqlite3.OperationalError("database or disk is full")
