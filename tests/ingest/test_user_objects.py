"""Objects that users add to the database outlive every start and upgrade."""

import pytest
from archive import save_runs, watch
from factories import run_payload

from ci_observer.ingest.db import objects, schema
from ci_observer.ingest.db.hashes_before_record import HASHES_BEFORE_RECORD
from ci_observer.ingest.errors import DatabaseError

USER_OBJECTS = {
    "my_report": "CREATE VIEW my_report as select repo, last_result from wall where 1",
    "my_list": "CREATE VIEW my_list as\n  select * from my_report",
    "my_notes": "CREATE TABLE my_notes (run_id integer, note text)",
    "my_sha": "CREATE INDEX my_sha on runs (head_sha)",
    "my_note_ids": "CREATE UNIQUE INDEX my_note_ids on my_notes (run_id)",
    "my_log": (
        "CREATE TRIGGER my_log after insert on runs begin\n"
        "  insert into my_notes values (new.run_id, 'new');\nend"
    ),
    "my_input": (
        "CREATE TRIGGER my_input instead of insert on my_list begin\n"
        "  insert into my_notes values (1, new.repo);\nend"
    ),
    "my_wall_input": (
        "CREATE TRIGGER my_wall_input instead of update on wall begin\n"
        "  insert into my_notes values (2, new.repo);\nend"
    ),
}


def create_user_objects(db):
    for sql in USER_OBJECTS.values():
        db.execute(sql)


def sql_of(db, *names):
    rows = db.execute("select name, sql from sqlite_master where sql is not null")
    return {name: sql for name, sql in rows if name in names}


def forget_the_record(db):
    """Make it a database of a version that did not record its objects."""
    db.execute("drop view clock")  # The test's own, with another text.
    db.execute(objects.shipped()["view", "clock"])
    objects.drop(db, objects.shipped().keys() - HASHES_BEFORE_RECORD.keys())
    db.execute("drop table schema_objects")
    db.execute("delete from _sqlite_migrations where name = 'm071_schema_objects'")


def dump(db):
    return [*db.conn.iterdump()]


@pytest.fixture
def old_db(db_path):
    """A database of the first version, with two of its views."""
    db = schema.connect(db_path)
    schema.migrations.apply(db, stop_before="m010_payload_parts")
    db.execute(
        "create view runs_full as select runs.*, run_payloads.raw_json from runs\n"
        "left join run_payloads using (run_id)"
    )
    db.execute(
        "create view wall as\nselect * from wall_branches where is_default_branch"
    )
    yield db
    db.close()


def test_columns_that_a_user_adds_to_any_table_do_not_stop_polls_or_upgrades(db):
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    for table in db.table_names():
        db.execute(f"alter table {table} add column my_mark")
    db.execute("update tiles set my_mark = 'mine'")

    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save_runs(db, run_payload(1, attempt=2), run_payload(2, conclusion="failure"))
    assert db.execute("select last_result_run_id, my_mark from tiles").fetchall() == [
        (2, "mine")
    ]

    db.execute("drop view decisive_attempts")
    schema.migrate(db)

    assert db["tiles"].count == 1
    assert db["decisions"].count == 2


def test_a_start_leaves_the_users_objects_as_they_are(db):
    create_user_objects(db)
    before = dump(db)

    schema.migrate(db)

    assert sql_of(db, *USER_OBJECTS) == USER_OBJECTS
    # The test's clock was replaced, which made the start an upgrade.
    [changed] = {*before} - {*dump(db)}
    assert changed.startswith("CREATE VIEW clock")
    assert len(before) == len(dump(db))


def test_the_users_objects_outlive_the_upgrade_of_a_database_without_a_record(db):
    create_user_objects(db)
    forget_the_record(db)

    assert schema.migrate(db) == ["m071_schema_objects"]

    assert sql_of(db, *USER_OBJECTS) == USER_OBJECTS
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    assert db.execute("select * from my_notes").fetchall() == [(1, "new")]
    db.execute("update wall set repo = 'x/y'")
    assert db.execute("select count(*) from my_list").fetchone() == (1,)


def test_an_upgrade_drops_what_only_earlier_versions_shipped(db):
    forget_the_record(db)
    db.execute("create index runs_sha on runs (head_sha)")
    db.execute(
        "create index runs_timed on runs\n  (repo, workflow, head_branch, event)"
        " where duration_seconds > 0"
    )
    db.execute("create view my_runs_sha as select head_sha from runs")

    schema.migrate(db)

    found = objects.stored(db).keys()
    assert found >= objects.shipped().keys()
    assert ("view", "my_runs_sha") in found
    assert not {("index", "runs_sha"), ("index", "runs_timed")} & found


