"""Jobs and their steps are stored as GitHub sends them, whatever it sends."""

from datetime import UTC, datetime, timedelta

import pytest
from archive import save_runs, watch
from factories import run_payload
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database
from tiles import FEED

from ci_observer.ingest.db import schema
from ci_observer.ingest.github.job_rows import job_row
from ci_observer.ingest.store.jobs import save_jobs
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import utc

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ITEM = PendingItem("jobs", 1, 1, None, *FEED)


def at(seconds: int | None) -> str | None:
    return None if seconds is None else utc(START + timedelta(seconds=seconds))


def job(**changes):
    """A job that was queued for 8 s and ran for 90 s."""
    return {
        "id": 7,
        "run_id": 1,
        "run_attempt": 1,
        "name": "test (3.13)",
        "status": "completed",
        "conclusion": "success",
        "created_at": at(2),
        "started_at": at(10),
        "completed_at": at(100),
        "labels": ["self-hosted", "linux"],
        "runner_id": 12,
        "runner_name": "box-12",
        "runner_group_id": 3,
        "runner_group_name": "Big boxes",
        "html_url": "https://github.com/acme/api/actions/runs/1/job/7",
        "steps": [],
        **changes,
    }


def row(**changes):
    return job_row(job(**changes), run_id=1, run_attempt=1)


def new_database() -> Database:
    """A database with one stored run, which started at `START`."""
    found = Database(memory=True)
    schema.migrate(found)
    watch(found, FEED)
    save_runs(found, run_payload(1, created_at=at(0), run_started_at=at(0)))
    return found


@pytest.fixture
def db():
    return new_database()


@pytest.fixture(scope="module")
def reused_db():
    """A database for all examples of a property."""
    return new_database()


def test_a_job_object_becomes_a_row():
    assert row(steps=[{"name": "Run pytest", "conclusion": "failure"}]) == {
        "job_id": 7,
        "run_id": 1,
        "run_attempt": 1,
        "name": "test (3.13)",
        "status": "completed",
        "conclusion": "success",
        "started_at": "2026-03-01T12:00:10Z",
        "completed_at": "2026-03-01T12:01:40Z",
        "duration_seconds": 90,
        "runner_name": "box-12",
        "failed_step": "Run pytest",
        "html_url": "https://github.com/acme/api/actions/runs/1/job/7",
        "created_at": "2026-03-01T12:00:02Z",
        "queue_seconds": 8,
        "labels": '["self-hosted","linux"]',
        "runner_group": "Big boxes",
    }


NO_RUNNER = {"runner_id": 0, "runner_name": "", "runner_group_name": ""}


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        pytest.param({"created_at": at(11)}, 0, id="GitHub's clocks differ"),
        pytest.param({"conclusion": "skipped"}, None, id="skipped"),
        pytest.param(
            NO_RUNNER | {"conclusion": "cancelled"}, None, id="cancelled in the queue"
        ),
        pytest.param(
            NO_RUNNER | {"conclusion": "failure"}, None, id="no runner took it"
        ),
        pytest.param({"conclusion": "cancelled"}, 8, id="cancelled on a runner"),
        pytest.param({"created_at": None}, None, id="an old server"),
        pytest.param({"started_at": None}, None, id="not started"),
        pytest.param({"started_at": "soon"}, None, id="no time"),
        pytest.param({"completed_at": at(5)}, 8, id="ended before its start"),
        pytest.param({"status": "queued", "conclusion": None}, None, id="queued"),
        pytest.param({"status": "in_progress", "conclusion": None}, 8, id="running"),
    ],
)
def test_queue_time_is_that_of_jobs_that_a_runner_took(changes, seconds):
    assert row(**changes)["queue_seconds"] == seconds


@pytest.mark.parametrize(
    ("labels", "stored"),
    [
        ([], "[]"),
        (None, None),
        ("ubuntu-latest", None),
        (["größe", 7, None], '["größe"]'),
    ],
)
def test_labels_are_stored_as_a_json_list(labels, stored):
    assert row(labels=labels)["labels"] == stored


def test_a_server_of_old_without_runners_and_times_gives_a_row():
    old = {"id": 7, "conclusion": "failure", "started_at": at(0), "completed_at": at(9)}
    found = job_row(old, run_id=1, run_attempt=1)

    assert (found["duration_seconds"], found["queue_seconds"]) == (9, None)
    assert (found["labels"], found["runner_group"]) == (None, None)


WORDS = st.sampled_from(("success", "failure", "cancelled", "skipped", None, "odd"))
SECONDS = st.none() | st.integers(-5, 9_000)


