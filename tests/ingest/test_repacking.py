"""Databases of older versions: their payloads can be read, and are repacked."""

import json
import logging
import signal
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest
from archive import NOW, save_runs, watch
from click.testing import CliRunner
from factories import run_payload
from polling import Ingest
from run_objects import FEED, compact, full_size_runs, raw_json

from ci_observer.ingest.cli import main
from ci_observer.ingest.db import schema
from ci_observer.ingest.github.rows import run_row
from ci_observer.ingest.polling import maintenance
from ci_observer.ingest.polling.maintenance import Repacking
from ci_observer.ingest.store import payloads

REPO, WORKFLOW = FEED


def texts(db):
    return dict(db.execute("select run_id, raw_json from runs_full").fetchall())


def expected(objects):
    return {payload["id"]: compact(payload) for payload in objects}


def left(db):
    return payloads.count_to_repack(db)


@pytest.fixture(scope="module")
def objects():
    [some] = full_size_runs(runs=10).values()
    return some


def with_whole_payloads(path, objects):
    """A database of the version that stored each object whole."""
    db = schema.connect(path)
    schema.migrations.apply(db, stop_before="m010_payload_parts")
    for payload in objects:
        db["runs"].insert(run_row(payload, repo=REPO, workflow=WORKFLOW))
        row = {"run_id": payload["id"], "raw_json": compact(payload)}
        db["run_payloads"].insert(row)
    return db


def with_parts(path, objects):
    """A database of the version that knew phrases and parts, but not the row's values.

    Its table had its columns in another order, and none had a default.
    """
    db = schema.connect(path)
    schema.migrations.apply(db, stop_before="m060_repacking")
    db.execute("drop table run_payloads")
    db.execute(
        """
        create table run_payloads (
            run_id integer primary key references runs (run_id),
            phrases_id integer not null,
            part_ids text not null,
            body text not null
        )
        """
    )
    for payload in objects:
        db["runs"].insert(run_row(payload, repo=REPO, workflow=WORKFLOW))
        insert_with_parts(db, payload)
    return db


def insert_with_parts(db, payload):
    run_id = str(payload["id"])
    first, *others = compact(payload).split(run_id)
    repository = compact(payload["repository"])
    row = {
        "run_id": payload["id"],
        "phrases_id": part(db, json.dumps([f"{first}\x7f"])),
        "part_ids": json.dumps([part(db, repository)]),
        "body": f"\x01{run_id.join(others)}".replace(repository, "\x80"),
    }
    assert len(row["body"]) < len(compact(payload)) / 2
    db["run_payloads"].insert(row)


def part(db, content):
    table = db["payload_parts"]
    for row in table.rows_where("content = ?", [content]):
        return row["part_id"]
    row = {"hash": hash(content), "used_until": f"{NOW:%Y-%m-%d}", "content": content}
    return table.insert(row).last_pk


@pytest.fixture(params=[with_whole_payloads, with_parts])
def former(request, db_path, objects):
    """A database of an older version, with ten runs."""
    db = request.param(db_path, objects)
    yield db
    db.close()


def repack(db, *, times=None):
    for _ in range(times or 1_000_000):
        if not payloads.repack(db, 3):
            return


def test_every_payload_can_be_read_as_soon_as_the_schema_is_up_to_date(former, objects):
    assert "m060_repacking" in schema.migrate(former)

    assert texts(former) == expected(objects)
    assert left(former) == 10


def test_the_log_names_the_migrations_before_they_run(former, caplog):
    caplog.set_level(logging.INFO)

    schema.migrate(former)
    schema.migrate(former)

    first, *_ = [record.getMessage() for record in caplog.records]
    assert first.startswith("Bringing the database up to date: ")
    assert "m060_repacking, m061_narrower_indexes" in first


def test_creating_a_database_logs_nothing(db_path, caplog):
    caplog.set_level(logging.INFO)
    db = schema.connect(db_path)

    schema.migrate(db)

    assert caplog.records == []
    db.close()


def test_repacking_keeps_every_payload_in_less_space(former, objects):
    schema.migrate(former)

    repack(former)

    assert texts(former) == expected(objects)
    assert left(former) == 0
    [[longest]] = former.execute("select max(length(body)) from run_payloads")
    assert longest < 500
    assert former.execute("pragma foreign_key_check").fetchall() == []


def test_a_repacked_database_equals_a_new_one(former, objects, tmp_path):
    schema.migrate(former)
    repack(former)
    new = schema.connect(tmp_path / "new.db")
    schema.migrate(new)
    watch(new, FEED)
    save_runs(new, *objects)

    for select in (
        "select run_id, body from run_payloads",
        "select content, used_until from payload_parts order by 1",
    ):
        assert former.execute(select).fetchall() == new.execute(select).fetchall()
    new.close()


