"""The list of a GitHub App's installations, fetched again every 15 minutes."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from ci_observer.ingest.errors import (
    GitHubError,
    GitHubUnavailable,
    GitHubUnreachable,
    InvalidResponse,
    RateLimited,
)
from ci_observer.ingest.github.app_api import AppApi
from ci_observer.ingest.github.credentials import EVERY_ACCOUNT
from ci_observer.ingest.github.failures import Failures
from ci_observer.ingest.github.installations import Installation
from ci_observer.ingest.times import NEVER, Clock

log = logging.getLogger("ci_observer.ingest")

LIST_EVERY = timedelta(minutes=15)
LIST_AGAIN_AFTER = timedelta(minutes=1)


class InstallationList:
    """The installations by account, in lower case.

    `former` names the accounts that had an installation and have none any more.
    `on_change` receives the installations when they differ from those before.
    """

    def __init__(
        self,
        api: AppApi,
        clock: Clock,
        on_change: Callable[[Sequence[Installation]], None],
    ) -> None:
        self.by_account: dict[str, Installation] = {}
        self.former: dict[str, str] = {}
        self._api = api
        self._clock = clock
        self._on_change = on_change
        self._listed_at = NEVER
        self._has_new_access = False
        self._failures = Failures()
        self._lock = asyncio.Lock()

    async def start_pass(self) -> None:
        """Forget the errors of the last pass; fetch the list if it is due."""
        # A lock belongs to the event loop in which it was first waited for.
        self._lock = asyncio.Lock()
        self._failures.start_pass()
        if self._listed_at != NEVER:
            # An error is raised again by the first request that needs the list.
            with suppress(GitHubError):
                await self.fetch_if_due()

    def take_new_access(self) -> bool:
        """Whether more may be visible than at the last call."""
        has_new_access, self._has_new_access = self._has_new_access, False
        return has_new_access

    async def fetch_if_due(self) -> None:
        """Fetch the list, unless it is a recent one.

        An old list is used while GitHub does not send another one.
        """
        async with self._lock:
            if self._age() >= LIST_EVERY:
                await self._fetch_or_keep()

    async def refresh(self) -> None:
        """Fetch the list, unless that was done a moment ago."""
        async with self._lock:
            if self._age() >= LIST_AGAIN_AFTER:
                await self._fetch()

    async def _fetch_or_keep(self) -> None:
        self._failures.refuse()
        try:
            await self._fetch()
        except GitHubUnreachable:
            raise
        except (GitHubUnavailable, InvalidResponse, RateLimited) as error:
            if not self.by_account:
                if not isinstance(error, RateLimited):
                    self._failures.record(error, EVERY_ACCOUNT)
                raise
            log.warning("The list of the App's installations is an old one. %s", error)
            self._listed_at = self._clock() - LIST_EVERY + LIST_AGAIN_AFTER

    async def _fetch(self) -> None:
        before, is_first = self.by_account, self._listed_at == NEVER
        listed = await self._api.fetch_installations()
        self._failures.clear()
        self._listed_at = self._clock()
        self.by_account = {i.account.lower(): i for i in listed}
        if self.by_account == before:
            return
        gone = before.keys() - self.by_account.keys()
        self.former |= {account: before[account].account for account in gone}
        for account in self.by_account:
            self.former.pop(account, None)
        self._has_new_access |= not is_first and _has_more(before, self.by_account)
        self._on_change(listed)
        _log_changes(before, self.by_account)

    def _age(self) -> timedelta:
        """The age of the list. A time in the future is that of a wrong clock."""
        age = self._clock() - self._listed_at
        return age if age >= timedelta(0) else LIST_EVERY


def _has_more(
    before: Mapping[str, Installation], after: Mapping[str, Installation]
) -> bool:
    return any(not i.is_suspended and before.get(a) != i for a, i in after.items())


def _log_changes(
    before: Mapping[str, Installation], after: Mapping[str, Installation]
) -> None:
    for account in sorted(before.keys() | after.keys()):
        old, new = before.get(account), after.get(account)
        if old == new:
            continue
        if new is None:
            log.warning("The GitHub App is not installed for %s any more", account)
        elif new.is_suspended:
            log.warning("The GitHub App is suspended for %s", new.account)
        else:
            log.info("The GitHub App is installed for %s", new.account)
