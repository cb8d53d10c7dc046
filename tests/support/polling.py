"""Ingest within a test: real HTTP, a real database file, a settable clock."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlite_utils import Database
from waiting import HANG_SECONDS

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.config import Config
from ci_observer.ingest.github.app_jwt import AppSettings
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection
from ci_observer.ingest.github.transport import open_http
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.polling.loop import run_forever
from ci_observer.ingest.polling.poller import Poller
from ci_observer.ingest.polling.results import PollResult
from ci_observer.ingest.store import backfills, feeds, instance
from ci_observer.ingest.store.backfills import Backfill
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import Clock

REPO, FILE = "acme/api", "ci.yml"


class Ingest:
    """Ingest of one database. Its clock is that of the simulated GitHub."""

    def __init__(
        self, db: Database, server: GitHubServer, clock: Clock | None = None
    ) -> None:
        self.db = db
        self.server = server
        self.clock = clock or server.clock
        self._timer = lambda: server.clock().timestamp()
        self._settings: dict[str, Any] = {
            "token": server.token,
            "api_url": server.url,
            "repos": (REPO,),
            "workflows": (FILE,),
            # Jobs that no tile needs have tests of their own.
            "fetch_jobs": "failed",
        }
        self._runner = asyncio.Runner()
        self._http = open_http("test")
        self._http.timeout = httpx.Timeout(HANG_SECONDS)
        self.restart()

    def restart(self, **settings: Any) -> None:
        """Start again with other settings on the same database."""
        self._settings |= settings
        self._config = config = Config(**self._settings)
        clock = self.clock
        pool = RequestPool()
        connection = Connection(
            self._http,
            api_url=config.api_url,
            token=config.token,
            app=AppSettings.of(config),
            clock=clock,
            slot=pool.slot,
        )
        instance.save_settings(self.db, config, version="1", now=clock())
        self._poller = Poller(
            config, self.db, GitHub(connection), pool, clock, timer=self._timer
        )
        self._poller.start()

    def poll(
        self, *, backfill_deadline: datetime | None = None, **options: Any
    ) -> PollResult:
        """Make a pass. By the deadline its backfill ends."""
        if backfill_deadline is not None:
            options["backfill_for"] = backfill_deadline - self.clock()
        return self._runner.run(self._poller.poll(**options))

    def next_wait(self) -> timedelta:
        """The time between the last pass and the next."""
        return self._poller.schedule_next()

    def run_forever(self, wait: Callable[[float], Awaitable[None]]) -> None:
        self._runner.run(
            run_forever(
                self._poller,
                self.db,
                refresh=timedelta(seconds=self._config.refresh_seconds),
                clock=self.clock,
                timer=self._timer,
                wait=wait,
            )
        )

    @contextmanager
    def timeout(self, path: str, *, seconds: float) -> Iterator[None]:
        """Set a short timeout for requests to a path; the others have a long one."""

        long = self._http.timeout
        short = httpx.Timeout(seconds)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                self._http, "timeout_of", lambda url: short if path in url else long
            )
            yield

    def close(self) -> None:
        self._runner.run(self._http.aclose())
        self._runner.close()


def poll(
    ingest: Ingest, github: GitHubServer, times: int = 1, seconds: float = 60
) -> None:
    """Poll repeatedly, each time after some seconds."""
    for _ in range(times):
        github.advance(seconds)
        ingest.poll()


def add_runs(world: World, count: int, *, repo: str = REPO, file: str = FILE) -> None:
    """Add runs an hour apart, the newest now."""
    for age in range(count - 1, -1, -1):
        world.add_run(
            repo, file, created_at=world.now - timedelta(hours=age), duration=60
        )


def run_ids(db: Database) -> list[int]:
    return [row[0] for row in db.execute("select run_id from runs order by run_id")]


def the_feed(db: Database) -> Feed:
    [feed] = feeds.watched(db)
    return feed


def the_backfill(db: Database) -> Backfill:
    return backfills.get(db, the_feed(db).key)


def revision(db: Database) -> str:
    [[value]] = db.execute("select value from instance where key = 'revision'")
    return str(value)
