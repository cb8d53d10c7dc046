"""A server with 200 feeds for browser benchmarks; one feed can be changed."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bench.databases.make_db import watch
from bench.harness import servers
from bench.harness.servers import HOST, Server
from ci_observer.demo.scenario import synthetic_world
from ci_observer.demo.server.model import Run
from ci_observer.demo.server.run_objects import run_object
from ci_observer.demo.server.world import World
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import feeds, instance, runs
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import utc

REPOS, WORKFLOWS, RUNS = 100, 2, 24
# One of this many repositories has a run in progress.
RUNNING_ONE_IN = 7
# Long enough that the page never refreshes by itself.
REFRESH_SECONDS = 3600


class FeedsServer:
    """`ci-observer serve` on a database with the runs of a synthetic world."""

    def __init__(self, db: Database, world: World, server: Server) -> None:
        self._db = db
        self._world = world
        self._server = server
        self.url = f"http://{HOST}:{server.port}/"

    def tiles(self) -> list[dict[str, Any]]:
        """The tiles of the wall."""
        response = self._server.get_ok("/api/wall")
        tiles: list[dict[str, Any]] = json.loads(response.body)["tiles"]
        return tiles

    def add_failure(self) -> None:
        """Add a failed run to the workflow of the first tile."""
        first = self.tiles()[0]
        run = self._world.add_run(
            first["repo"], first["workflow"], conclusion="failure"
        )
        [feed] = [
            feed
            for feed in feeds.watched(self._db, first["repo"])
            if feed.workflow == first["workflow"]
        ]
        save(self._db, self._world, feed, [run])


@contextmanager
def feeds_server() -> Iterator[FeedsServer]:
    """A server on a new database, until the block ends."""
    world = synthetic_world.build(REPOS, WORKFLOWS, RUNS, now=datetime.now(UTC))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ci_observer.db"
        with closing(schema.connect(path)) as db:
            save_feeds(db, world)
            with servers.ci_observer(path) as server:
                yield FeedsServer(db, world, server)


def save_feeds(db: Database, world: World) -> None:
    """Write all runs of the world, as if they were just fetched."""
    now = datetime.now(UTC)
    schema.migrate(db)
    files = [f"workflow-{number}.yml" for number in range(WORKFLOWS)]
    names = {file: f"Build and test {file[:-4]}" for file in files}
    watch(db, dict.fromkeys(world.repos, names), now, refresh_seconds=REFRESH_SECONDS)
    for repo in list(world.repos)[::RUNNING_ONE_IN]:
        world.add_run(repo, files[0], status="in_progress")
    for feed in feeds.watched(db):
        simulated = reversed(world.repos[feed.repo].runs)
        newest_first = [r for r in simulated if r.workflow.file == feed.workflow]
        save(db, world, feed, newest_first)
    save_poll(db, now)


def save(db: Database, world: World, feed: Feed, simulated: list[Run]) -> None:
    """Write a page of a feed's runs."""
    now = datetime.now(UTC)
    payloads = [run_object(run, run.versions[-1], world.sites) for run in simulated]
    runs.save_page(db, feed, payloads, etag=None, has_more=False, horizon=now, now=now)


def save_poll(db: Database, now: datetime) -> None:
    """Write a successful pass."""
    counts = dict.fromkeys(
        ("feeds_failed", "requests", "not_modified", "runs_written"), 0
    )
    limit = {"rate_limit": 5000, "rate_limit_remaining": 4000}
    times = dict.fromkeys(
        ("started_at", "finished_at", "rate_limit_reset_at"), utc(now)
    )
    poll = {"feeds": REPOS * WORKFLOWS, "error": None, "error_kind": None}
    instance.save_poll(db, counts | limit | times | poll)
