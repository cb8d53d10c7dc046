"""Payloads of long ago are deleted once a day, when `PAYLOAD_DAYS` says so."""

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import payloads

log = logging.getLogger("ci_observer.ingest")

AT_ONCE = 1000
# So many in one pass take less than a second: the rest is left to the next one.
MOST_AT_ONCE_IN_A_PASS = 10


class Pruning:
    """Deletes the payloads that are older than `PAYLOAD_DAYS`, a part in each pass."""

    def __init__(
        self, config: Config, db: Database, clock: Callable[[], datetime]
    ) -> None:
        self._days = config.payload_days
        self._db = db
        self._clock = clock
        self._done_on: date | None = None
        self._deleted = 0

    def prune_daily(self) -> None:
        """Go on with today's work, if there is any left."""
        today = self._clock().date()
        if self._days is None or self._done_on == today:
            return
        before = today - timedelta(days=self._days)
        for _ in range(MOST_AT_ONCE_IN_A_PASS):
            deleted = payloads.prune(self._db, before, AT_ONCE)
            self._deleted += deleted
            if not deleted:
                self._finish(before, today)
                return

    def _finish(self, before: date, today: date) -> None:
        if self._deleted:
            log.info("%d payloads from before %s deleted", self._deleted, before)
        self._done_on, self._deleted = today, 0
