"""Creating and upgrading the database, on real files."""

import logging
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from archive import save_runs, watch
from click.testing import CliRunner
from factories import run_payload

from ci_observer.ingest import cli
from ci_observer.ingest.commands.explained_errors import explaining_errors
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.db import migrations, objects, schema
from ci_observer.ingest.errors import DatabaseError, IncompleteInstallation
from ci_observer.ingest.progress import log_progress


def test_the_first_start_creates_the_database_and_its_folder(tmp_path):
    path = tmp_path / "new" / "folder" / "ci_observer.db"
    db = schema.connect(path)
    applied = schema.migrate(db)

    assert applied == [migration.name for migration in schema.migrations.applied(db)]
    assert "runs" in db.table_names()
    assert db.execute("pragma journal_mode").fetchone() == ("wal",)
    db.close()


def test_every_module_of_migrations_is_in_the_list_in_order():
    """An unlisted module would leave its tables out of every database."""
    files = sorted(Path(migrations.__file__).parent.glob("m[0-9]*.py"))

    assert [module.__file__ for module in migrations.MODULES] == [*map(str, files)]


@pytest.fixture
def newer_db(db):
    """A database that a later version has migrated."""
    db["_sqlite_migrations"].insert(
        {"migration_set": "ci_observer", "name": "m999_later", "applied_at": "2030"}
    )
    return db


def test_the_database_of_a_newer_version_is_refused(newer_db, db_path):
    before = [*newer_db.conn.iterdump()]

    for opening in (
        lambda: schema.migrate(newer_db),
        lambda: schema.connect_read_only(db_path),
    ):
        with pytest.raises(DatabaseError, match=r"m999_later\. Install the newer"):
            opening()

    assert [*newer_db.conn.iterdump()] == before


@pytest.mark.usefixtures("newer_db")
def test_check_reports_the_database_of_a_newer_version(db_path):
    """Next to everything else that it reports."""
    result = CliRunner().invoke(
        cli.main, ["check"], env={"CI_OBSERVER_DB": str(db_path), "GH_REPOS": ""}
    )

    assert result.exit_code == 1
    assert "Problem: The database belongs to a newer version" in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        "ingest --once",
        "serve",
        "up",
        "backfill --since 2026-01-01",
        "migrate",
        "prune --vacuum",
        "export",
    ],
)
@pytest.mark.usefixtures("newer_db")
def test_every_command_refuses_the_database_of_a_newer_version(db_path, command):
    environ = {
        "CI_OBSERVER_DB": str(db_path),
        "CI_OBSERVER_PORT": str(free_port()),
        "GH_REPOS": "a/b",
        "GH_WORKFLOWS": "*",
    }

    result = CliRunner().invoke(cli.main, command.split(), env=environ)

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: The database belongs to a newer version of CI Observer: this one does"
        " not know its migration m999_later. Install the newer version again, or"
        " restore the backup from before the update: ci-observer restore FILE. Nothing"
        " has been changed.\n"
    )


@pytest.mark.parametrize("failing", ["insert on instance", "insert on polls"])
def test_a_command_reports_a_failed_write_without_a_traceback(
    db, db_path, github, failing
):
    db.execute(
        f"create trigger mine before {failing} begin select raise(abort, 'no'); end"
    )
    environ = {
        "CI_OBSERVER_DB": str(db_path),
        "GITHUB_API_URL": github.url,
        "GH_REPOS": "acme/api",
        "GH_WORKFLOWS": "ci.yml",
    }

    result = CliRunner().invoke(cli.main, ["ingest", "--once"], env=environ)

    assert result.exit_code == 1
    assert result.stderr.endswith("Error: The database cannot be used: no.\n")


