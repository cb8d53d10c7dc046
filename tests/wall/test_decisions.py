"""The derived tables always equal the views that define them."""

from pathlib import Path
from typing import Any

from archive import NOW, save_runs, set_clock, watch
from factories import run_payload, times
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database
from tiles import FEED, rerun, run

from ci_observer.ingest.db import derived, schema
from ci_observer.ingest.store.jobs import save_jobs
from ci_observer.ingest.store.pending import PendingItem

CONCLUSIONS = ("success", "failure", "timed_out", "cancelled", "skipped", None)
RESULTS = {"success": "passing", "failure": "failing", "timed_out": "failing"}


@st.composite
def observations(draw):
    """A few runs as polling finds them: attempt after attempt, and jobs of some."""
    seen = []
    for run_id in range(1, draw(st.integers(1, 6)) + 1):
        event = draw(st.sampled_from(("push", "schedule")))
        branch = draw(st.sampled_from(("main", "main", "dev")))
        for attempt in range(1, draw(st.integers(1, 3)) + 1):
            conclusion = draw(st.sampled_from(CONCLUSIONS))
            started = times(f"{attempt + 10}:{run_id:02}", draw(st.integers(0, 1)))
            payload = run_payload(
                run_id,
                **started | {"created_at": times(f"10:{run_id:02}")["created_at"]},
                run_attempt=attempt,
                status="completed" if conclusion else "in_progress",
                conclusion=conclusion,
                event=event,
                head_branch=branch,
            )
            seen.append((payload, draw(st.sampled_from((None, "success", "failure")))))
    return seen


def save(db: Database, payload: dict[str, Any], job: str | None) -> None:
    save_runs(db, payload)
    if job:
        run_id, attempt = payload["id"], payload["run_attempt"]
        found = {"id": 10 * run_id + attempt, "conclusion": job}
        item = PendingItem("jobs", run_id, attempt, None, *FEED)
        save_jobs(db, item, [found | {"run_attempt": attempt}])


def rows(db: Database, name: str) -> list[Any]:
    return sorted(db.execute(f"select * from {name}").fetchall())  # noqa: S608


def assert_tables_equal_views(db: Database) -> None:
    assert rows(db, "decisions") == rows(db, "run_decisions")
    timed = db.execute(
        "select distinct repo, workflow, branch, event from timed_events"
    )
    assert rows(db, "branch_events") == sorted(timed.fetchall())
    assert rows(db, "tiles") == rows(db, "tile_facts")
    assert rows(db, "run_values") == rows(db, "counted_values")
    assert rows(db, "flaky_shas") == rows(db, "counted_flaky_shas")


def expected_of_main(seen: list[Any]) -> tuple[Any, ...]:
    """The last result, streak and since of a branch, computed from all of its runs."""
    decided: dict[int, list[tuple[str, str]]] = {}
    for payload, job in seen:
        result = RESULTS.get(payload["conclusion"])
        if payload["conclusion"] == "cancelled" and job == "failure":
            result = "failing"
        if payload["head_branch"] == "main" and result:
            decided.setdefault(payload["id"], []).append(
                (result, payload["run_started_at"])
            )
    runs = [decided[run_id] for run_id in sorted(decided, reverse=True)]
    streak, since = 0, []
    for attempts in runs:
        result = runs[0][-1][0]
        if attempts[-1][0] != result:
            break
        streak += 1
        for of_attempt, started_at in reversed(attempts):
            if of_attempt != result:
                break
            since.append(started_at)
    return (runs[0][-1][0] if runs else None, streak, min(since, default=None))


@settings(max_examples=30)
@given(observations())
def test_each_derived_table_equals_its_view(tmp_path, seen):
    db = fresh(tmp_path)
    for payload, job in seen:
        save(db, payload, job)
        assert_tables_equal_views(db)
    before = [rows(db, name) for name in derived.BRANCH_TABLES]
    with db.atomic():
        for key in db.execute("select repo, workflow, branch from tiles").fetchall():
            derived.rebuild_branch(db, *key)

    assert [rows(db, name) for name in derived.BRANCH_TABLES] == before
    db.close()


@settings(max_examples=30)
@given(observations())
def test_the_last_result_and_its_streak_are_those_of_all_runs(tmp_path, seen):
    # A failure in zero seconds may be a phantom, which has its own tests.
    seen = [(payload | times_of_a_minute(payload), job) for payload, job in seen]
    db = fresh(tmp_path)
    for payload, job in seen:
        save(db, payload, job)

    tile = db.execute(
        "select last_result, streak, since_at from tiles where branch = 'main'"
    )
    assert (tile.fetchone() or (None, 0, None)) == expected_of_main(seen)
    db.close()


def times_of_a_minute(payload: dict[str, Any]) -> dict[str, str]:
    started_at: str = payload["run_started_at"]
    return {"updated_at": started_at.replace(":00Z", ":30Z")}


def fresh(tmp_path: Path) -> Database:
    path = tmp_path / "decisions.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    db = schema.connect(path)
    schema.migrate(db)
    set_clock(db, NOW)
    watch(db, FEED)
    return db


def test_no_step_of_a_tile_reads_all_runs_of_a_branch(db):
    plan = [
        row[3]
        for row in db.execute(
            "explain query plan select * from tile_facts"
            " where repo = 'acme/api' and workflow = 'ci.yml' and branch = 'main'"
        )
    ]
    of_runs = [step for step in plan if " runs " in step and "PRIMARY KEY" not in step]
    of_decisions = [
        step for step in plan if step.startswith(("SEARCH d ", "SEARCH first "))
    ]

    # `k` and `later` have one row, `recent` and `walk` at most 20, `ends` fewer.
    scans = {
        step
        for step in plan
        if step.startswith("SCAN")
        and "subquery" not in step
        and "VIRTUAL TABLE" not in step
    }
    names = {"recent", "k", "later", "walk", "ends"}
    assert scans == {f"SCAN {name}" for name in names} | {"SCAN CONSTANT ROW"}
    assert [step for step in of_runs if "tile_branch=?" not in step] == []
    assert [step for step in of_decisions if "branch=? AND result=?" not in step] == []
    assert of_runs
    assert of_decisions


def test_a_renamed_repository_s_decisions_can_be_rebuilt(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"), run(2, "13:00", "failure"))
    save_runs(db, rerun(2, "13:00", "14:00", "success"))
    with db.atomic():
        db.execute("update runs set repo = 'acme/new', head_repo = 'acme/new'")
        derived.rebuild_branch(db, "acme/new", "ci.yml", "main")

    assert rows(db, "decisions") == rows(db, "run_decisions")
    assert len(rows(db, "decisions")) == 2
    assert db.execute(
        "select last_result, streak from tiles where repo = 'acme/new'"
    ).fetchall() == [("passing", 2)]


def test_a_run_whose_row_changes_loses_its_former_decision(db):
    watch(db, FEED)
    save_runs(db, run(1, "12:00"), run(2, "13:00"))

    db.execute("update runs set head_branch = 'dev' where run_id = 1")

    assert [row["run_id"] for row in db["decisions"].rows] == [2]
