"""Lists that responded with 304: written together, a second after the first at most.

A transaction for each would cost more than all else that ingest does with a 304.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.db.schema import VALUE_ERRORS, StorageError
from ci_observer.ingest.polling.run_lists import RunList, feeds_of
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.unchanged_lists import UnchangedList, UnchangedListWriter

# A killed process may lose the proof of this time that some feeds are fresh.
SAVE_EVERY_SECONDS = 1


class UnchangedLists:
    """Collects unchanged lists, and writes them.

    A pass may take minutes, as when GitHub does not respond: feeds that were proved
    fresh must not become stale until its end.
    """

    def __init__(
        self, db: Database, *, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._writer = UnchangedListWriter(db)
        self._wait = wait
        self._unsaved: dict[RunList, UnchangedList] = {}
        self._failed: dict[RunList, UnchangedList] = {}

    @asynccontextmanager
    async def saving(self) -> AsyncIterator[None]:
        """Write the lists that are added within the block, the last ones at its end.

        Raises a `StorageError`, in an exception group or alone.
        """
        # Lists of a pass that failed would clear later errors.
        self._unsaved.clear()
        self._failed.clear()
        async with asyncio.TaskGroup() as tasks:
            saver = tasks.create_task(self._save_regularly())
            yield
            saver.cancel()
        self._save()

    def add(self, run_list: RunList, at: datetime, *, follows: bool = True) -> None:
        """Add a list that was unchanged at a time; see `UnchangedList`."""
        workflow = run_list.workflow if isinstance(run_list, Feed) else ""
        self._unsaved[run_list] = UnchangedList(
            feeds_of(run_list), workflow, at, follows=follows
        )

    def record_changed(self, feeds: Iterable[Feed]) -> None:
        """Record that a list of these feeds has changed, and was written as a whole."""
        self._writer.forget(feeds)

    def failed(self) -> list[RunList]:
        """The lists to write one by one: one of them cannot be written."""
        return list(self._failed)

    async def save_alone(self, run_list: RunList) -> None:
        """Write a single list that could not be written with others."""
        self._writer.write([self._failed.pop(run_list)])

    async def _save_regularly(self) -> None:
        while True:
            await self._wait(SAVE_EVERY_SECONDS)
            self._save()

    def _save(self) -> None:
        lists, self._unsaved = self._unsaved, {}
        if not lists:
            return
        try:
            self._writer.write(list(lists.values()))
        except Exception as error:
            if isinstance(error, StorageError) and not isinstance(error, VALUE_ERRORS):
                raise
            self._failed |= lists
