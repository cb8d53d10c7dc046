"""The states of a feed's branch over time, next to the wall at those times."""

from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from archive import set_clock
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database
from state_histories import (
    FILE,
    REPO,
    Attempt,
    Fact,
    History,
    Run,
    facts_at,
    minute,
    random_history,
    span_at,
    spans,
    text,
    wall_at,
    write_as_polled,
    write_attempt,
)

from ci_observer.ingest.db import schema
from ci_observer.ingest.states import updates
from ci_observer.ingest.store.database import transaction


def passed(run_id: int, starts: int, minutes: int = 5, **changes) -> Run:
    return Run(run_id, (Attempt(starts, minutes),), **changes)


def failed(run_id: int, starts: int, minutes: int = 5, **changes) -> Run:
    return Run(run_id, (Attempt(starts, minutes, "failure"),), **changes)


@settings(max_examples=6, derandomize=True)
@given(random=st.randoms())
def test_the_states_are_those_of_the_wall_at_every_time(
    tmp_path, migrated_file, random
):
    """However the polls lie, and when all is computed once more."""
    history = random_history(random)
    polls = [random.randint(0, history.end) for _ in range(random.randint(0, 12))]
    with closing(database(tmp_path / "polled.db", migrated_file)) as db:
        write_as_polled(db, history, polls)
        rows = spans(db)
        times = [at for at in history.times() if text(at) >= rows[0][0]]
        for at in random.sample(times, min(4, len(times))):
            with closing(database(tmp_path / "then.db", migrated_file)) as then:
                wall = wall_at(then, history, facts_at(db, at), at)
            branch, *state = span_at(db, at)
            assert (None if state[1] == "unwatched" else branch, *state) == wall, at
        build_all_again(db, random.choice((1, 2, 5, 100)))
        assert spans(db) == rows
    for before, after in pairwise(rows):
        assert before[1] == after[0]
        assert before[2:5] != after[2:5]
    assert rows[-1][1] is None


def database(path: Path, content: bytes) -> Database:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(content)
    db = schema.connect(path)
    db.execute("pragma synchronous = off")
    return db


def build_all_again(db: Database, limit: int) -> None:
    with transaction(db):
        db.execute("delete from state_spans")
        db.execute("delete from state_builds")
        updates.mark(db)
    left = 1
    while left:
        with transaction(db):
            left = updates.build(db, limit)


def timeline(db: Database) -> list[tuple]:
    return db.execute(
        "select state, reason, from_at, to_at, seconds from state_timeline"
        " order by from_at"
    ).fetchall()


def test_the_timeline_ends_now(db):
    """A schedule is overdue in future: until then, its last state has no end."""
    history = History(
        tuple(passed(n, 100 * n, event="schedule") for n in range(1, 5)), (), 500
    )
    write_as_polled(db, history, [])

    assert timeline(db) == [
        ("unknown", "no_result", text(0), text(105), 105 * 60),
        ("green", None, text(105), None, 395 * 60),
    ]
    set_clock(db, minute(3000))
    overdue_at = 400 + 200 + 720
    assert timeline(db)[1:] == [
        ("green", None, text(105), text(overdue_at), (overdue_at - 105) * 60),
        ("unknown", "overdue", text(overdue_at), None, (3000 - overdue_at) * 60),
    ]


