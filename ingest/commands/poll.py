"""The command `ingest`: one pass, or passes until stopped."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click
from sqlite_utils import Database

from ci_observer.ingest.commands.alerts import run_alerts, send_once
from ci_observer.ingest.commands.explained_errors import EXIT_FAILED
from ci_observer.ingest.commands.runtime import (
    VERSION,
    open_database,
    open_poller,
    run_until_stopped,
    utc_now,
)
from ci_observer.ingest.commands.terminal import feeds_line
from ci_observer.ingest.config import Config, is_database_required
from ci_observer.ingest.db.database_file import discard_files_of_former
from ci_observer.ingest.db.disk import DiskLog
from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.db.storage_errors import REPAIR, explain, is_damage
from ci_observer.ingest.errors import DamagedDatabase, DatabaseGone, single_errors
from ci_observer.ingest.lock import IngestLock, only_ingest
from ci_observer.ingest.polling.loop import run_forever
from ci_observer.ingest.polling.rollups import RollupBuilding
from ci_observer.ingest.polling.states import StateBuilding
from ci_observer.ingest.store import instance, tile_settings
from ci_observer.ingest.store.database import refuse_other_file

# A replaced file is noticed between two passes, too.
FILE_CHECK_SECONDS = 1
DISK_CHECK_SECONDS = 60

log = logging.getLogger("ci_observer")


def run_ingest(config: Config, db: Database, *, once: bool) -> int:
    """Poll into the database and return the exit code.

    Raises `AlreadyPolling` if another ingest uses the database.
    """
    with only_ingest(config.db_path) as lock, recording_problems(lock, config):
        instance.save_settings(db, config, version=VERSION, now=utc_now())
        tile_settings.save_views(db, config, utc_now())
        if config.why_not_polling:
            log.warning(config.why_not_polling)
        if once and config.why_not_polling:
            return 0
        work = _poll_once(config, db) if once else _poll_forever(config, db, lock)
        return run_until_stopped(work)


def run_ingest_of_up(config: Config) -> int:
    """Poll like `run_ingest`; while the file is damaged, wait for another one.

    If it ended, `up` would start it again and again, and log the same each time.
    """
    try:
        return run_ingest(config, open_database(config), once=False)
    except (
        DamagedDatabase,
        StorageError,
        UnicodeDecodeError,
        ExceptionGroup,
    ) as error:
        reason = damage_text(error, config.db_path)
        if reason is None:
            raise
        log.error("%s Polling waits until the file is replaced.", reason)
        with only_ingest(config.db_path) as lock:
            lock.record_problem(reason)
            return run_until_stopped(_wait_for_change(config.db_path))


def damage_text(error: Exception, path: Path) -> str | None:
    """The damage of a file, with advice; None for another error."""
    single = next(single_errors(error))
    if isinstance(single, DamagedDatabase):
        return str(single)
    if isinstance(single, UnicodeDecodeError):
        return f"The database {path} is damaged, a text in it is broken: {REPAIR}"
    if isinstance(single, StorageError) and is_damage(single):
        return f"The database cannot be used: {explain(single, path)}"
    return None


async def _wait_for_change(path: Path) -> int:
    """Wait until a file was changed or replaced."""
    before = _state_of(path)
    while _state_of(path) == before:
        await asyncio.sleep(FILE_CHECK_SECONDS)
    log.info("%s has changed: trying it again.", path)
    return 0


def _state_of(path: Path) -> tuple[object, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def recording_problems(lock: IngestLock, config: Config) -> Iterator[None]:
    """Record a storage error for the web side before it ends the process."""
    try:
        yield
    except (DatabaseGone, ExceptionGroup):
        # Before another program opens the new file together with the -wal file.
        discard_files_of_former(config.db_path)
        raise
    except StorageError as error:
        reason = explain(error, config.db_path)
        lock.record_problem(f"The database cannot be written: {reason}")
        raise


async def _poll_forever(config: Config, db: Database, lock: IngestLock) -> int:
    if config.why_not_polling:
        await _run_without_polling(config, db)
    async with open_poller(config, db) as poller:
        poller.start()
        log.info(
            "Polling %s%s every %d s into %s",
            ",".join(config.repos),
            f" as {config.shard.name}" if config.shard else "",
            config.refresh_seconds,
            config.db_path,
        )
        if config.proxy:
            log.info("Requests go through the proxy %s", config.proxy)
        refresh = timedelta(seconds=config.refresh_seconds)
        polling = run_forever(
            poller, db, refresh=refresh, clock=utc_now, on_problem=lock.record_problem
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(polling)
            tasks.create_task(_run_without_polling(config, db))
    return 0


async def _run_without_polling(config: Config, db: Database) -> None:
    """Watch the file and the disk, build rollups and states, send alerts."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch(config, db))
        tasks.create_task(RollupBuilding(db).run())
        tasks.create_task(StateBuilding(db).run())
        # `up` has a process for it, which also tells of a dead ingest.
        if config.alert_urls and not is_database_required():
            tasks.create_task(run_alerts(config, db))


async def _watch(config: Config, db: Database) -> None:
    """Watch the file of the database and its disk; never returns."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch_file(db))
        tasks.create_task(_watch_disk(DiskLog(config.db_path.absolute().parent)))


async def _watch_disk(disk: DiskLog) -> None:
    while True:
        disk.log_if_worse()
        await asyncio.sleep(DISK_CHECK_SECONDS)


async def _watch_file(db: Database) -> None:
    """Wait until the file of the database is replaced or deleted; raise then."""
    while True:
        await asyncio.sleep(FILE_CHECK_SECONDS)
        refuse_other_file(db)


async def _poll_once(config: Config, db: Database) -> int:
    async with open_poller(config, db) as poller:
        poller.start()
        result = await poller.poll(on_progress=feeds_line())
    for building in (RollupBuilding(db), StateBuilding(db)):
        while building.build_some():
            pass
    if config.alert_urls:
        await send_once(config, db)
    click.echo(
        f"{result.feeds} feeds polled, {result.feeds_failed} failed; "
        f"{result.runs_written} runs written; {result.requests} requests, "
        f"{result.not_modified} of them 304."
    )
    return EXIT_FAILED if result.error or result.feeds_failed else 0
