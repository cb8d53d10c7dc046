"""`flaky_shas` always equals the view that defines it, whoever writes."""

from collections import defaultdict
from typing import Any

import pytest
from archive import save_cause, save_runs, watch
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database
from tiles import FEED, rerun, run

from ci_observer.ingest.db import derived, schema
from ci_observer.ingest.store import repos, rollups, workflows
from ci_observer.ingest.store.database import transaction

CONCLUSIONS = ("success", "failure", "timed_out", "cancelled", None)
TESTED = ("success", "failure", "timed_out")
# A column of `runs`, and the values that a writer may give it.
RUN_VALUES = {
    "repo": ("acme/api", "ACME/api", "acme/web"),
    "workflow": ("ci.yml", "test.yml"),
    "head_branch": ("main", "dev", None),
    # The first seven characters are alike.
    "head_sha": ("aaaaaaa1", "aaaaaaa2", None),
    "event": ("push", "workflow_run", None),
}
ATTEMPT_VALUES = {
    "status": ("completed", "completed", "in_progress"),
    "conclusion": CONCLUSIONS,
    "cancel_cause": (None, "timeout"),
    "started_at": ("2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"),
}
COLUMNS = (
    *("run_id", "repo", "workflow", "head_branch", "head_sha", "successes"),
    *("failures", "last_started_at"),
)


def a_row(values: dict[str, tuple[Any, ...]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({k: st.sampled_from(v) for k, v in values.items()})


WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 4), a_row(RUN_VALUES)),
        st.tuples(
            st.just("attempt"),
            st.tuples(st.integers(1, 4), st.integers(1, 2)),
            a_row(ATTEMPT_VALUES),
        ),
        st.tuples(st.just("no run"), st.integers(1, 4), st.none()),
        st.tuples(
            st.just("no attempt"),
            st.tuples(st.integers(1, 4), st.integers(1, 2)),
            st.none(),
        ),
        st.tuples(
            st.just("move"), st.integers(1, 4), st.sampled_from(RUN_VALUES["repo"])
        ),
        *(
            st.tuples(st.just(f"rename {column}"), names, names)
            for column in ("repo", "workflow")
            for names in [st.sampled_from(RUN_VALUES[column])]
        ),
    ),
    max_size=25,
)


def write(db: Database, kind: str, key: Any, values: Any) -> None:
    if kind == "run":
        time = dict.fromkeys(
            ("created_at", "started_at", "updated_at"), "2026-03-01T10:00:00Z"
        )
        db["runs"].upsert(
            {"run_id": key, "run_attempt": 1} | time | values, pk="run_id"
        )
    elif kind == "attempt":
        run_id, run_attempt = key
        db["run_attempts"].upsert(
            {
                "run_id": run_id,
                "run_attempt": run_attempt,
                "updated_at": "2026-03-01T12:00:00Z",
            }
            | values,
            pk=("run_id", "run_attempt"),
        )
    elif kind == "move":
        db.execute("update runs set repo = ? where run_id >= ?", [values, key])
    elif kind == "rename repo":
        repos.rename(db, key, values)
    elif kind == "rename workflow" and key != values:
        with transaction(db):
            workflows.rename(db, "acme/api", key, values)
    elif kind == "no run":
        db.execute("delete from runs where run_id = ?", [key])
    elif kind == "no attempt":
        db.execute("delete from run_attempts where (run_id, run_attempt) = (?, ?)", key)


def expected(db: Database) -> list[tuple[Any, ...]]:
    """The flaky commits, computed from all attempts without SQL."""
    commits = defaultdict(list)
    runs = {row["run_id"]: row for row in db["runs"].rows}
    for attempt in db["run_attempts"].rows:
        of = runs.get(attempt["run_id"])
        if (
            of
            and of["head_sha"]
            and of["event"] not in ("workflow_run", None)
            and attempt["status"] == "completed"
            and attempt["effective_conclusion"] in TESTED
        ):
            key = (of["repo"].lower(), of["workflow"], of["head_branch"])
            commits[*key, of["head_sha"]].append((of, attempt))
    rows = []
    for (_, workflow, branch, sha), found in commits.items():
        results = [attempt["effective_conclusion"] for _, attempt in found]
        successes = results.count("success")
        failures = results.count("failure") + results.count("timed_out")
        if successes and failures:
            newest = max(of["run_id"] for of, _ in found)
            repo = max(of["repo"] for of, _ in found)
            started = max(attempt["started_at"] for _, attempt in found)
            row = (newest, repo, workflow, branch, sha, successes, failures, started)
            rows.append(row)
    return sorted(rows)


