"""The rollups equal the views that define them after any write, also by hand."""
# ruff: noqa: S608 (own names)

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollups import build_all, differing_rows, is_complete
from sqlite_utils import Database

from ci_observer.ingest.db import schema
from ci_observer.ingest.db.rollups import TABLES
from ci_observer.ingest.store import repos, rollups, workflows
from ci_observer.ingest.store.database import transaction

REPOS = ("acme/api", "Acme/api", "acme/web")
WORKFLOWS = ("ci.yml", "lint.yml")
BRANCHES = ("main", "dev", None)
CONCLUSIONS = ("success", "failure", "cancelled", "timed_out", "skipped", "new", None)
# Days around the changes of Zurich's offset, and a text that is no time.
TIMES = (
    "2026-03-28T22:59:59Z",
    "2026-03-28T23:00:00Z",
    "2026-03-29T21:59:59Z",
    "2026-03-29T22:00:00Z",
    "2026-10-25T22:30:00Z",
    "2026-10-31T23:30:00Z",
    "soon",
)
SECONDS = (61, 0, 1, 20, 21, 60, 4000, 10**8, None)
CAUSES = (None, "timeout", "superseded", "person")
# The values of each column; the first is the usual one.
VALUES: dict[str, dict[str, tuple[Any, ...]]] = {
    "runs": {
        "repo": REPOS,
        "workflow": WORKFLOWS,
        "run_attempt": (1, 2),
        "event": ("push", "pull_request_target", None),
        "status": ("completed", "queued", None),
        "conclusion": CONCLUSIONS,
        "head_branch": BRANCHES,
        # One commit of all runs, which is flaky.
        "head_sha": ("a" * 40, "b" * 40, None),
        "head_repo": (*REPOS, None),
        "is_tag": (0, 1),
        "created_at": TIMES,
        "started_at": TIMES,
        "updated_at": TIMES,
        "duration_seconds": SECONDS,
        "cancel_cause": CAUSES,
        "queue_seconds": SECONDS,
        "waited_for": (None, "approval"),
    },
    "run_attempts": {
        "status": ("completed",),
        "conclusion": CONCLUSIONS,
        "started_at": TIMES,
        "updated_at": TIMES,
        "cancel_cause": CAUSES,
        "triggering_actor": ("ada", "bob", None),
    },
    "jobs": {
        "run_id": (1, 2, 3),
        "run_attempt": (1, 2),
        "created_at": (TIMES[0], None),
        "started_at": (*TIMES, None),
        "completed_at": (*TIMES, None),
        "duration_seconds": SECONDS,
        "conclusion": CONCLUSIONS,
        "runner_name": ("runner", None),
        "labels": ('["ubuntu-latest"]', '["macos-14"]', None),
        "queue_seconds": SECONDS,
        "waited_for": (None, "approval"),
    },
}
RUNS, JOBS = 6, 20
KEYS = {
    "runs": {"run_id": range(1, RUNS + 1)},
    "run_attempts": {"run_id": range(1, RUNS + 1), "run_attempt": range(1, 3)},
    "jobs": {"job_id": range(1, JOBS + 1)},
}
ZONES = (
    (("0001-01-01T00:00:00Z", 0),),
    (("0001-01-01T00:00:00Z", 0), ("2030-01-01T00:00:00Z", 3600)),
    (
        ("0001-01-01T00:00:00Z", 3600),
        ("2026-03-29T01:00:00Z", 7200),
        ("2026-10-25T01:00:00Z", 3600),
    ),
    (("0001-01-01T00:00:00Z", -18000),),
)
FEED_WRITES = (
    "insert or ignore into feeds (repo, workflow, default_branch)"
    " values (:repo, :workflow, :branch)",
    "insert or replace into feeds (repo, workflow, default_branch)"
    " values (:repo, :workflow, :branch)",
    "update feeds set default_branch = :branch where repo = :repo",
    "update or ignore feeds set repo = :other where repo = :repo",
    "delete from feeds where repo = :repo and workflow = :workflow",
    "update runs set repo = :other where repo = :repo",
)
# Former and new names of repositories, and of workflows of one.
RENAMES = (
    (repos.rename, *REPOS[:2]),
    (repos.rename, *REPOS[1:]),
    (repos.rename, "acme/web", "acme/api"),
    (repos.rename, "acme/api", "acme/new"),
    (repos.rename, "acme/new", "acme/web"),
    (workflows.rename, "acme/api", *WORKFLOWS),
    (workflows.rename, "acme/web", *WORKFLOWS[::-1]),
)
# A statement and its parameters.
Write = tuple[str, dict[str, Any]]