@st.composite
def step_lists(draw):
    """Steps as a runner does them one after the other, and steps of any kind."""
    steps, clock = [], 10
    for place in range(1, draw(st.integers(1, 12)) + 1):
        end = clock + draw(st.integers(0, 300))
        usual = {"conclusion": "success", "started_at": clock, "completed_at": end}
        odd = st.fixed_dictionaries(
            {"conclusion": WORDS, "started_at": SECONDS, "completed_at": SECONDS}
        )
        step = draw(st.just(usual) | odd)
        number = draw(st.just(place) | st.integers(1, 10**12))
        steps.append({"name": draw(st.none() | st.text()), "number": number, **step})
        clock = end
    return steps


@given(steps=step_lists(), started_at=st.just(10) | SECONDS)
def test_the_view_gives_back_the_steps(reused_db, steps, started_at):
    sent = [
        s | {"started_at": at(s["started_at"]), "completed_at": at(s["completed_at"])}
        for s in steps
    ]
    save_jobs(reused_db, ITEM, [job(started_at=at(started_at), steps=sent)])

    found = reused_db.query(
        "select name, number, conclusion, started_at, completed_at from steps"
    )
    assert [s | {"name": s["name"] or None} for s in found] == [
        s | {"name": clean(s["name"])} for s in sent
    ]


def clean(name):
    """A text as SQLite's JSON gives it: it ends at a NUL."""
    return name.partition("\0")[0] or None if name else None


def test_the_names_of_steps_are_stored_once(db):
    steps = [
        {"name": name, "number": number, "conclusion": "success"}
        for number, name in ((1, "Set up job"), (2, "Test"), (9, "Complete job"))
    ]
    save_jobs(db, ITEM, [job(id=number, steps=steps) for number in (1, 2, 3)])

    assert list(db["step_names"].rows) == [
        {"names_id": 1, "names": '["Set up job","Test",[9,"Complete job"]]'}
    ]
    assert db["job_steps"].count == 3


def test_a_run_waits_until_its_first_job_runs(db):
    save_jobs(
        db,
        ITEM,
        [
            job(id=1, conclusion="skipped", started_at=at(1), **NO_RUNNER),
            job(id=2, started_at=at(31)),
            job(id=3, started_at=at(14)),
        ],
    )

    for table in ("runs", "run_attempts"):
        [found] = db[table].rows
        assert (found["queue_seconds"], found["waited_for"]) == (14, None)


def test_unchanged_jobs_are_not_written_again(db):
    save_jobs(db, ITEM, [job(steps=[{"name": "Test", "number": 1}])])
    db.execute("create table writes (name)")
    for table in ("jobs", "job_steps", "step_names"):
        db.execute(
            f"create trigger {table}_written after update on {table}"  # noqa: S608 (own names)
            " begin insert into writes values (1); end"
        )

    save_jobs(db, ITEM, [job(steps=[{"name": "Test", "number": 1}])])

    assert db["writes"].count == 0


@pytest.mark.parametrize("order", [(1, 2), (2, 1), (1, 2, 1, 2)])
def test_a_kept_job_that_is_listed_again_ran_once(db, order):
    """GitHub lists it with another id, attempt and `created_at`, and the same times."""
    second = {"run_attempt": 2, "run_started_at": at(600)}
    save_runs(db, run_payload(1, created_at=at(0), updated_at=at(700), **second))
    kept, broken = job(id=1, name="lint"), job(id=2, conclusion="failure")
    again = {"run_attempt": 2, "created_at": at(601)}
    mended = {"id": 12, "started_at": at(605), "completed_at": at(660)}
    listed = {
        1: [kept, broken],
        2: [
            kept | again | {"id": 11},
            broken | again | {"conclusion": "success"} | mended,
        ],
    }
    for attempt in order:
        item = PendingItem("jobs", 1, attempt, None, *FEED)
        save_jobs(db, item, listed[attempt])

    rows = db.execute(
        "select name, conclusion, run_attempt, last_attempt, queue_seconds from jobs"
        " order by run_attempt, name"
    )
    assert rows.fetchall() == [
        ("lint", "success", 1, 2, 8),
        ("test (3.13)", "failure", 1, 1, 8),
        ("test (3.13)", "success", 2, 2, 4),
    ]
    waits = db.execute("select queue_seconds from run_attempts order by run_attempt")
    assert waits.fetchall() == [(10,), (5,)]


def test_two_jobs_of_one_name_and_time_are_two(db):
    twins = [job(id=1), job(id=2)]
    save_jobs(db, ITEM, twins)
    save_jobs(db, ITEM, twins)

    assert db["jobs"].count == 2
