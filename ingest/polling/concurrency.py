"""Concurrent requests with retries, stopped by errors that concern all of them.

Knows which errors concern one request, but neither what is requested nor the store.
"""

import asyncio
import logging
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
)
from contextlib import asynccontextmanager
from typing import TypeVar

import stamina

from ci_observer.ingest.db.schema import VALUE_ERRORS, StorageError
from ci_observer.ingest.errors import (
    AccountStopped,
    CIObserverError,
    GitHubError,
    GitHubUnavailable,
    GitHubUnreachable,
    RateLimited,
    Unauthorized,
    UnexpectedError,
)
from ci_observer.ingest.github.credentials import EVERY_ACCOUNT

log = logging.getLogger("ci_observer.ingest")

T = TypeVar("T")

MAX_REQUESTS = 4
# More items than requests: one response is being saved while another waits for that.
MAX_ITEMS = MAX_REQUESTS + 2
# Long enough to send the next request. Saving a response takes twenty times as long.
SECONDS_TO_SEND = 0.001

# Three attempts in all; then the next pass tries again. The last one starts within 48
# seconds and may take 60, so that one request never makes the other feeds stale, which
# takes at least 120 (`stale_seconds` in the view `settings`).
ATTEMPTS = 3
RETRY_SECONDS = 45


async def retry_unavailable(work: Callable[[T], Awaitable[None]], item: T) -> None:
    """Do the work for an item, and again after a `GitHubUnavailable`.

    stamina comes in after the first failure: it takes a tenth of the CPU time of a
    request that does not fail.
    """
    started = time.monotonic()
    failures: list[GitHubUnavailable] = []

    async def attempt() -> None:
        if failures:
            raise failures.pop()
        await work(item)

    try:
        await work(item)
    except GitHubUnavailable as error:
        failures.append(error)
        retry = stamina.AsyncRetryingCaller(
            attempts=ATTEMPTS,
            # stamina takes 0 for no limit.
            timeout=max(0.001, started + RETRY_SECONDS - time.monotonic()),
            wait_initial=1,
            wait_max=10,
        )
        await retry.on(GitHubUnavailable)(attempt)


class PoolStopped(GitHubError):
    """No request was sent, because the pool has been stopped."""


class RequestPool:
    """Runs the requests of a pass, a few at a time.

    A missing network, a spent rate limit or a refused token concerns every request of
    an account, or of all. The pool keeps that error until `reset`, and sends no more
    such requests.
    """

    def __init__(self) -> None:
        self.stopped: dict[str, GitHubError | None] = {}
        self._slots = asyncio.Semaphore(MAX_REQUESTS)
        self._logged: set[tuple[str, str]] = set()

    @property
    def stopped_by(self) -> GitHubError | None:
        """The error that concerns every request."""
        return self.stopped.get(EVERY_ACCOUNT)

    def reset(self, stopped: Mapping[str, GitHubError | None] | None = None) -> None:
        """Start again, for a new pass.

        `stopped` are the accounts that still have to wait, with the error that stopped
        them; None if their limit is scarce.
        """
        self.stopped = dict(stopped or {})
        # A semaphore belongs to the event loop in which it was first waited for.
        self._slots = asyncio.Semaphore(MAX_REQUESTS)

    @asynccontextmanager
    async def slot(self, account: str = EVERY_ACCOUNT) -> AsyncIterator[None]:
        """Wait for a free slot; send one request of an account inside.

        Raises `PoolStopped` if every request has been stopped, and `AccountStopped` if
        those of the account have.
        """
        async with self._slots:
            if self.stopped_by is not None:
                raise PoolStopped
            if account in self.stopped:
                raise AccountStopped(account, self.stopped[account])
            yield
        # Saving a response blocks the event loop: let the next request go out first.
        await asyncio.sleep(SECONDS_TO_SEND)

    async def run(
        self,
        items: Collection[T],
        work: Callable[[T], Awaitable[None]],
        on_error: Callable[[T, GitHubError], None],
    ) -> None:
        """Do the work for every item, with retries, until the pool is stopped.

        `on_error` receives an error that concerns one item only, which any unexpected
        exception is. A `StorageError` is raised, in an exception group.
        """
        remaining = iter(items)

        async def run_one_by_one() -> None:
            for item in remaining:
                if self.stopped_by is not None:
                    return
                await self._run_item(item, work, on_error)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(MAX_ITEMS, len(items))):
                tasks.create_task(run_one_by_one())

    async def _run_item(
        self,
        item: T,
        work: Callable[[T], Awaitable[None]],
        on_error: Callable[[T, GitHubError], None],
    ) -> None:
        try:
            await retry_unavailable(work, item)
        except PoolStopped:
            pass
        except GitHubUnreachable as error:
            self._stop(EVERY_ACCOUNT, error)
        except (RateLimited, Unauthorized) as error:
            account = error.account or EVERY_ACCOUNT
            self._stop(account, error)
            if account != EVERY_ACCOUNT:
                on_error(item, AccountStopped(account, error))
        except GitHubError as error:
            on_error(item, error)
        except CIObserverError:
            raise
        except Exception as error:
            if isinstance(error, StorageError) and not isinstance(error, VALUE_ERRORS):
                raise
            self._log_unexpected(item, error)
            on_error(item, UnexpectedError(error))

    def _stop(self, account: str, error: GitHubError) -> None:
        if self.stopped.get(account) is None:
            log.warning("%s", error)
        self.stopped[account] = error

    def _log_unexpected(self, item: object, error: Exception) -> None:
        """Log an unexpected exception; only the first of its type per item."""
        key = (str(item), type(error).__name__)
        if key not in self._logged:
            self._logged.add(key)
            log.error("%s: unexpected error", item, exc_info=error)
