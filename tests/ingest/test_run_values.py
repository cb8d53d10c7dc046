"""`run_values`: the number of runs with each value, and its use by `/api/filters`."""

import pytest
from archive import save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from web_client import get_json, serving

from ci_observer.ingest.store import repos, workflows
from ci_observer.ingest.store.database import transaction


def counted(db: Database, name: str) -> dict[str, int]:
    """The stored counts of one column, after comparing them with the view's."""
    select = "select value, runs from {} where name = ? order by value"
    kept, defined = (
        db.execute(select.format(table), [name]).fetchall()
        for table in ("run_values", "counted_values")
    )
    assert kept == defined
    return dict(kept)


@pytest.fixture
def runs(db: Database) -> None:
    """Two feeds of one repository, and one of another."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save_runs(db, run_payload(1), run_payload(2, head_branch="dev"))
    web = {"id": 2, "full_name": "acme/web"}
    save_runs(db, run_payload(3, repository=web, head_repository=web), repo="acme/web")


@pytest.mark.usefixtures("runs")
def test_a_run_that_is_seen_again_is_counted_once(db):
    save_runs(db, run_payload(1), run_payload(2, head_branch="dev"))

    assert counted(db, "repo") == {"acme/api": 2, "acme/web": 1}
    assert counted(db, "head_branch") == {"dev": 1, "main": 2}


@pytest.mark.usefixtures("runs")
def test_a_value_without_runs_is_deleted(db):
    running = {"status": "in_progress", "conclusion": None, "event": "schedule"}
    save_runs(db, run_payload(4, **times("10:00"), **running))
    before = counted(db, "status"), counted(db, "conclusion")

    save_runs(db, run_payload(4, **times("10:00"), event="schedule"))

    assert before == ({"completed": 3, "in_progress": 1}, {"success": 3})
    assert counted(db, "status") == {"completed": 4}
    assert counted(db, "conclusion") == {"success": 4}
    assert counted(db, "event")["schedule"] == 1


@pytest.mark.usefixtures("runs")
def test_a_renamed_repository_joins_the_counts_of_its_new_name(db):
    with transaction(db):
        repos.rename(db, "acme/api", "acme/web")

    assert counted(db, "repo") == {"acme/web": 3}


@pytest.mark.usefixtures("runs")
def test_a_renamed_workflow_file_keeps_its_counts(db):
    with transaction(db):
        workflows.rename(db, "acme/api", "ci.yml", "test.yml")

    assert counted(db, "workflow") == {"ci.yml": 1, "test.yml": 2}


@pytest.mark.usefixtures("runs")
def test_rolled_back_runs_are_not_counted(db):
    before = counted(db, "event")

    db.conn.execute("begin")
    save_runs(db, run_payload(9, event="release"))
    db.conn.rollback()

    assert counted(db, "event") == before


@pytest.mark.asyncio
async def test_the_values_of_most_runs_come_first_and_others_by_name(db, db_path):
    watch(db, ("acme/api", "ci.yml"))
    branches = ["b", "often", "a", "twice", "often", "twice", "often"]
    save_runs(
        db,
        *(run_payload(n, head_branch=name) for n, name in enumerate(branches, 1)),
    )

    async with serving(db_path) as datasette:
        answer = await get_json(datasette, "/api/filters")

    assert answer["branches"] == [
        {"value": "often", "count": 3},
        {"value": "twice", "count": 2},
        {"value": "a", "count": 1},
        {"value": "b", "count": 1},
    ]


def test_the_most_frequent_values_are_the_end_of_an_index(db):
    plan = [
        row[3]
        for row in db.execute(
            "explain query plan select value, runs from run_values"
            " where name = 'actor' and runs > 1"
            " order by runs desc, value limit 1000"
        )
    ]

    assert plan == [
        "SEARCH run_values USING COVERING INDEX run_values_runs (name=? AND runs>?)"
    ]
