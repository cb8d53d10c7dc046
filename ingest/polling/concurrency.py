"""One step of a pass: the same work for many items, until GitHub asks to stop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import TypeVar

import stamina

from ci_observer.ingest.errors import (
    GitHubError,
    GitHubUnavailable,
    GitHubUnreachable,
    RateLimited,
    Unauthorized,
)
from ci_observer.ingest.polling.repo_pages import RepoList
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.pending import PendingItem

log = logging.getLogger("ci_observer.ingest")

# What GitHub is asked about; a text is the name of a repository or `owner/*`.
Item = Feed | PendingItem | RepoList | str
T = TypeVar("T", bound=Item)

# How many requests are under way at once.
CONCURRENCY = 4
# And how many items: one that is being saved, and one whose answer has come meanwhile.
ITEMS_AT_ONCE = CONCURRENCY + 2
# Enough for the next request to be sent; to save an answer takes twenty times as long.
SECONDS_TO_SEND = 0.001

# A passing fault is tried three times in all, then left to the next pass.
retry_unavailable = stamina.AsyncRetryingCaller(
    attempts=3, wait_initial=1, wait_max=10
).on(GitHubUnavailable)


class Stopped(GitHubError):
    """Not asked any more, since the pass has been stopped."""


class Work:
    """Does the work of one pass, a few items at once.

    `note_error` is told of one item's error. What concerns them all (a spent limit, a
    bad token, no network) is kept as `stopped_by`, and nothing more is asked.
    """

    def __init__(self, note_error: Callable[[Item, GitHubError], None]) -> None:
        self.stopped_by: GitHubError | None = None
        self._note_error = note_error
        self._slots = asyncio.Semaphore(CONCURRENCY)

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """The context in which a request is made, entered when it is its turn.

        Raises `Stopped` when none may be made any more.
        """
        async with self._slots:
            if self.stopped_by is not None:
                raise Stopped
            yield
        # What is done with an answer keeps the loop busy: first let the next one leave.
        await asyncio.sleep(SECONDS_TO_SEND)

    async def each(
        self, items: Collection[T], work: Callable[[T], Awaitable[None]]
    ) -> None:
        """Do it for every item."""
        left = iter(items)

        async def one_by_one() -> None:
            for item in left:
                if self.stopped_by is not None:
                    return
                await self._noting_errors(item, work)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(ITEMS_AT_ONCE, len(items))):
                tasks.create_task(one_by_one())

    async def _noting_errors(
        self, item: T, work: Callable[[T], Awaitable[None]]
    ) -> None:
        try:
            await retry_unavailable(work, item)
        except Stopped:
            pass
        except (RateLimited, Unauthorized, GitHubUnreachable) as error:
            if self.stopped_by is None:
                log.warning("%s", error)
            self.stopped_by = error
        except GitHubError as error:
            self._note_error(item, error)
