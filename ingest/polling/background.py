"""Long work that goes on in the background, in steps, while polling and pages go on."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from sqlite_utils import Database

from ci_observer.ingest.db.database_file import path_of
from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.db.storage_errors import explain
from ci_observer.ingest.times import Timer

log = logging.getLogger("ci_observer.ingest")

PAUSE_SECONDS = 0.1
# How often readers see what is new: every change of the revision renews all pages.
SHOW_SECONDS = 5


class BackgroundWork(ABC):
    """Does `_step` again and again; an error of SQLite is logged once.

    `failure` begins the line of such an error. `check_seconds` is the wait after an
    error, and before work is looked for when none was left.
    """

    failure: str
    check_seconds: float

    def __init__(self, db: Database, timer: Timer = time.monotonic) -> None:
        self._db = db
        self._timer = timer
        self._shown_at = timer()
        self._error: str | None = None

    async def run(
        self, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Do all work, and all that comes later; never returns."""
        while True:
            await wait(PAUSE_SECONDS if self.build_some() else self.check_seconds)

    def build_some(self) -> bool:
        """Do a step. Returns whether more is left, and the next can follow."""
        try:
            has_more = self._step()
        except StorageError as error:
            self._log_error(error)
            return False
        self._error = None
        return has_more

    @abstractmethod
    def _step(self) -> bool:
        """Do a step if there is work. Returns whether more is left."""

    def _log_error(self, error: StorageError) -> None:
        text = f"{self.failure}: {explain(error, path_of(self._db))}"
        if text != self._error:
            self._error = text
            log.error("%s", text)
