"""The loop of `ci-observer ingest`: passes and waits, until stopped."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlite_utils import Database

from ci_observer.ingest.db.database_file import path_of
from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.db.storage_errors import explain
from ci_observer.ingest.errors import CIObserverError, single_errors
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
    on_problem: Callable[[str | None], None] = lambda problem: None,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Poll with a started poller, save when the next pass is due, and wait, repeatedly.

    Ends by cancellation, or by a `CIObserverError` of the whole pass. If the database
    cannot be written, as on a full disk, the next pass tries again: a failed
    transaction has not saved its ETag, so nothing is missed. The same holds for an
    unexpected exception. `on_problem` gets its text, and None after a good pass.
    """
    logged: str | None = None
    while True:
        try:
            await poller.poll(backfill_for=refresh)
            remaining = poller.schedule_next()
            due_at = timer() + remaining.total_seconds()
            instance.save_next_poll(db, clock() + remaining)
            on_problem(None)
            logged = None
        except Exception as error:  # noqa: BLE001 (logged with its traceback)
            logged = _log_or_raise(error, db, logged)
            on_problem(logged)
            due_at = timer() + poller.schedule_next().total_seconds()
        await wait(max(0.0, due_at - timer()))


def _log_or_raise(error: Exception, db: Database, logged: str | None) -> str:
    """Log an error of a pass and return its text, unless it has to end the process.

    `logged` is the text of the pass before, which is not repeated.
    """
    errors = list(single_errors(error))
    for single in errors:
        if isinstance(single, CIObserverError):
            raise single
    for single in errors:
        if isinstance(single, StorageError):
            text = f"The database cannot be written: {explain(single, path_of(db))}"
            if text != logged:
                log.error("%s", text)
            return text
    log.error("The pass ended with an unexpected error", exc_info=error)
    return f"The pass ended with an unexpected error: {error!r}. The log has more."
