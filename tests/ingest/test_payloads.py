"""Packed run objects: nothing is lost, and little space is used."""

import json
import sqlite3
import subprocess
from dataclasses import replace
from datetime import date
from shutil import which

import pytest
from archive import NOW, save_runs, watch
from factories import run_payload
from hypothesis import given
from hypothesis import strategies as st
from run_objects import FEED, compact, full_size_runs, raw_json

from bench.measure import payload_size
from ci_observer.ingest.db.payload_paths import (
    COLUMN_OF_PATH,
    CONTAINERS,
    MIN_SHARED_LENGTH,
    PER_WORKFLOW,
    USUAL_COLUMN_OF_PATH,
    VARIABLE_ENDINGS,
)
from ci_observer.ingest.db.payload_tokens import COLUMNS, column_token
from ci_observer.ingest.db.payloads import pack_payload
from ci_observer.ingest.github.rows import is_older_run, run_row
from ci_observer.ingest.store import feeds, payloads, runs

# Measured by bench/measure/payload_size.py; pages of smaller archives are less full.
BYTES_PER_RUN = 2540
# Of the rollups, and of the indexes that charts need: 135, less the empty file's 75 for
# each of 10,000 runs, which are in the figure above.
BYTES_OF_CHARTS = 60
# Of the log that a lake reads: an entry for the run, and one for its attempt.
BYTES_OF_CHANGES = 40
BYTES_OF_OTHERS = BYTES_OF_CHARTS + BYTES_OF_CHANGES


def save_feeds(db, runs_of):
    watch(db, *runs_of)
    for (repo, workflow), objects in runs_of.items():
        for start in range(0, len(objects), 100):
            page = objects[start : start + 100]
            save_runs(db, *page, repo=repo, workflow=workflow)


def start_empty(db):
    """For the next example: a watched feed without runs."""
    for table in (
        "decisions",
        "pending",
        "run_payloads",
        "payload_parts",
        "run_attempts",
        "runs",
    ):
        db.execute(f"delete from {table}")  # noqa: S608 (own names)
    watch(db, FEED)


# GitHub's own keys, in their own places and elsewhere, and text that would break
# careless unpacking: tokens, quotes, dots, and special characters of SQL and JSON.
PATHS = {
    *CONTAINERS,
    *MIN_SHARED_LENGTH,
    *PER_WORKFLOW,
    *COLUMN_OF_PATH,
    *USUAL_COLUMN_OF_PATH,
    *VARIABLE_ENDINGS,
}
NAMES = sorted({name for path in PATHS for name in path.split(".")})
KEYS = (
    st.sampled_from(
        [*NAMES, "a.b", '"', "$", "\x01", "\x7f", "\x80", "\u0100", "\u0601"]
    )
    | st.text()
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = (
    st.text(st.characters())
    | st.text(st.characters(categories=["Cs", "Cc", "Ll"]))
    | st.sampled_from(
        [
            "https://api.github.com/repos/o/r/check-suites/1",
            "https://api.github.com/repos/acme/api/actions/runs/1/attempts/1",
            "WFR_kwLOALsEeM8AAAABqekdJw",
            ".github/workflows/ci.yml@refs/heads/main",
            "CI",
            "Fix totals",
            "Fix totals\n\nAnd more: " + "m" * 99,
            "main",
            "2026-03-01T12:00:00Z",
            "/1",
            "\\u0001",
            "\x00\x01\x1f\x7f\x80\u0100\u0601",
            "x" * 200,
        ]
    )
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5)
    ),
    max_leaves=12,
)


@given(st.data(), st.integers(1, 10**12), st.dictionaries(KEYS, VALUES))
def test_whatever_github_sends_comes_back_as_the_same_text(db, data, run_id, made_up):
    payload = run_payload(run_id) | made_up | {"id": run_id}
    shuffled = dict(data.draw(st.permutations(list(payload.items()))))
    start_empty(db)

    save_runs(db, shuffled)

    assert raw_json(db, run_id) == compact(shuffled)


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": None, "head_repository": None, "actor": None},
        {
            "head_commit": {},
            "pull_requests": [[], {}, [{}]],
            "referenced_workflows": {},
        },
        {"number": 2**70, "one": 1.0, "small": 5e-324, "negative": -0.0},
        {"head_commit": [{"message": "m" * 50} for _ in range(300)]},
        {"pull_requests": [{"number": n, "url": f"u/{n}"} for n in range(2000)]},
        {"display_title": "\ud800", "head_branch": "naïve 🚀"},
        {"display_title": None, "head_commit": {"message": "None of it"}},
        {"display_title": "", "head_commit": {"message": "Not told"}},
        {"display_title": "a\\", "head_commit": {"message": 'a\\"\n' + "m" * 200}},
        {"display_title": "\x7f \u0601", "head_commit": {"message": "\x7f \u0601!"}},
        {"name": "\u0603\x01", "conclusion": "success", "status": "queued"},
        {"run_number": True, "run_attempt": "1", "event": 5, "status": 1.0},
        {"node_id": 'WFR_kwLOALsEeM8AAAAB\\n"\u00e9', "path": "@@", "id": 1},
    ],
)
def test_unusual_objects_come_back_as_the_same_text(db, changes):
    watch(db, FEED)
    payload = run_payload(1, **changes)

    save_runs(db, payload)

    assert raw_json(db) == compact(payload)


