"""A writer, `litestream replicate`, an S3 server and `ci-observer replica`."""

import os
import re
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from archive import save_poll_of_now, save_runs, watch
from factories import run_payload
from litestream import needs_litestream, replicating, run_litestream
from sqlite_utils import Database
from up import PROC, Up, command_line, descendants, environment, is_running, running_up
from waiting import HANG_SECONDS, eventually

from bench.harness.s3_server import KEY, SECRET, S3Server, s3_server
from ci_observer.ingest.commands.runtime import utc_now
from ci_observer.ingest.db import schema

pytestmark = [
    needs_litestream,
    pytest.mark.long,
    pytest.mark.skipif(not PROC.is_dir(), reason="needs Linux's /proc"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[S3Server]:
    with s3_server(tmp_path / "s3") as running:
        yield running


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Database]:
    """The open database of an instance that has polled just now."""
    with closing(schema.connect(tmp_path / "writer" / "ci_observer.db")) as db:
        schema.migrate(db)
        watch(db, ("acme/api", "ci.yml"), now=utc_now())
        save_poll_of_now(db, repos=("acme/api",), now=utc_now())
        save_runs(db, run_payload(1), now=utc_now())
        yield db


def rows(path: Path) -> dict[str, list[Any]]:
    """The rows of every table of a database, sorted."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        [[result]] = db.execute("pragma integrity_check")
        assert result == "ok"
        names = db.execute("select name from sqlite_master where type = 'table'")
        return {
            name: sorted(db.execute(f'select * from "{name}"').fetchall(), key=repr)  # noqa: S608 (of the schema)
            for [name] in names.fetchall()
        }


def run_ids(replica: Up) -> list[int]:
    """The ids of the runs that a replica shows; none before it has a database."""
    response = replica.get("/api/runs")
    return sorted(run["run_id"] for run in response.json().get("runs", []))


def litestream_pids(replica: Up) -> list[int]:
    """The processes of Litestream below a replica; each keeps one of its two copies."""
    return [
        pid
        for pid in descendants(replica.process.pid)
        if Path(command_line(pid)[0]).name == "litestream"
    ]


def test_a_replica_follows_the_writer_also_after_its_followers_were_killed(
    tmp_path: Path, server: S3Server, writer: Database
) -> None:
    url = server.url("ci-observer")
    path = tmp_path / "replica" / "ci_observer.db"
    log = tmp_path / "replica.log"
    save = partial(save_runs, writer, now=utc_now())
    with (
        log.open("wb") as output,
        replicating(writer.file_path, url, tmp_path / "litestream.log"),  # type: ignore[attr-defined]
    ):
        eventually(lambda: run_litestream("ltx", url).stdout.count("\n") > 1, every=1)
        with running_up(
            tmp_path,
            output.fileno(),
            command=[sys.executable, "-m", "ci_observer", "replica", url],
            CI_OBSERVER_DB=str(path),
            AWS_ACCESS_KEY_ID=KEY,
            AWS_SECRET_ACCESS_KEY=SECRET,
            # A bundle with which Litestream's own client would end.
            AWS_CA_BUNDLE=os.devnull,
        ) as replica:
            eventually(lambda: run_ids(replica) == [1])
            eventually(lambda: len(litestream_pids(replica)) == 2)
            first = path.stat().st_ino
            save(run_payload(2))
            eventually(lambda: run_ids(replica) == [1, 2], every=0.5)
            # The second copy takes the place of the first, with a later change.
            save(run_payload(3))
            eventually(lambda: path.stat().st_ino != first)
            eventually(lambda: run_ids(replica) == [1, 2, 3], every=0.5)

            for pid in litestream_pids(replica):
                os.kill(pid, signal.SIGKILL)
            save(run_payload(4))
            # The former copy is served until the new one is complete.
            eventually(lambda: run_ids(replica) == [1, 2, 3, 4], every=0.5)
            eventually(lambda: replica.get("/api/health").json()["ok"])
            eventually(lambda: rows(path) == rows(writer.file_path), every=1)  # type: ignore[attr-defined]

            web = [
                pid
                for pid in descendants(replica.process.pid)
                if "serve" in command_line(pid)
            ]
            assert web
            assert not any(SECRET in line for pid in web for line in environment(pid))
            pids = replica.tree()
            replica.process.terminate()
            assert replica.process.wait(HANG_SECONDS) == 0
            eventually(lambda: not any(map(is_running, pids)))
    text = log.read_text()
    assert "follows s3://archive/ci-observer." in text
    assert "Litestream has ended with exit code -9" in text
    assert SECRET not in text
    assert not re.search("ERROR|Traceback", text)
    assert {entry.name for entry in path.parent.iterdir()} <= {
        "ci_observer.db",
        "ci_observer.db.replica",
        "ci_observer.db-txid",
        ".ci_observer.db-replica",
    }
