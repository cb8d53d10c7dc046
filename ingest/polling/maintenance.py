"""Maintenance, a part in each pass: daily pruning, repacking, and indexes.

The commands `prune` and `migrate` do the same at once.
"""

import logging
from datetime import date, timedelta

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.db import indexes
from ci_observer.ingest.store import payloads
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

# The batches of one pass take about a second.
PRUNE_BATCH = 1000
PRUNE_BATCHES_PER_PASS = 10
REPACK_BATCH = 500
REPACK_BATCHES_PER_PASS = 4
LOG_EVERY_REPACKED = 50_000


class Pruning:
    """Deletes the payloads that are older than `PAYLOAD_DAYS`."""

    def __init__(self, config: Config, db: Database, clock: Clock) -> None:
        self._days = config.payload_days
        self._db = db
        self._clock = clock
        self._done_on: date | None = None
        self._deleted = 0

    def prune_daily(self) -> None:
        """Delete some of the payloads that are too old, until none is left today."""
        today = self._clock().date()
        if self._days is None or self._done_on == today:
            return
        before = today - timedelta(days=self._days)
        for _ in range(PRUNE_BATCHES_PER_PASS):
            deleted = payloads.prune(self._db, before, PRUNE_BATCH)
            self._deleted += deleted
            if not deleted:
                self._finish(before, today)
                return

    def _finish(self, before: date, today: date) -> None:
        if self._deleted:
            log.info("%d payloads from before %s deleted", self._deleted, before)
        self._done_on, self._deleted = today, 0


class Repacking:
    """Repacks payloads that an older version has stored.

    They stay readable without it; repacked, they take less space.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._total = 0
        self._done = 0

    def repack_some(self) -> None:
        """Repack some of the remaining payloads."""
        if not self._total:
            self._start()
        for _ in range(REPACK_BATCHES_PER_PASS if self._total else 0):
            done = payloads.repack(self._db, REPACK_BATCH)
            self._log_progress(done)
            self._done += done
            if not done:
                self._total = 0
                return

    def _start(self) -> None:
        self._total = payloads.count_to_repack(self._db)
        self._done = 0
        if self._total:
            log.info(
                "%d payloads to repack, some in each pass; ci-observer migrate repacks "
                "all of them at once",
                self._total,
            )

    def _log_progress(self, done: int) -> None:
        before, now = self._done, self._done + done
        if not done:
            log.info("%d payloads repacked, none left", now)
        elif now // LOG_EVERY_REPACKED > before // LOG_EVERY_REPACKED:
            log.info("%d of %d payloads repacked", now, self._total)


class Indexing:
    """Makes the indexes that an upgrade has left, one in each pass.

    Nothing else can write meanwhile; the pass between two of them keeps the wall fresh.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def make_one(self) -> None:
        """Make the next index, if there is one."""
        left = indexes.pending(self._db)
        if not left:
            return
        log.info(
            "creating the index %s, %d left; ci-observer migrate creates all at once",
            left[0],
            len(left) - 1,
        )
        indexes.make_next(self._db)
        if len(left) == 1:
            log.info("all indexes are there")