def test_what_is_missing_stays_missing_and_null_stays_null(db):
    watch(db, FEED)
    payload = run_payload(1, actor=None)
    del payload["head_repository"]

    save_runs(db, payload)

    stored = json.loads(raw_json(db))
    assert stored["actor"] is None
    assert "head_repository" not in stored


def test_a_run_without_a_payload_has_a_null(db):
    watch(db, FEED)
    save_runs(db, run_payload(1))
    db.execute("delete from run_payloads")

    assert raw_json(db) is None


def test_json_functions_can_read_it(db):
    watch(db, FEED)
    save_runs(db, run_payload(1, head_commit={"message": "Fix\nit", "author": None}))

    found = db.execute(
        "select json_extract(raw_json, '$.head_commit.message') from runs_full"
        " where json_extract(raw_json, '$.id') = 1"
    ).fetchall()

    assert found == [("Fix\nit",)]


@pytest.mark.skipif(which("sqlite3") is None, reason="there is no sqlite3 shell")
def test_the_sqlite_shell_unpacks_it(db, db_path):
    watch(db, FEED)
    [objects] = full_size_runs(runs=1).values()
    save_runs(db, *objects)

    shell = subprocess.run(  # noqa: S603 (our own words)
        ["sqlite3", "-readonly", db_path, "select raw_json from runs_full"],  # noqa: S607
        capture_output=True,
        check=True,
    )

    assert json.loads(shell.stdout) == objects[0]


def assert_costs_at_most(tmp_path, runs_of, most):
    """Every table, their indexes and what is kept once, without the empty file.

    That has a page for each table and index, however many runs there are.
    """
    path = tmp_path / "full_size.db"
    db = payload_size.new_database(path, runs_of)
    db.execute("pragma wal_checkpoint(truncate)")
    empty = path.stat().st_size
    payload_size.save(db, runs_of)
    db.execute("pragma wal_checkpoint(truncate)")

    sent = [payload for objects in runs_of.values() for payload in objects]
    assert (path.stat().st_size - empty) / len(sent) < most
    stored = dict(db.execute("select run_id, raw_json from runs_full").fetchall())
    db.close()
    assert stored == {payload["id"]: compact(payload) for payload in sent}


@pytest.mark.long
def test_full_size_runs_that_are_alike_cost_little_on_disk(tmp_path):
    runs_of = payload_size.synthetic_feeds(repos=5, workflows=4, runs=250)

    assert_costs_at_most(tmp_path, runs_of, BYTES_PER_RUN / 2 + BYTES_OF_OTHERS)


@pytest.mark.long
def test_full_size_runs_that_differ_cost_little_on_disk(tmp_path):
    runs_of = payload_size.synthetic_feeds(repos=10, workflows=4, runs=250)
    payload_size.make_different(runs_of)

    assert_costs_at_most(tmp_path, runs_of, BYTES_PER_RUN + BYTES_OF_OTHERS)


def test_runs_of_a_workflow_share_phrases_even_if_all_values_differ(db):
    runs_of = full_size_runs(runs=100)
    payload_size.make_different(runs_of)

    save_feeds(db, runs_of)

    [[phrases]] = db.execute("select count(distinct phrases_id) from run_payloads")
    # With and without a pull request.
    assert phrases == 2


def test_runs_of_a_workflow_share_phrases_and_parts(db):
    save_feeds(db, full_size_runs(runs=10))

    [[phrases]] = db.execute("select count(distinct phrases_id) from run_payloads")
    [[parts]] = db.execute("select count(*) from payload_parts")
    # With and without a pull request.
    assert phrases == 2
    assert parts < 15


def test_a_changed_object_is_stored_next_to_the_former_one(db):
    watch(db, FEED)
    before, after = ({"id": 1, "full_name": name * 20} for name in ("old/", "new/"))
    save_runs(db, run_payload(1, repository=before))
    save_runs(db, run_payload(1, repository=before), run_payload(2, repository=after))

    assert json.loads(raw_json(db, 1))["repository"] == before
    assert json.loads(raw_json(db, 2))["repository"] == after


