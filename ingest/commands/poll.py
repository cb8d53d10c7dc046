"""The command `ingest`: one pass, or passes until stopped."""

import asyncio
import logging
from datetime import timedelta

import click
from sqlite_utils import Database

from ci_observer.ingest.commands.runtime import (
    EXIT_FAILED,
    VERSION,
    open_poller,
    run_until_stopped,
    utc_now,
)
from ci_observer.ingest.commands.terminal import feeds_line
from ci_observer.ingest.config import Config
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.polling.loop import run_forever
from ci_observer.ingest.store import instance

log = logging.getLogger("ci_observer")


def run_ingest(config: Config, db: Database, *, once: bool) -> int:
    """Poll into the database and return the exit code.

    Raises `AlreadyPolling` if another ingest uses the database.
    """
    with only_ingest(config.db_path):
        instance.save_settings(db, config, version=VERSION, now=utc_now())
        if config.why_not_polling:
            log.warning(config.why_not_polling)
        if once and config.why_not_polling:
            return 0
        return run_until_stopped((_poll_once if once else _poll_forever)(config, db))


async def _poll_forever(config: Config, db: Database) -> int:
    if config.why_not_polling:
        await asyncio.Event().wait()
    async with open_poller(config, db) as poller:
        poller.start()
        log.info(
            "Polling %s every %d s into %s",
            ",".join(config.repos),
            config.refresh_seconds,
            config.db_path,
        )
        refresh = timedelta(seconds=config.refresh_seconds)
        await run_forever(poller, db, refresh=refresh, clock=utc_now)
    return 0


async def _poll_once(config: Config, db: Database) -> int:
    async with open_poller(config, db) as poller:
        poller.start()
        result = await poller.poll(on_progress=feeds_line())
    click.echo(
        f"{result.feeds} feeds polled, {result.feeds_failed} failed; "
        f"{result.runs_written} runs written; {result.requests} requests, "
        f"{result.not_modified} of them 304."
    )
    return EXIT_FAILED if result.error or result.feeds_failed else 0