def rows(db: Database, name: str) -> list[tuple[Any, ...]]:
    columns = ", ".join(COLUMNS)
    return sorted(db.execute(f"select {columns} from {name}").fetchall())  # noqa: S608


@pytest.fixture(scope="module")
def shared_db():
    db = Database(memory=True)
    schema.migrate(db)
    yield db
    db.close()


@settings(max_examples=200)
@given(writes=WRITES)
def test_the_table_equals_its_view_after_every_write(shared_db, writes):
    db = shared_db
    db.execute("delete from runs")
    db.execute("delete from run_attempts")
    assert rows(db, "flaky_shas") == []
    for kind, key, values in writes:
        write(db, kind, key, values)
        assert rows(db, "flaky_shas") == rows(db, "counted_flaky_shas")
    kept = rows(db, "flaky_shas")
    assert kept == expected(db)
    db.execute("delete from flaky_shas")
    derived.recount_flaky_shas(db, 3, 99)
    derived.recount_flaky_shas(db, 0, 3)
    assert rows(db, "flaky_shas") == kept


@pytest.fixture
def flaky(db: Database) -> None:
    """A commit that failed and then passed."""
    watch(db, FEED, ("acme/web", "ci.yml"))
    save_runs(db, run(1, "09:00", "failure"))
    save_runs(db, rerun(1, "09:00", "10:00", "success"))


@pytest.mark.usefixtures("flaky")
def test_a_renamed_repository_and_file_keep_their_flaky_shas(db):
    with transaction(db):
        repos.rename(db, "acme/api", "acme/web")
        workflows.rename(db, "acme/web", "ci.yml", "test.yml")

    found = rows(db, "flaky_shas")
    assert [row[:3] for row in found] == [(1, "acme/web", "test.yml")]
    assert found == rows(db, "counted_flaky_shas")


def test_the_results_of_a_commit_under_two_names_come_together(db):
    watch(db, FEED, ("acme/web", "ci.yml"))
    same = {"head_sha": "a" * 40}
    save_runs(db, run(1, "09:00", "failure", **same))
    save_runs(db, run(2, "10:00", **same), repo="acme/web")
    assert rows(db, "flaky_shas") == []

    with transaction(db):
        repos.rename(db, "acme/api", "acme/web")

    assert [row[:2] for row in rows(db, "flaky_shas")] == [(2, "acme/web")]
    assert rows(db, "flaky_shas") == rows(db, "counted_flaky_shas")


def test_a_commit_is_flaky_once_its_cancelled_run_is_known_to_have_timed_out(db):
    watch(db, FEED)
    same = {"head_sha": "a" * 40}
    save_runs(db, run(1, "09:00", "cancelled", **same), run(2, "10:00", **same))
    before = rows(db, "flaky_shas")

    save_cause(db, 1, "timeout")

    assert before == []
    assert [row[:1] + row[4:7] for row in rows(db, "flaky_shas")] == [
        (2, "a" * 40, 1, 1)
    ]


@pytest.mark.usefixtures("flaky")
def test_a_commit_is_no_longer_flaky_while_its_only_success_is_undone(db):
    save_runs(db, rerun(1, "09:00", "10:00", "failure", minutes=9))

    assert rows(db, "flaky_shas") == []


@pytest.mark.usefixtures("flaky")
def test_an_upgrade_fills_the_table_in_the_background(db):
    kept = rows(db, "flaky_shas")
    db.execute("drop view counted_flaky_shas")

    schema.migrate(db)

    assert rows(db, "flaky_shas") == []
    assert not rollups.progress(db).is_complete
    while rollups.build(db, limit=1):
        pass
    assert rows(db, "flaky_shas") == kept != []
