"""A server of 200 feeds for the measurements in a browser, and a way to change one."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlite_utils import Database

from demo import synthetic
from demo.runs import run_object
from ingest import schema, store
from ingest.config import Config

ROOT = Path(__file__).resolve().parents[1]
REPOS, WORKFLOWS, RUNS = 100, 2, 24
# One repository in so many has a run in progress.
RUNNING_ONE_IN = 7
# A refresh by itself would be measured, too.
REFRESH_SECONDS = 3600
SECONDS_TO_START = 30


class FeedsServer:
    """`ci-observer serve` on a new database, until the `with` block ends."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "ci_observer.db"
        self._db = schema.connect(path)
        self._world = synthetic.build(REPOS, WORKFLOWS, RUNS, now=datetime.now(UTC))
        self._save_feeds()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ingest", "serve"],
            cwd=self._folder.name,
            env=os.environ
            | {
                "CI_OBSERVER_DB": str(path),
                "CI_OBSERVER_PORT": str(port),
                "PYTHONPATH": str(ROOT),
            },
            stderr=subprocess.DEVNULL,
        )
        self._wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._db.close()
        self._folder.cleanup()

    def tiles(self) -> list[dict[str, Any]]:
        """What the wall shows."""
        with urllib.request.urlopen(f"{self.url}api/wall") as answer:  # noqa: S310
            tiles: list[dict[str, Any]] = json.load(answer)["tiles"]
        return tiles

    def change(self) -> None:
        """Let the first tile's workflow fail once more."""
        first = self.tiles()[0]
        run = self._world.add_run(
            first["repo"], first["workflow"], conclusion="failure"
        )
        payload = run_object(run, run.versions[-1], self._world.sites)
        [feed] = [
            feed
            for feed in store.watched_feeds(self._db, first["repo"])
            if feed.workflow == first["workflow"]
        ]
        self._save(feed, [payload])

    def _save_feeds(self) -> None:
        db, now = self._db, datetime.now(UTC)
        schema.migrate(db)
        repos = tuple(self._world.repos)
        files = tuple(f"workflow-{number}.yml" for number in range(WORKFLOWS))
        config = Config(repos=repos, workflows=files, refresh_seconds=REFRESH_SECONDS)
        store.save_instance(db, config, version="bench", now=now)
        store.save_watched(db, [(repo, file) for repo in repos for file in files])
        for number, repo in enumerate(repos):
            if number % RUNNING_ONE_IN == 0:
                self._world.add_run(repo, files[0], status="in_progress")
            names = {file: (f"Build and test {file[:-4]}", "active") for file in files}
            store.save_description(
                db, repo, default_branch="main", workflows=names, now=now
            )
        for feed in store.watched_feeds(db):
            runs = self._world.repos[feed.repo].runs
            ours = [run for run in runs if run.workflow.file == feed.workflow]
            newest_first = reversed(ours)
            self._save(
                feed,
                [
                    run_object(r, r.versions[-1], self._world.sites)
                    for r in newest_first
                ],
            )
        save_poll(db, now)

    def _save(self, feed: store.Feed, payloads: list[dict[str, Any]]) -> None:
        now = datetime.now(UTC)
        store.save_live_page(
            self._db, feed, payloads, etag=None, has_more=False, horizon=now, now=now
        )

    def _wait(self) -> None:
        for _ in range(10 * SECONDS_TO_START):
            try:
                self.tiles()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise SystemExit("The server that was to be measured did not start.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def save_poll(db: Database, now: datetime) -> None:
    """A pass that has just gone well."""
    counts = dict.fromkeys(
        ("feeds_failed", "requests", "not_modified", "runs_written"), 0
    )
    limit = {"rate_limit": 5000, "rate_limit_remaining": 4000}
    times = dict.fromkeys(
        ("started_at", "finished_at", "rate_limit_reset_at"), store.utc(now)
    )
    poll = {"feeds": REPOS * WORKFLOWS, "error": None, "error_kind": None}
    store.save_poll(db, counts | limit | times | poll)
