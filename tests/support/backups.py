"""A database with three runs, and its backups."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from archive import save_runs, watch
from click.testing import CliRunner, Result
from factories import run_payload
from sqlite_utils import Database

from ci_observer.ingest.cli import main
from ci_observer.ingest.db import schema

RUNS = 3


@pytest.fixture
def archive(db: Database, db_path: Path) -> Path:
    """A database with three runs, still open for writing."""
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, *(run_payload(number) for number in range(1, RUNS + 1)))
    return db_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


def backup(db_path: Path, *arguments: object) -> Result:
    environ = {"CI_OBSERVER_DB": str(db_path)}
    return CliRunner().invoke(main, ["backup", *map(str, arguments)], env=environ)


def runs_in(path: Path) -> int:
    """The runs of a sound database, read without its other files."""
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as conn:
        assert conn.execute("pragma integrity_check").fetchall() == [("ok",)]
        [count] = conn.execute("select count(*) from runs").fetchone()
    return int(count)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def damage(path: Path) -> None:
    """Overwrite a page in the middle of a database file."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * schema.PAGE_SIZE)
