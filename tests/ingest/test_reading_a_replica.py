"""Commands that read a file of Litestream's, which changes its pages in place."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from archive import save_runs, watch
from factories import run_payload
from read_only import to_rollback_mode, write_in_place
from sqlite_utils import Database

from ci_observer.ingest.db import schema
from ci_observer.ingest.db.database_file import txid_path


@pytest.fixture
def replica(db: Database, db_path: Path) -> Path:
    """A closed file with a run, as Litestream restores it."""
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    db.close()
    to_rollback_mode(db_path)
    txid_path(db_path).write_text("1")
    return db_path


@pytest.fixture
def newer(replica: Path, tmp_path: Path) -> bytes:
    """The content of the file after an update with another run."""
    path = shutil.copyfile(replica, tmp_path / "newer.db")
    with closing(schema.connect(path)) as db:
        save_runs(db, run_payload(1), run_payload(2))
    to_rollback_mode(path)
    return path.read_bytes()


def test_each_statement_reads_the_pages_of_now(replica: Path, newer: bytes) -> None:
    count = "select count(*) from runs"
    with closing(schema.connect_read_only(replica)) as db:
        [before] = db.execute(count).fetchone()
        write_in_place(replica, newer)
        [after] = db.execute(count).fetchone()

    assert (before, after) == (1, 2)