def test_a_users_object_with_a_name_that_earlier_versions_used_is_kept(db):
    forget_the_record(db)
    kept = {
        "runs_sha": "CREATE INDEX runs_sha on runs (actor, repo)",
        "runs_event": "CREATE UNIQUE INDEX runs_event on runs (run_id, event)",
    }
    for sql in kept.values():
        db.execute(sql)

    schema.migrate(db)

    assert sql_of(db, *kept) == kept


def test_a_replaced_object_of_a_database_without_a_record_stops_the_upgrade(db):
    forget_the_record(db)
    db.execute("drop index runs_actor")
    db.execute("create index runs_actor on runs (actor, repo)")
    before = dump(db)

    with pytest.raises(DatabaseError, match='index "runs_actor" is in the way'):
        schema.migrate(db)

    assert dump(db) == before


def test_a_users_index_outlives_old_migrations_that_drop_one_of_its_name(old_db):
    old_db.execute("drop index runs_started")
    old_db.execute("create index runs_started on runs (actor)")
    before = dump(old_db)

    with pytest.raises(DatabaseError, match='index "runs_started" is in the way'):
        schema.migrate(old_db)

    assert dump(old_db) == before


def test_a_recorded_object_that_is_no_longer_shipped_is_dropped(db):
    db.execute("create view former as select 1")
    db.execute("insert into schema_objects values ('view', 'former')")

    schema.migrate(db)

    assert "former" not in db.view_names()
    assert {*db.execute("select * from schema_objects")} == {*objects.shipped()}


def test_the_users_objects_outlive_renamed_columns_and_rebuilt_tables(old_db):
    kept = {
        "my_raw": "CREATE VIEW my_raw as select raw_json from run_payloads",
        "my_runs": "CREATE VIEW my_runs as select repo, raw_json from runs_full",
        "my_streaks": "CREATE INDEX my_streaks on tiles (streak desc)",
        "my_alarm": (
            "CREATE TRIGGER my_alarm after update on tiles when new.streak > 9 begin\n"
            "  delete from my_notes;\nend"
        ),
        "my_notes": "CREATE TABLE my_notes (note)",
    }
    for sql in reversed(kept.values()):
        old_db.execute(sql)

    schema.migrate(old_db)

    assert sql_of(old_db, *kept) == kept
    assert old_db.execute("select * from my_runs").fetchall() == []


def test_a_view_that_an_upgrade_breaks_is_kept_and_named(old_db, caplog):
    kept = {
        "my_raw": "CREATE VIEW my_raw as select raw_json from run_payloads",
        "my_input": (
            "CREATE TRIGGER my_input instead of insert on my_raw begin select 1; end"
        ),
    }
    for sql in kept.values():
        old_db.execute(sql)

    schema.migrate(old_db)

    assert sql_of(old_db, *kept) == kept
    assert (
        'The view "my_raw", which is yours, no longer works: no such column: raw_json.'
        " It is kept. Renamed columns are in CHANGELOG.md of CI Observer's source."
    ) in caplog.messages


def test_a_view_with_a_function_of_the_user_is_kept_without_a_warning(old_db, caplog):
    kept = {"my_distances": "CREATE VIEW my_distances as select levenshtein(repo, 'a')"}
    kept["my_distances"] += " from runs"
    old_db.execute(kept["my_distances"])

    schema.migrate(old_db)

    assert sql_of(old_db, *kept) == kept
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    "sql",
    [
        "create index mine on tiles (my_column)",
        "create trigger mine after insert on runs begin"
        " update run_payloads set raw_json = ''; end",
        "create trigger mine before update of repo on runs begin"
        " update run_payloads set raw_json = ''; end",
        "create trigger mine after delete on tiles begin select old.my_column; end",
        # An event word before the event itself.
        'create trigger "no update here, mine" after insert on runs begin'
        " update run_payloads set raw_json = ''; end",
        'create trigger /* not on delete */ "mine" after update on runs begin'
        " update run_payloads set raw_json = ''; end",
    ],
)
def test_an_upgrade_that_would_break_a_users_object_is_refused(old_db, sql):
    old_db.execute("alter table tiles add column my_column")
    old_db.execute(sql)
    before = dump(old_db)

    with pytest.raises(
        DatabaseError, match=r"mine\", which is yours.*Change or drop it"
    ):
        schema.migrate(old_db)

    assert dump(old_db) == before