def test_equal_objects_with_different_texts_keep_their_texts(db):
    watch(db, FEED)
    login = "ada" * 20
    actors = [
        {"id": 1, "login": login},
        {"id": 1.0, "login": login},
        {"id": True, "login": login},
        {"login": login, "id": 1},
        {"id": -0.0, "login": login},
        {"id": 0, "login": login},
    ]
    objects = [run_payload(n, actor=a) for n, a in enumerate(actors, start=1)]

    save_runs(db, *objects)

    texts = [raw_json(db, payload["id"]) for payload in objects]
    assert texts == [compact(payload) for payload in objects]


def test_parts_are_looked_up_by_content_not_by_hash_alone(db, monkeypatch):
    monkeypatch.setattr("ci_observer.ingest.store.payloads._hash", lambda content: 1)
    watch(db, FEED)
    payload = run_payload(1, actor={"login": "ada" * 20}, repository={"id": "r" * 50})

    save_runs(db, payload)

    assert raw_json(db) == compact(payload)


def test_an_unchanged_payload_is_not_written_again(db):
    watch(db, FEED)
    save_runs(db, run_payload(1))
    changes = db.conn.total_changes

    saved = save_runs(db, run_payload(1))

    assert saved.written == 0
    # The only write is `checked_at` in `feeds`.
    assert db.conn.total_changes == changes + 1


def test_a_changed_run_s_former_payload_is_not_unpacked(db):
    watch(db, FEED)
    save_runs(db, run_payload(1, status="in_progress"))
    db.execute("create table written (body text)")
    db.execute(
        "create trigger note after update on run_payloads"
        " begin insert into written values (new.body); end"
    )

    save_runs(db, run_payload(1), run_payload(1, run_attempt=2))

    assert db["written"].count == 0
    assert raw_json(db) == compact(run_payload(1, run_attempt=2))


def test_a_change_without_a_newer_time_is_a_change(db):
    """GitHub does not touch `updated_at` when a repository's description changes."""
    watch(db, FEED)
    save_runs(db, run_payload(1))

    saved = save_runs(db, run_payload(1, repository={"id": 1, "description": "New"}))

    assert saved.written == 1
    assert json.loads(raw_json(db))["repository"]["description"] == "New"


def test_each_column_of_the_row_fills_its_own_token(db):
    watch(db, FEED)
    save_runs(db, run_payload(1, pull_requests=[{"number": 5}]))
    [row] = db["runs"].rows
    filled = [name for name in COLUMNS if row[name] is not None]
    db.execute("insert into payload_parts values (99, 0, '2026-01-01', '[]')")

    db.execute(
        "update run_payloads set phrases_id = 99, part_ids = '[]', body = ?",
        [" ".join(map(column_token, filled))],
    )

    assert filled == list(COLUMNS)
    assert raw_json(db) == " ".join(str(row[name]) for name in filled)


CHANGED = {
    "run_id": 2,
    "conclusion": None,
    "display_title": "\x01",
    "pr_number": None,
    "run_number": 10**12,
}


@pytest.mark.parametrize("column", COLUMNS)
def test_changing_a_row_leaves_the_payload_unchanged(db, column):
    watch(db, FEED)
    payload = run_payload(1, pull_requests=[{"number": 5}])
    save_runs(db, payload)
    db.execute("pragma foreign_keys = off")
    db.execute(f"update runs set {column} = ?", [CHANGED.get(column, "other")])  # noqa: S608
    db.execute("update run_payloads set run_id = (select run_id from runs)")

    [[text]] = db.execute("select raw_json from runs_full")
    assert text == compact(payload)


def test_a_watched_name_in_another_letter_case_leaves_the_payload(db):
    """Its URLs are GitHub's, however the settings write the repository."""
    watch(db, FEED)
    payload = run_payload(1, url="https://api.github.com/repos/acme/api/actions/runs/1")
    save_runs(db, payload)

    [feed] = feeds.watched(db)
    runs.save_run(db, replace(feed, repo="ACME/Api"), payload, now=NOW)

    assert db["runs"].get(1)["repo"] == "ACME/Api"
    assert raw_json(db) == compact(payload)


STATES = st.tuples(
    st.integers(1, 2),
    st.sampled_from(["2026-03-01T12:00:00Z", "2026-03-01T12:05:00Z"]),
    st.sampled_from(["queued", "completed"]),
    st.sampled_from(["success", None]),
    st.sampled_from(["Fix totals", "Fix totals again", "naïve", None]),
    st.sampled_from(["main", "next", None]),
)


