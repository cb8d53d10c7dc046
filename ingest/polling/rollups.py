"""Builds the rollups in the background, while polling and pages go on."""

import logging
import time

from sqlite_utils import Database

from ci_observer.ingest.polling.background import SHOW_SECONDS, BackgroundWork
from ci_observer.ingest.store import rollups
from ci_observer.ingest.store.rollups import RollupProgress
from ci_observer.ingest.times import Timer

log = logging.getLogger("ci_observer.ingest")

# A batch blocks polling and other writers: about so long.
BATCH_SECONDS = 0.1
MIN_BATCH, MAX_BATCH = 100, 5000
# How often a restart of the counting, or an error, is looked for.
CHECK_SECONDS = 60
LOG_EVERY = 100_000


class RollupBuilding(BackgroundWork):
    """Adds the runs to the rollups that are not in them, newest first, in batches."""

    failure = "Runs cannot be counted for charts"
    check_seconds = CHECK_SECONDS

    def __init__(self, db: Database, timer: Timer = time.monotonic) -> None:
        super().__init__(db, timer)
        self._limit = MIN_BATCH
        self._is_building = False

    def _step(self) -> bool:
        before = rollups.progress(self._db)
        if before.is_complete:
            return False
        self._log_start(before)
        self._build_batch()
        after = rollups.progress(self._db)
        self._log_progress(before, after)
        return not after.is_complete

    def _build_batch(self) -> None:
        """Add as many runs as take about `BATCH_SECONDS`, by the speed of the last."""
        started_at = self._timer()
        shows = started_at >= self._shown_at + SHOW_SECONDS
        done = rollups.build(self._db, self._limit, shows=shows)
        ended_at = self._timer()
        if shows:
            self._shown_at = ended_at
        seconds = max(ended_at - started_at, BATCH_SECONDS * MIN_BATCH / MAX_BATCH)
        wanted = int(done * BATCH_SECONDS / seconds)
        self._limit = min(MAX_BATCH, max(MIN_BATCH, wanted))

    def _log_start(self, before: RollupProgress) -> None:
        if not self._is_building:
            self._is_building = True
            log.info(
                "%d runs to count for charts, newest first, in the background; "
                "ci-observer migrate counts all of them at once",
                before.runs_total - before.runs_done,
            )

    def _log_progress(self, before: RollupProgress, after: RollupProgress) -> None:
        done, total = after.runs_done, after.runs_total
        if after.is_complete:
            self._is_building = False
            log.info("%d runs counted for charts, none left", done)
        elif done // LOG_EVERY > before.runs_done // LOG_EVERY:
            log.info("%d of %d runs counted for charts", done, total)