def test_an_expected_schedule_counts_while_the_settings_have_it(
    db, tmp_path, migrated_file
):
    """Before the first run, between runs, with another length, and no longer."""
    history = History(
        (
            passed(1, 400, event="schedule"),
            passed(2, 420),
            passed(3, 1000, event="schedule"),
        ),
        (
            Fact(100, "schedule", 3600),
            Fact(800, "schedule", 6 * 3600),
            Fact(1200, "workflow_state", "disabled_manually"),
            Fact(1700, "workflow_state", "active"),
            Fact(1800, "schedule", None),
        ),
        2000,
    )
    write_as_polled(db, history, [150, 450, 820, 1250, 1750])
    set_clock(db, minute(2000))

    assert timeline(db) == [
        ("unknown", "no_result", text(0), text(220), 220 * 60),
        ("unknown", "overdue", text(220), text(400), 180 * 60),
        ("unknown", "no_result", text(400), text(405), 5 * 60),
        ("green", None, text(405), text(520), 115 * 60),
        ("unknown", "overdue", text(520), text(800), 280 * 60),
        ("green", None, text(800), text(940), 140 * 60),
        ("unknown", "overdue", text(940), text(1000), 60 * 60),
        ("green", None, text(1000), text(1200), 200 * 60),
        ("unknown", "disabled", text(1200), text(1700), 500 * 60),
        ("unknown", "overdue", text(1700), text(1800), 100 * 60),
        ("green", None, text(1800), None, 200 * 60),
    ]
    for at in (219, 220, 400, 519, 520, 799, 800, 939, 940, 1000, 1250, 1790, 1800):
        with closing(database(tmp_path / "then.db", migrated_file)) as then:
            assert wall_at(then, history, facts_at(db, at), at) == span_at(db, at), at


def test_the_limit_of_a_stuck_run_follows_the_usual_duration_of_then(db):
    """Also when an older run is found afterwards, outside of a backfill."""
    usual = [passed(n, 200 * n, 100) for n in range(1, 4)]
    stuck = passed(9, 1000, 900)
    later_runs = [passed(10 + n, 2000 + 200 * n, 100) for n in range(30)]
    history = History((*usual, stuck, *later_runs), (), 9000)
    write_as_polled(db, history, [])
    expected = ("unknown", "stuck", text(1500), text(1900), 400 * 60)
    assert expected in timeline(db)

    write_attempt(db, passed(4, 300, 150), 1, 9000)
    assert ("unknown", "stuck", text(1750), text(1900), 150 * 60) in timeline(db)
    rows = spans(db)
    build_all_again(db, 100)
    assert spans(db) == rows


def test_a_red_time_begins_with_a_failure_and_ends_with_the_next_green(db):
    """An unknown time in between does not end it; the time that is red is counted."""
    history = History(
        (
            passed(1, 10),
            failed(2, 20, 10),
            failed(3, 40),
            passed(4, 90, 10),
            failed(5, 120, 10),
        ),
        (
            Fact(50, "workflow_state", "disabled_manually"),
            Fact(60, "workflow_state", "active"),
        ),
        200,
    )
    write_as_polled(db, history, [5, 25, 45, 55, 65, 95, 110])

    rows = db.execute(
        "select broken_at, run_id, run_number, actor, fixed_at, fixed_run_id, seconds,"
        " red_seconds from breaks order by broken_at"
    ).fetchall()
    assert rows == [
        (text(30), 2, 2, "ada", text(100), 4, 70 * 60, 60 * 60),
        (text(130), 5, 5, "ada", None, None, 70 * 60, 70 * 60),
    ]


def test_a_repository_is_red_while_one_of_its_workflows_is(db):
    """Otherwise it is unknown while one is; one without a result does not count."""
    write_as_polled(db, History((passed(1, 10), failed(2, 60)), (), 100), [])
    with transaction(db):
        db.execute(
            "insert into state_spans (repo, workflow, from_at, to_at, state, reason)"
            " values (?, 'docs.yml', ?, ?, 'unknown', 'no_result'),"
            " (?, 'docs.yml', ?, ?, 'green', null),"
            " (?, 'docs.yml', ?, null, 'unknown', 'disabled')",
            [REPO, text(0), text(20), REPO, text(20), text(40), REPO, text(40)],
        )

    assert db.execute("select * from repo_timeline order by from_at").fetchall() == [
        (REPO, "green", text(15), text(40), 25 * 60),
        (REPO, "unknown", text(40), text(65), 25 * 60),
        (REPO, "red", text(65), None, 35 * 60),
    ]


@pytest.mark.parametrize("polls", [[], [0, 10, 20, 30, 40, 50]])
def test_a_feed_that_is_no_longer_watched_has_no_state(db, polls):
    history = History((passed(1, 10),), (Fact(30, "is_watched", 0),), 50)
    write_as_polled(db, history, polls)

    assert timeline(db)[1:] == [("green", None, text(15), text(30), 15 * 60)]
    assert FILE in {row["workflow"] for row in db["state_spans"].rows}
