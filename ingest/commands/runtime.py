"""Shared by the commands: the clock, the database, the GitHub client and signals."""

import asyncio
import logging
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import uvloop
from sqlite_utils import Database

from ci_observer.ingest.config import Config, is_database_required
from ci_observer.ingest.db import database_file, schema
from ci_observer.ingest.errors import ConfigError, DatabaseError
from ci_observer.ingest.github.app_jwt import AppSettings
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection, Slot
from ci_observer.ingest.github.transport import open_http
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.polling.poller import Poller

VERSION = version("ci-observer")

log = logging.getLogger("ci_observer")


def utc_now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


def refuse_missing_temporary_folder() -> None:
    """Raise `ConfigError` if there is no folder for temporary files."""
    try:
        tempfile.gettempdir()
    except OSError:
        raise ConfigError(
            "TMPDIR: no folder for temporary files can be written to. Write the path of"
            " one, or give the container a tmpfs at /tmp."
        ) from None


def open_database(config: Config) -> Database:
    """Open the database for writing, with its schema up to date.

    Creates a missing one, but not in a process that `up` starts again: the file was
    there before, and an empty one in its place would hide that.
    """
    if is_database_required() and not config.db_path.exists():
        raise database_file.missing(config.db_path)
    schema.refuse_other_program(config.db_path)
    db = schema.connect(config.db_path)
    schema.migrate(db)
    return db


def prepare_database(config: Config, *, read_only: bool) -> None:
    """Bring the database up to date for the web side, if this user may write it.

    Otherwise the pages show its error.
    """
    path = config.db_path
    is_missing = is_database_required() and not path.exists()
    may_write = not path.exists() or os.access(path, os.W_OK)
    if not may_write or read_only or is_missing:
        return
    try:
        open_database(config).close()
    except (DatabaseError, schema.StorageError, UnicodeDecodeError):
        # Ingest logs it, and the pages show it until it is mended.
        if not is_database_required():
            raise


@asynccontextmanager
async def open_github(
    config: Config,
    *,
    slot: Slot = nullcontext,
) -> AsyncIterator[GitHub]:
    """A client for the API and the token of the settings.

    Each request of an account is sent in a context that `slot` gives.
    """
    async with open_http(
        VERSION, proxy=config.proxy, certificates=config.certificates
    ) as http:
        connection = Connection(
            http,
            api_url=config.api_url,
            token=config.token,
            app=AppSettings.of(config),
            clock=utc_now,
            slot=slot,
            proxy=config.proxy,
        )
        yield GitHub(connection)


@asynccontextmanager
async def open_poller(config: Config, db: Database) -> AsyncIterator[Poller]:
    """A poller with its own connection to GitHub; it is not started."""
    pool = RequestPool()
    async with open_github(config, slot=pool.slot) as github:
        yield Poller(config, db, github, pool, utc_now)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM acts like Ctrl-C, so that temporary files are deleted."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


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

    with open_runner() as runner:
        return runner.run(run())


def open_runner() -> asyncio.Runner:
    """A runner with the event loop of uvloop, which needs a sixth less CPU time."""
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