@given(st.lists(STATES, min_size=1))
def test_the_newest_state_comes_back_in_any_order_of_arrival(db, states):
    start_empty(db)
    newest = None
    for attempt, updated_at, status, conclusion, title, branch in states:
        payload = run_payload(
            1,
            run_attempt=attempt,
            updated_at=updated_at,
            status=status,
            conclusion=conclusion,
            display_title=title,
            head_branch=branch,
            head_commit={"message": f"{title}\n\nMore"},
        )
        row = run_row(payload, repo="acme/api", workflow="ci.yml")
        if newest is None or not is_older_run(row, newest[0]):
            newest = (row, payload)
        save_runs(db, payload)

        assert raw_json(db) == compact(newest[1])


def created(run_id, day, **changes):
    at = f"{day}T12:00:00Z"
    return run_payload(
        run_id, created_at=at, run_started_at=at, updated_at=at, **changes
    )


def actor(login):
    return {"login": login, "url": f"https://api.github.com/users/{login}"}


def test_pruning_deletes_payloads_and_parts_and_keeps_runs(db):
    watch(db, FEED)
    save_runs(
        db,
        created(1, "2026-01-30", actor=actor("ada")),
        created(2, "2026-01-31", actor=actor("grace")),
        created(3, "2026-02-01", actor=actor("grace")),
    )

    deleted = payloads.prune(db, date(2026, 2, 1), 100)

    assert deleted == 2
    assert payloads.prune(db, date(2026, 2, 1), 100) == 0
    assert db["runs"].count == db["run_attempts"].count == 3
    assert raw_json(db, 1) is raw_json(db, 2) is None
    assert json.loads(raw_json(db, 3))["actor"] == actor("grace")
    parts = [row[0] for row in db.execute("select content from payload_parts")]
    assert compact(actor("ada")) not in parts
    assert compact(actor("grace")) in parts


def test_pruning_takes_some_at_a_time_oldest_first_and_tells_readers(db):
    watch(db, FEED)
    save_runs(db, *(created(n, "2026-01-30") for n in (1, 2, 3)))
    [[before]] = db.execute("select value from instance where key = 'revision'")

    counts = [payloads.prune(db, date(2026, 2, 1), 2) for _ in range(3)]

    assert counts == [2, 1, 0]
    [[after]] = db.execute("select value from instance where key = 'revision'")
    assert int(after) == int(before) + 2


def test_a_pruned_payload_comes_back_only_with_a_change_of_its_run(db):
    watch(db, FEED)
    save_runs(db, created(1, "2026-01-30"))
    payloads.prune(db, date(2026, 2, 1), 100)

    assert save_runs(db, created(1, "2026-01-30")).written == 0
    assert raw_json(db) is None
    rerun = created(1, "2026-01-30", run_attempt=2)
    assert save_runs(db, rerun).written == 1
    assert raw_json(db) == compact(rerun)


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 9), st.sampled_from("abc")),
        min_size=1,
    ),
    st.integers(1, 10),
)
def test_pruning_never_takes_a_part_that_is_still_used(db, saves, before):
    start_empty(db)
    expected = {}
    for minute, (run_id, day, login) in enumerate(saves):
        payload = created(
            run_id,
            f"2026-01-0{day}",
            actor=actor(login * 20),
        ) | {
            "updated_at": f"2026-02-01T12:{minute % 60:02}:00Z",
            "run_attempt": minute + 1,
        }
        save_runs(db, payload)
        expected[run_id] = payload
    first_day = date(2026, 1, before)
    while payloads.prune(db, first_day, 2):
        pass

    stored = dict(
        db.execute("select run_id, raw_json from runs_full where raw_json is not null")
    )
    assert stored == {
        run_id: compact(payload)
        for run_id, payload in expected.items()
        if payload["created_at"] >= first_day.isoformat()
    }


def test_python_s_own_connection_needs_nothing_registered(db, db_path):
    watch(db, FEED)
    save_runs(db, run_payload(1))

    conn = sqlite3.connect(f"file:{db_path}?mode=ro", uri=True)
    rows = conn.execute("select raw_json from runs_full").fetchall()
    conn.close()

    assert rows == [(compact(run_payload(1)),)]


def test_a_small_part_of_a_full_size_run_is_its_own():
    [objects] = full_size_runs(runs=1).values()
    [payload] = objects

    packed = pack_payload(payload, run_row(payload, repo="o/r", workflow="ci.yml"))

    assert len(packed.body) < len(compact(payload)) / 50
