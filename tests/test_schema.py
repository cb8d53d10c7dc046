"""The database's making, on real files."""

import sqlite3

import pytest
from conftest import save_runs, watch
from factories import run_payload

from ingest import schema
from ingest.errors import DatabaseError


def test_the_database_and_its_folder_are_made_on_the_first_start(tmp_path):
    path = tmp_path / "new" / "folder" / "ci_observer.db"
    db = schema.connect(path)
    applied = schema.migrate(db)

    assert applied == [migration.name for migration in schema.migrations.applied(db)]
    assert "runs" in db.table_names()
    assert db.execute("pragma journal_mode").fetchone() == ("wal",)
    db.close()


def test_a_second_start_changes_nothing(db_path):
    db = schema.connect(db_path)
    schema.migrate(db)
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    before, changes = db.schema, db.conn.total_changes

    assert schema.migrate(db) == []
    assert db.schema == before
    # Not even the tiles are made anew, for which other processes would have to wait.
    assert db.conn.total_changes == changes
    db.close()


def test_a_view_that_changed_is_made_anew(db_path):
    db = schema.connect(db_path)
    schema.migrate(db)
    expected = db.schema
    db.execute("drop view wall")
    db.execute("create view wall as select 1")
    db.execute("create view of_an_older_version as select * from runs")

    schema.migrate(db)

    assert sorted(db.schema.split("\n")) == sorted(expected.split("\n"))
    db.close()


def test_a_start_keeps_every_row(db):
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))

    schema.migrate(db)

    assert db["runs"].count == db["run_payloads"].count == 1


def test_the_views_are_all_there_and_can_be_read(db):
    assert sorted(db.view_names()) == sorted(schema.views())
    for name in schema.views():
        db.execute(f"select * from {name}").fetchall()  # noqa: S608 (own names)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "ci_observer.db"
    path.write_text("my shopping list")

    with pytest.raises(DatabaseError, match="Check CI_OBSERVER_DB"):
        schema.connect(path)

    assert path.read_text() == "my shopping list"


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DatabaseError, match="writable"):
        schema.connect(tmp_path / "file" / "ci_observer.db")


def test_readers_see_the_former_state_while_a_transaction_is_open(db, db_path):
    watch(db, ("acme/api", "ci.yml"))
    reader = sqlite3.connect(f"file:{db_path}?mode=ro", uri=True)
    with db.atomic():
        db.execute("delete from feeds")
        count = reader.execute("select count(*) from feeds").fetchone()
    reader.close()

    assert count == (1,)


BRANCH = "repo = 'o/r' and workflow = 'ci.yml' and head_branch = 'main'"


@pytest.mark.parametrize(
    ("where", "order"),
    [
        ("(started_at, run_id) < ('2026', 5)", "started_at desc, run_id desc"),
        ("repo = 'o/r' and workflow = 'ci.yml'", "started_at desc, run_id desc"),
        (BRANCH, "created_at desc, run_id desc"),
        (f"{BRANCH} and (created_at, run_id) < ('2026', 5)", "created_at, run_id"),
    ],
)
def test_an_index_gives_the_runs_in_order(db, where, order):
    plan = db.execute(
        f"explain query plan select * from runs where {where} order by {order}"  # noqa: S608
    ).fetchall()

    assert [row[3].split(" (")[0] for row in plan] in (
        ["SEARCH runs USING INDEX runs_started"],
        ["SEARCH runs USING INDEX runs_workflow"],
        ["SEARCH runs USING INDEX runs_branch"],
    )
