"""The loop of `ci-observer ingest`: pass after pass, for ever."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlite_utils import Database

from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.polling.poller import Clock, Poller
from ci_observer.ingest.store import instance

log = logging.getLogger("ci_observer.ingest")


async def run_forever(
    poller: Poller,
    db: Database,
    *,
    refresh: timedelta,
    clock: Clock,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Poll, tell when the next poll is due, wait, for ever; ends by cancellation.

    A database that cannot be written, as on a full disk, is tried again each time: what
    a failed transaction did not keep is fetched anew, since its ETag was not kept.
    """
    while True:
        started_at = clock()
        next_poll_at = started_at + refresh
        try:
            await poller.poll(catch_up_until=next_poll_at)
            next_poll_at = poller.next_poll_at(started_at)
            instance.save_next_poll(db, next_poll_at)
        except* StorageError as errors:
            log.error("The database cannot be written: %s.", errors.exceptions[0])
            next_poll_at = poller.next_poll_at(started_at)
        await wait(max(0.0, (next_poll_at - clock()).total_seconds()))