def test_a_database_from_before_the_columns_of_its_first_tables_is_upgraded(old_db):
    """The first migrations got columns later, before there were any releases."""
    old_db.execute("drop view wall")  # SQLite compiles the views at each change.
    for column in ("next_url", "oldest_at", "newest_at"):
        old_db.execute(f"alter table etags drop column {column}")
    url = "https://api.github.com/repos/acme/api/actions/runs"
    old_db.execute("insert into etags (url, etag) values (?, 'x')", [url])

    schema.migrate(old_db)

    rows = old_db.execute(
        "select kind, repo, etag, newest_at from responses"
    ).fetchall()
    assert rows == [("runs", "acme/api", "x", None)]


def test_an_upgrade_that_drops_the_column_of_a_users_index_is_refused(old_db):
    old_db.execute('create index "my index" on feeds (backfilled_to)')
    before = dump(old_db)

    with pytest.raises(
        DatabaseError, match=r'^The index "my index", which is yours.*Change or drop it'
    ):
        schema.migrate(old_db)

    assert dump(old_db) == before


@pytest.mark.parametrize("action", ["restrict", "cascade", "set null"])
@pytest.mark.parametrize("parent", ["etags (url)", "feeds (repo, workflow)"])
def test_an_upgrade_that_deletes_what_a_users_row_refers_to_is_refused(
    old_db, parent, action
):
    old_db.execute("insert into etags (url, etag) values ('o/r', 'x')")
    old_db.execute("insert into feeds (repo, workflow) values ('o/r', '*')")
    old_db.execute(
        "create table mine (url default 'o/r', workflow default '*', foreign key"
        f" (url{', workflow' if ',' in parent else ''}) references {parent}"
        f" on delete {action})"
    )
    old_db.execute("insert into mine default values")
    old_db.conn.commit()
    before = dump(old_db)

    with pytest.raises(
        DatabaseError, match=r'^The table "mine", which is yours, has a foreign key'
    ):
        schema.migrate(old_db)

    assert dump(old_db) == before
    assert old_db.execute("pragma foreign_keys").fetchone() == (1,)


def test_users_rows_that_refer_to_kept_or_missing_rows_outlive_an_upgrade(old_db):
    old_db.execute("insert into tiles (repo, workflow, branch) values (1, 2, 3)")
    old_db.execute("insert into feeds (repo, workflow) values ('o/r', 'ci.yml')")
    for sql in (
        "create table mine (repo, workflow, branch, foreign key (repo, workflow)"
        " references feeds on delete cascade)",
        "create table orphans (repo references nowhere (repo), ref references tiles)",
    ):
        old_db.execute(sql)
    old_db.conn.commit()
    old_db.execute("pragma foreign_keys = off")
    old_db.execute("insert into mine values ('o/r', 'ci.yml', 'main')")
    old_db.execute("insert into orphans values (1, 1)")
    old_db.conn.commit()
    old_db.execute("pragma foreign_keys = on")

    schema.migrate(old_db)

    assert old_db.execute("select * from mine").fetchall() == [
        ("o/r", "ci.yml", "main")
    ]
    assert old_db.execute("select * from orphans").fetchall() == [(1, 1)]


@pytest.mark.parametrize(
    ("kind", "sql"),
    [
        ("view", "create view feed_links as select 'mine'"),
        ("table", "create table feed_links (mine)"),
        ("index", "create index feed_links on runs (html_url)"),
        ("index", "create index jobs_run on jobs (html_url)"),
        ("table", "create table jobs_run (mine)"),
        (
            "trigger",
            "create trigger runs_keep_payload after insert on runs begin select 1; end",
        ),
    ],
)
def test_a_users_object_with_a_newly_shipped_name_stops_the_upgrade(db, kind, sql):
    name = sql.split()[2]
    [[former]] = db.execute(
        "delete from schema_objects where name = ? returning type", [name]
    ).fetchall()
    db.conn.commit()
    db.execute(f"drop {former} {name}")
    db.execute(sql)
    before = dump(db)

    with pytest.raises(
        DatabaseError, match=f'^The {kind} "{name}" is in the way.*Rename or drop it'
    ):
        schema.migrate(db)

    assert dump(db) == before


@pytest.mark.parametrize("kind", ["table", "view"])
def test_a_users_object_with_the_name_of_a_new_table_stops_the_upgrade(db, kind):
    forget_the_record(db)
    db.execute(f"create {kind} schema_objects as select 'mine' as owner")
    before = dump(db)

    with pytest.raises(
        DatabaseError, match=r'(table|view) "schema_objects" is in the way'
    ):
        schema.migrate(db)

    assert dump(db) == before