def test_storage_errors_in_a_group_are_reported_and_others_are_raised(capsys):
    def fail(*errors):
        raise ExceptionGroup("tasks", errors)

    command = explaining_errors(fail)
    with pytest.raises(SystemExit):
        command(ExceptionGroup("inner", [sqlite3.OperationalError("disk is full")]))
    with pytest.raises(ExceptionGroup, match="tasks"):
        command(sqlite3.OperationalError("disk is full"), ValueError())

    assert capsys.readouterr().err == (
        "Error: The database cannot be used: disk is full.\n"
    )


def test_a_failed_upgrade_is_explained_and_changes_nothing(db):
    db.execute("drop index runs_actor")
    db.execute("alter table runs rename column actor to who")
    db.conn.commit()
    before = [*db.conn.iterdump()]

    with pytest.raises(
        DatabaseError, match=r"cannot be brought up to date: .*Nothing has been changed"
    ):
        schema.migrate(db)

    assert [*db.conn.iterdump()] == before


def test_a_second_start_changes_nothing(db_path):
    db = schema.connect(db_path)
    schema.migrate(db)
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    before, changes = db.schema, db.conn.total_changes

    assert schema.migrate(db) == []
    assert db.schema == before
    # The tiles are not rebuilt either: other processes would have to wait.
    assert db.conn.total_changes == changes
    db.close()


def test_every_sql_file_is_listed():
    folder = Path(objects.__file__).parent / "sql"
    assert sorted(objects.SQL_FILES) == sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", objects.SQL_FILES)
def test_a_missing_sql_file_ends_the_start_and_keeps_the_views(
    db, tmp_path, monkeypatch, name
):
    before = [*db.conn.iterdump()]
    shutil.copytree(Path(objects.__file__).parent / "sql", tmp_path / "sql")
    (tmp_path / "sql" / name).unlink()
    monkeypatch.setattr(objects.resources, "files", lambda _package: tmp_path)
    monkeypatch.setattr(objects, "shipped", objects.shipped.__wrapped__)

    with pytest.raises(
        IncompleteInstallation, match=rf"/{name} is missing\. Reinstall"
    ):
        schema.migrate(db)

    assert [*db.conn.iterdump()] == before


def test_a_changed_view_is_replaced(db_path):
    db = schema.connect(db_path)
    schema.migrate(db)
    expected = db.schema
    db.execute("drop view wall")
    db.execute("create view wall as select 1")

    schema.migrate(db)

    assert sorted(db.schema.split("\n")) == sorted(expected.split("\n"))
    db.close()


def test_a_changed_index_is_replaced_and_an_old_one_dropped(db):
    expected = [name for kind, name in objects.shipped() if kind == "index"]
    db.execute("drop index runs_actor")
    db.execute("create index runs_actor on runs (actor, run_id)")
    db.execute("create index former on runs (html_url)")
    db.execute("insert into schema_objects values ('index', 'former')")
    told = []

    def each(items, label):
        told.append((label, [*items]))
        return items

    schema.migrate(db, progress=each)

    stored = db.execute(
        "select name from sqlite_master where type = 'index' and sql is not null"
        " and tbl_name not like '!_%' escape '!'"
    )
    assert sorted(name for (name,) in stored) == sorted(expected)
    # No view has changed, so no derived table is rebuilt.
    assert told == [("creating indexes", ["runs_actor"])]


@pytest.mark.parametrize(
    ("view", "told"),
    [
        ("tile_facts", ["rebuilding tiles"]),
        ("decisive_attempts", ["rebuilding tiles"]),
        ("counted_values", ["counting runs"]),
        ("counted_flaky_shas", []),
        ("branch_runs", ["rebuilding tiles"]),
        ("wall", []),
    ],
)
def test_only_the_tables_of_a_changed_view_are_rebuilt(db, view, told):
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    tables = ("tiles", "decisions", "branch_events", "run_values")
    before = [db.execute(f"select * from {name}").fetchall() for name in tables]  # noqa: S608
    db.execute(f"drop view {view}")
    db.execute(f"create view {view} as select 1")
    labels = []

    def each(items, label):
        labels.append(label)
        return items

    schema.migrate(db, progress=each)

    assert labels == ["creating indexes", *told]
    assert before == [db.execute(f"select * from {n}").fetchall() for n in tables]  # noqa: S608


