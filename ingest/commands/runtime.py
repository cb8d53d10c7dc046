"""Shared by the commands: the clock, the database, the GitHub client and signals."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection, open_http

VERSION = version("ci-observer")
EXIT_FAILED = 1

log = logging.getLogger("ci_observer")


def utc_now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


def open_database(config: Config) -> Database:
    """Open the database for writing, with its schema up to date."""
    db = schema.connect(config.db_path)
    schema.migrate(db)
    return db


@asynccontextmanager
async def open_github(config: Config) -> AsyncIterator[GitHub]:
    """A client for the API and the token of the settings."""
    async with open_http(VERSION) as http:
        yield GitHub(
            Connection(http, api_url=config.api_url, token=config.token, clock=utc_now)
        )


def run_until_stopped(work: Coroutine[Any, Any, int]) -> int:
    """Run `work` and return its exit code; 0 if SIGTERM or Ctrl-C cancels it."""

    async def run() -> int:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            log.info("Stopped.")
            return 0

    return asyncio.run(run())