def upsert(table: str, row: dict[str, Any]) -> Write:
    names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    changes = ", ".join(f"{name} = excluded.{name}" for name in row)
    keys = ", ".join(KEYS[table])
    return (
        f"insert into {table} ({names}) values ({marks})"
        f" on conflict ({keys}) do update set {changes}",
        row,
    )


def usual_rows() -> Iterator[Write]:
    """Upserts of rows that mostly have the usual values, the same in each test."""
    random = Random(1)  # noqa: S311 (the same rows each time)
    for repo in REPOS[1:]:
        yield FEED_WRITES[0], {"repo": repo, "workflow": "ci.yml", "branch": "main"}
    for table, keys in KEYS.items():
        for number in range(JOBS):
            row = {name: values[number % len(values)] for name, values in keys.items()}
            for name, values in VALUES[table].items():
                is_usual = random.random() < 0.8
                row[name] = values[0] if is_usual else random.choice(values)
            yield upsert(table, row)
    yield from flaky_commit()


def flaky_commit() -> Iterator[Write]:
    """A run that failed, and succeeded when it was run again."""
    usual = {table: {name: v[0] for name, v in VALUES[table].items()} for table in KEYS}
    yield upsert("runs", {"run_id": 1} | usual["runs"])
    for number, conclusion in enumerate(("failure", "success"), 1):
        changes = {"run_id": 1, "run_attempt": number, "conclusion": conclusion}
        yield upsert("run_attempts", usual["run_attempts"] | changes)


@st.composite
def upserts(draw) -> Write:
    table = draw(st.sampled_from(tuple(VALUES)))
    columns = KEYS[table] | VALUES[table]
    return upsert(
        table, {name: draw(st.sampled_from(v)) for name, v in columns.items()}
    )


@st.composite
def updates(draw) -> Write:
    """One column of some rows."""
    table = draw(st.sampled_from(tuple(VALUES)))
    key, keys = next(iter(KEYS[table].items()))
    name = draw(st.sampled_from(tuple(VALUES[table])))
    params = {
        "value": draw(st.sampled_from(VALUES[table][name])),
        "key": draw(st.sampled_from(keys)),
    }
    return f"update {table} set {name} = :value where {key} >= :key", params


@st.composite
def deletions(draw) -> Write:
    table = draw(st.sampled_from(tuple(KEYS)))
    key, keys = next(iter(KEYS[table].items()))
    return f"delete from {table} where {key} = :key", {
        "key": draw(st.sampled_from(keys))
    }


@st.composite
def feed_writes(draw) -> Write:
    return draw(st.sampled_from(FEED_WRITES)), {
        "repo": draw(st.sampled_from(REPOS)),
        "workflow": draw(st.sampled_from(WORKFLOWS)),
        "branch": draw(st.sampled_from(BRANCHES)),
        "other": draw(st.sampled_from(REPOS)),
    }


RESTART: Write = ("update rollup_progress set from_run_id = null", {})
WRITES = st.one_of(
    upserts(),
    updates(),
    updates(),
    deletions(),
    feed_writes(),
    st.just(RESTART),
    st.sampled_from(ZONES),
    st.sampled_from(RENAMES),
    # How many runs to build.
    st.integers(1, 3),
)


