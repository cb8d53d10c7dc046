"""The loop of `ci-observer ingest`: passes and waits, until stopped."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlite_utils import Database

from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.errors import CIObserverError
from ci_observer.ingest.polling.poller import Poller
from ci_observer.ingest.store import instance
from ci_observer.ingest.times import Clock, Timer

log = logging.getLogger("ci_observer.ingest")


async def run_forever(
    poller: Poller,
    db: Database,
    *,
    refresh: timedelta,
    clock: Clock,
    timer: Timer = time.monotonic,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Poll with a started poller, save when the next pass is due, and wait, repeatedly.

    Ends by cancellation, or by a `CIObserverError` of the whole pass. If the database
    cannot be written, as on a full disk, the next pass tries again: a failed
    transaction has not saved its ETag, so nothing is missed. The same holds for an
    unexpected exception.
    """
    while True:
        try:
            await poller.poll(backfill_for=refresh)
            remaining = poller.schedule_next()
            due_at = timer() + remaining.total_seconds()
            instance.save_next_poll(db, clock() + remaining)
        except Exception as error:  # noqa: BLE001 (logged with its traceback)
            _log_or_raise(error)
            due_at = timer() + poller.schedule_next().total_seconds()
        await wait(max(0.0, due_at - timer()))


def _log_or_raise(error: Exception) -> None:
    """Log an error of a pass, unless it has to end the process."""
    group = error if isinstance(error, ExceptionGroup) else ExceptionGroup("", [error])
    if group.subgroup(CIObserverError):
        raise error
    if storage_errors := group.subgroup(StorageError):
        reason = storage_errors.exceptions[0]
        log.error("The database cannot be written: %s.", reason)
    else:
        log.error("The pass ended with an unexpected error", exc_info=error)
