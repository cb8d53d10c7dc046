"""The command `lake`: its options, its loop, and its errors in words."""

import signal
import subprocess
from importlib.util import find_spec

import pytest
from archive import save_runs, watch
from click.testing import CliRunner
from deltalake import DeltaTable, Field, write_deltalake
from factories import run_payload
from lakes import TABLES, merge, stored_rows
from processes import CI_OBSERVER, environ_with
from waiting import HANG_SECONDS

from ci_observer.ingest.cli import main
from ci_observer.ingest.commands import lake_options
from ci_observer.ingest.errors import LakeError
from ci_observer.ingest.lake.address import place_of
from ci_observer.ingest.lake.arrow import schema_of

FEED = ("acme/api", "ci.yml")


def test_it_merges_again_and_again_until_sigterm(db, db_path, lake):
    watch(db, FEED)
    save_runs(db, run_payload(1))
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [*CI_OBSERVER, "lake", str(lake.folder), "--every", "10m"],
        env=environ_with(CI_OBSERVER_DB=db_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=HANG_SECONDS)

    assert "runs 1 new, attempts 1 new, jobs unchanged, tiles 1 new" in line
    assert process.returncode == 0, log
    assert len(lake.rows("runs")) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--every", "30s"], "--every 30s is too short: it is at least 1m."),
        (["--every", "often"], "--every 'often' is no duration."),
        (["--retention", "1h"], "--retention 1h is too short: it is at least 7d."),
        (["gs://bucket/lake"], "A lake is a folder or s3://BUCKET/PREFIX, not gs://."),
        (["s3:///lake"], "The address of the lake has no bucket"),
        (["s3://key:secret@bucket/x"], "may only have a bucket and a prefix"),
    ],
)
def test_a_wrong_option_is_named(options, message, monkeypatch):
    address = [] if options[-1].startswith(("gs", "s3")) else ["lake"]
    result = CliRunner().invoke(main, ["lake", *options, *address])

    assert result.exit_code == 2
    assert message in result.output
    assert "secret" not in result.output


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(
        lake_options,
        "find_spec",
        lambda name: None if name == "deltalake" else find_spec(name),
    )
    result = CliRunner().invoke(main, ["lake", "folder"])

    assert result.exit_code == 1
    assert "pip install 'ci-observer[lake]'" in result.output


def test_a_database_without_the_log_is_refused(db, db_path, lake):
    db.execute("drop table run_changes")
    db.execute("delete from instance where key = 'database_id'")
    db.conn.commit()

    with pytest.raises(Exception, match="ci-observer migrate"):
        merge(db_path, lake.folder)


def test_a_folder_with_other_files_is_refused(db_path, db, lake):
    lake.folder.mkdir()
    (lake.folder / "holiday.jpg").touch()

    with pytest.raises(LakeError, match=r"holds other files, such as 'holiday\.jpg'"):
        merge(db_path, lake.folder)
    assert lake.files() == {lake.folder / "holiday.jpg"}


def test_a_file_is_no_folder(db_path, db, lake):
    lake.folder.touch()

    with pytest.raises(LakeError, match="It is not a folder"):
        merge(db_path, lake.folder)


def test_a_table_of_another_program_is_refused(db_path, db, lake):
    other = schema_of(TABLES["tiles"])
    DeltaTable.create(str(lake.folder / "runs"), other)

    with pytest.raises(LakeError, match=r"another schema \(it has no column 'run_id'"):
        merge(db_path, lake.folder)


def test_a_table_of_a_newer_version_is_refused(db_path, db, lake):
    merge(db_path, lake.folder)
    table = DeltaTable(lake.folder / "runs")
    table.alter.add_columns([Field("mood", "string")])

    with pytest.raises(LakeError, match="has the column 'mood', which this version"):
        merge(db_path, lake.folder)


def test_a_table_of_an_older_version_gets_the_new_columns(db, db_path, lake):
    watch(db, FEED)
    save_runs(db, run_payload(1))
    merge(db_path, lake.folder)
    without_actor(lake.folder / "runs")
    assert "actor" not in columns(lake)

    merge(db_path, lake.folder)

    assert lake.rows("runs") == stored_rows(db, "runs")


def without_actor(path) -> None:
    """The table as a version has written it that did not know actors."""
    data = DeltaTable(path).to_pyarrow_table().drop_columns(["actor"])
    for file in sorted(path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    write_deltalake(path, data, partition_by=["month"])


def columns(lake) -> list[str]:
    return [field.name for field in DeltaTable(lake.folder / "runs").schema().fields]


def test_http_is_allowed_on_loopback_only():
    options = place_of("s3://b/p", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}).options
    other = place_of("s3://b/p", {"AWS_ENDPOINT_URL": "http://10.0.0.1:1"}).options

    assert options["aws_allow_http"] == "true"
    assert "aws_allow_http" not in other


def test_credentials_are_not_shown():
    aws = {"AWS_ACCESS_KEY_ID": "AKIA1234", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}

    assert "s3cr3t" not in repr(place_of("s3://bucket/lake", aws))