def write(db: Database, change: Any) -> None:
    match change:
        case int():
            rollups.build(db, change)
        case str(sql), dict(params):
            with db.atomic():
                db.execute(sql, params)
        case (rename, *names) if callable(rename):
            with transaction(db):
                rename(db, *names)
        case zone:
            with db.atomic():
                db.execute("delete from timezone_offsets")
                db.conn.executemany("insert into timezone_offsets values (?, ?)", zone)


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    with closing(schema.connect(path)) as db:
        # As with sqlite3, with which somebody edits rows.
        db.execute("pragma foreign_keys = off")
        yield db


@pytest.fixture(scope="module")
def filled_file(
    tmp_path_factory: pytest.TempPathFactory, migrated_file: bytes
) -> bytes:
    path = tmp_path_factory.mktemp("filled") / "rollups.db"
    path.write_bytes(migrated_file)
    with opened(path) as db:
        for change in usual_rows():
            write(db, change)
        assert differing_rows(db) == {}
        # So that no change can go unnoticed.
        for table in (*TABLES, "default_branches"):
            assert db[table].count > 1, table
    return path.read_bytes()


@contextmanager
def filled(folder: Path, filled_file: bytes) -> Iterator[Database]:
    for former in folder.glob("rollups.db*"):
        former.unlink()
    path = folder / "rollups.db"
    path.write_bytes(filled_file)
    with opened(path) as db:
        yield db


# Some columns count only together with these values of others.
NEVER_RUN = {"conclusion": "cancelled", "created_at": None, "queue_seconds": None}
BASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("runs", {}),
    ("runs", {"conclusion": "cancelled"}),
    ("run_attempts", {"conclusion": "cancelled"}),
    ("jobs", {}),
    ("jobs", NEVER_RUN),
)


@pytest.mark.parametrize(("table", "base"), BASES)
def test_each_change_of_a_column_is_counted(tmp_path, filled_file, table, base):
    key = next(iter(KEYS[table]))
    with filled(tmp_path, filled_file) as db:
        for name, value in base.items():
            db.execute(f"update {table} set {name} = ?", [value])
        for name, values in VALUES[table].items():
            for value in (*values, base.get(name, values[0])):
                for remainder in (0, 1):
                    db.execute(
                        f"update {table} set {name} = ? where {key} % 2 = ?",
                        [value, remainder],
                    )
                    assert differing_rows(db) == {}, (name, value)


@pytest.mark.parametrize("table", VALUES)
def test_each_deleted_and_inserted_row_is_counted(tmp_path, filled_file, table):
    with filled(tmp_path, filled_file) as db:
        columns = (*KEYS[table], *VALUES[table])
        for row in list(db.query(f"select {', '.join(columns)} from {table}")):
            where = " and ".join(f"{name} = :{name}" for name in KEYS[table])
            db.execute(f"delete from {table} where {where}", row)
            assert differing_rows(db) == {}
            write(db, upsert(table, row))
            assert differing_rows(db) == {}


@pytest.mark.parametrize(("rename", "names"), [(r[0], r[1:]) for r in RENAMES])
def test_a_rename_moves_all_that_is_counted(tmp_path, filled_file, rename, names):
    with filled(tmp_path, filled_file) as db:
        # GitHub shows the new name before ours is that of the settings.
        db.execute("update runs set head_repo = ? where run_id % 2", names[-1:])
        for branch in ("dev", None):
            write(db, (rename, *names))
            assert differing_rows(db) == {}
            db.execute("update feeds set default_branch = ?", [branch])


@settings(max_examples=25)
@given(st.lists(WRITES, min_size=15, max_size=25))
def test_each_rollup_equals_its_view_after_any_writes(tmp_path, filled_file, writes):
    with filled(tmp_path, filled_file) as db:
        for change in writes:
            write(db, change)
            if is_complete(db):
                assert differing_rows(db) == {}
        build_all(db, 3)
        assert differing_rows(db) == {}
