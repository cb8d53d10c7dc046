"""One step of a pass: the same work for many items, until GitHub asks to stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import stamina

from ingest.errors import (
    GitHubError,
    GitHubUnavailable,
    GitHubUnreachable,
    RateLimited,
    Unauthorized,
)
from ingest.repo_lists import RepoList
from ingest.store import Feed, Pending

log = logging.getLogger("ci_observer.ingest")

# What GitHub is asked about; a text is the name of a repository or `owner/*`.
Item = Feed | Pending | RepoList | str
T = TypeVar("T", bound=Item)

CONCURRENCY = 4

# A passing fault is tried three times in all, then left to the next pass.
retry_unavailable = stamina.AsyncRetryingCaller(
    attempts=3, wait_initial=1, wait_max=10
).on(GitHubUnavailable)


class Work:
    """Does the work of one pass, a few items at once.

    `note_error` is told of one item's error. What concerns them all (a spent limit, a
    bad token, no network) is kept as `stopped_by`, and nothing more is begun.
    """

    def __init__(self, note_error: Callable[[Item, GitHubError], None]) -> None:
        self.stopped_by: GitHubError | None = None
        self._note_error = note_error

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
            for _ in range(min(CONCURRENCY, len(items))):
                tasks.create_task(one_by_one())

    async def _noting_errors(
        self, item: T, work: Callable[[T], Awaitable[None]]
    ) -> None:
        try:
            await retry_unavailable(work, item)
        except (RateLimited, Unauthorized, GitHubUnreachable) as error:
            if self.stopped_by is None:
                log.warning("%s", error)
            self.stopped_by = error
        except GitHubError as error:
            self._note_error(item, error)