def test_its_tables_have_the_columns_of_a_new_one(former, tmp_path):
    schema.migrate(former)
    new = schema.connect(tmp_path / "new.db")
    schema.migrate(new)

    assert sorted(former.table_names()) == sorted(new.table_names())
    for name in new.table_names():
        assert former[name].columns_dict == new[name].columns_dict
        assert former[name].indexes == new[name].indexes
    new.close()


def test_a_new_database_has_nothing_to_repack(db):
    watch(db, FEED)
    save_runs(db, run_payload(1))

    assert left(db) == 0
    assert payloads.repack(db, 10) == 0


def test_repacking_resumes_and_every_payload_stays_readable(former, objects, db_path):
    schema.migrate(former)
    repack(former, times=2)
    former.close()
    again = schema.connect(db_path)
    schema.migrate(again)

    assert texts(again) == expected(objects)
    assert left(again) == 4
    repack(again)
    assert texts(again) == expected(objects)
    again.close()


def test_runs_saved_during_repacking_are_kept(former, objects):
    schema.migrate(former)
    repack(former, times=1)
    watch(former, FEED)
    changed = [payload | {"display_title": "Another"} for payload in objects]
    gone_on = [changed[1], changed[-1], objects[0]]

    save_runs(former, *gone_on)
    repack(former)

    assert texts(former) == expected(objects) | expected(gone_on)


def test_a_payload_pruned_during_repacking_stays_pruned(former, objects):
    schema.migrate(former)
    repack(former, times=1)
    payloads.prune(former, NOW.date() + timedelta(days=1), 4)

    repack(former)

    kept = [text for text in texts(former).values() if text]
    assert len(kept) == 6


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        '{ "id": 1, "name": "CI" }',
        '{"id":1,"name":"na\u00efve \u0601"}',
        '{"id":1,"id":1}',
        '{"id":1,"number":1e2}',
        "[]",
        "",
    ],
)
def test_a_text_that_unpacks_differently_stays_whole(db_path, text):
    db = with_whole_payloads(db_path, [run_payload(1)])
    db.execute("update run_payloads set raw_json = ?", [text])

    schema.migrate(db)
    repack(db)

    assert raw_json(db) == text
    assert left(db) == 0
    db.close()


def test_migrate_repacks_and_reports_it(former, objects, db_path, monkeypatch):
    monkeypatch.setattr("ci_observer.ingest.commands.payloads.REPACK_BATCH", 4)

    result = CliRunner().invoke(main, ["migrate"], env={"CI_OBSERVER_DB": str(db_path)})

    assert result.exit_code == 0
    assert "\n10 payloads repacked; " in result.output
    assert texts(former) == expected(objects)
    assert left(former) == 0


def test_each_polling_pass_repacks_some_and_logs_it(
    former, objects, caplog, monkeypatch
):
    monkeypatch.setattr(maintenance, "REPACK_BATCH", 2)
    monkeypatch.setattr(maintenance, "REPACK_BATCHES_PER_PASS", 2)
    monkeypatch.setattr(maintenance, "LOG_EVERY_REPACKED", 5)
    schema.migrate(former)
    caplog.set_level(logging.INFO)
    repacking = Repacking(former)
    lefts = []

    for _ in range(5):
        repacking.repack_some()
        lefts.append(left(former))

    assert lefts == [6, 2, 0, 0, 0]
    assert [record.getMessage() for record in caplog.records] == [
        "10 payloads to repack, some in each pass; "
        "ci-observer migrate repacks all of them at once",
        "6 of 10 payloads repacked",
        "10 of 10 payloads repacked",
        "10 payloads repacked, none left",
    ]


def test_a_pass_of_ingest_continues_repacking(former, objects, world, github):
    schema.migrate(former)
    world.add_repo(REPO)

    with closing(Ingest(former, github)) as ingest:
        ingest.poll()

    assert left(former) == 0
    assert texts(former) == expected(objects)


KILLED = """
import os, signal, sys
from pathlib import Path
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import payloads
db = schema.connect(Path(sys.argv[1]))
schema.migrate(db)
payloads.repack(db, 3)
save = payloads.upsert_all
def die(*arguments):
    save(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
payloads.upsert_all = die
payloads.repack(db, 3)
"""


def test_a_killed_repacking_loses_nothing(former, objects, db_path):
    former.close()

    killed = subprocess.run([sys.executable, "-c", KILLED, db_path], check=False)  # noqa: S603

    assert killed.returncode == -signal.SIGKILL
    db = schema.connect(db_path)
    assert texts(db) == expected(objects)
    assert left(db) == 7
    repack(db)
    assert texts(db) == expected(objects)
    db.close()
