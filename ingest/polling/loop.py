"""The loop of `ci-observer ingest`: passes and waits, until stopped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlite_utils import Database

from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.polling.poller import Poller
from ci_observer.ingest.store import instance
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")


async def run_forever(
    poller: Poller,
    db: Database,
    *,
    refresh: timedelta,
    clock: Clock,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Poll with a started poller, save when the next pass is due, and wait, repeatedly.

    Ends by cancellation. If the database cannot be written, as on a full disk, the next
    pass tries again: a failed transaction has not saved its ETag, so nothing is missed.
    """
    while True:
        started_at = clock()
        next_poll_at = started_at + refresh
        try:
            await poller.poll(backfill_deadline=next_poll_at)
            next_poll_at = poller.schedule_next(started_at)
            instance.save_next_poll(db, next_poll_at)
        except* StorageError as errors:
            log.error("The database cannot be written: %s.", errors.exceptions[0])
            next_poll_at = poller.schedule_next(started_at)
        await wait(max(0.0, (next_poll_at - clock()).total_seconds()))
