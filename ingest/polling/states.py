"""Computes the states of feeds over time in the background, while polling goes on."""

import logging
import time

from sqlite_utils import Database

from ci_observer.ingest.polling.background import SHOW_SECONDS, BackgroundWork
from ci_observer.ingest.store import states
from ci_observer.ingest.times import Timer

log = logging.getLogger("ci_observer.ingest")

# A step blocks polling and other writers: about 50 ms.
RUNS_PER_STEP = 1000
# How often work is looked for, such as after a rename.
CHECK_SECONDS = 15
# Fewer feeds are no news.
MANY_FEEDS = 3


class StateBuilding(BackgroundWork):
    """Computes the states that are missing, the newest first, in steps."""

    failure = "States over time cannot be computed"
    check_seconds = CHECK_SECONDS

    def __init__(self, db: Database, timer: Timer = time.monotonic) -> None:
        super().__init__(db, timer)
        self._feeds = 0

    def _step(self) -> bool:
        before = states.feeds_left(self._db)
        if not before:
            return False
        self._log_start(before)
        left = states.build(self._db, RUNS_PER_STEP, shows=self._shows())
        if not left:
            self._log_end()
        return left > 0

    def _shows(self) -> bool:
        now = self._timer()
        if now < self._shown_at + SHOW_SECONDS:
            return False
        self._shown_at = now
        return True

    def _log_start(self, left: int) -> None:
        if not self._feeds and left >= MANY_FEEDS:
            self._feeds = left
            log.info(
                "The states of %d workflows over time are computed in the background,"
                " newest first; ci-observer migrate computes all of them at once",
                left,
            )

    def _log_end(self) -> None:
        if self._feeds:
            log.info("The states of %d workflows over time are complete", self._feeds)
            self._feeds = 0
