"""Payloads that an older version has written are repacked, some in each pass."""

import logging

from sqlite_utils import Database

from ci_observer.ingest.store import payloads

log = logging.getLogger("ci_observer.ingest")

AT_ONCE = 500
# So many in one pass take about a second: the rest is left to the next one.
MOST_AT_ONCE_IN_A_PASS = 4
TOLD_EVERY = 50_000


class Repacking:
    """Brings the payloads to this version's form while everything goes on.

    They can be read in the former one, too; in this one they take less space.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._total = 0
        self._done = 0

    def go_on(self) -> None:
        """Take the next ones apart, if there are any left."""
        if not self._total:
            self._total = payloads.count_to_repack(self._db)
            self._done = 0
            if self._total:
                log.info(
                    "%d payloads are to be repacked, some in each pass; "
                    "ci-observer migrate does it at once",
                    self._total,
                )
        for _ in range(MOST_AT_ONCE_IN_A_PASS if self._total else 0):
            done = payloads.repack(self._db, AT_ONCE)
            self._tell(self._done, self._done + done)
            self._done += done
            if not done:
                self._total = 0
                return

    def _tell(self, before: int, now: int) -> None:
        if now == before:
            log.info("%d payloads repacked, none is left", now)
        elif now // TOLD_EVERY > before // TOLD_EVERY:
            log.info("%d of %d payloads repacked", now, self._total)