def test_tiles_that_a_migration_dropped_are_rebuilt(db):
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    before = db.execute("select * from tiles").fetchall()
    # What a migration that creates the table again leaves behind.
    objects.drop(db, [key for key in objects.shipped() if key[0] != "index"])
    db.execute("delete from tiles")

    schema.migrate(db)

    assert db.execute("select * from tiles").fetchall() == before != []


def test_the_log_reports_progress_ten_times(caplog):
    caplog.set_level(logging.INFO)
    keys = [("acme/api", "ci.yml", f"branch-{number}") for number in range(25)]

    assert [*log_progress(keys, "rebuilding tiles")] == keys

    messages = [record.getMessage() for record in caplog.records]
    assert messages[:2] == [
        "rebuilding tiles: 1 of 25, acme/api ci.yml branch-0",
        "rebuilding tiles: 4 of 25, acme/api ci.yml branch-3",
    ]
    assert len(messages) == 9


KILLED = """
import os, signal, sys
from pathlib import Path
from ci_observer.ingest.db import schema
def each(items, label):
    for number, item in enumerate(items):
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        yield item
schema.migrate(schema.connect(Path(sys.argv[1])), progress=each)
"""


def test_a_killed_upgrade_leaves_the_old_database(db, db_path):
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    for name in ("runs_actor", "runs_commit"):
        db.execute(f"drop index {name}")
    db.execute("drop view wall")
    before = db.schema

    killed = subprocess.run([sys.executable, "-c", KILLED, db_path], check=False)  # noqa: S603

    assert killed.returncode == -signal.SIGKILL
    with closing(schema.connect(db_path)) as left:
        assert left.schema == before
        assert left["runs"].count == 1
        schema.migrate(left)
        assert "wall" in left.view_names()


def test_a_new_file_has_larger_pages_and_an_old_one_keeps_its_own(tmp_path):
    old = sqlite3.connect(tmp_path / "old.db")
    old.execute("pragma page_size = 4096")
    old.execute("create table runs (run_id)")
    old.close()

    with (
        closing(schema.connect(tmp_path / "old.db")) as kept,
        closing(schema.connect(tmp_path / "new.db")) as new,
    ):
        sizes = [db.execute("pragma page_size").fetchone() for db in (kept, new)]

    assert sizes == [(4096,), (schema.PAGE_SIZE,)]


def test_a_start_keeps_every_row(db):
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))

    schema.migrate(db)

    assert db["runs"].count == db["run_payloads"].count == 1


def test_every_view_exists_and_can_be_read(db):
    names = [name for kind, name in objects.shipped() if kind == "view"]
    assert sorted(db.view_names()) == sorted(names)
    for name in names:
        # day_windows has 13 million rows.
        db.execute(f"select * from {name} limit 100").fetchall()  # noqa: S608 (own)


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


BRANCH = "repo = 'o/r' and workflow = 'ci.yml' and tile_branch = 'main'"


@pytest.mark.parametrize(
    ("where", "order", "index"),
    [
        ("(started_at, run_id) < ('2026', 5)", "started_at desc", "runs_started"),
        ("repo = 'o/r' and workflow = 'ci.yml'", "started_at desc", "runs_workflow"),
        (BRANCH, "created_at desc, run_id desc", "runs_branch"),
        (
            f"{BRANCH} and (created_at, run_id) < ('2026', 5)",
            "created_at, run_id",
            "runs_branch",
        ),
    ],
)
def test_an_index_gives_the_runs_in_order(db, where, order, index):
    plan = db.execute(
        f"explain query plan select * from runs where {where} order by {order}"  # noqa: S608
    ).fetchall()

    assert [row[3].split(" (")[0] for row in plan] == [
        f"SEARCH runs USING INDEX {index}"
    ]
