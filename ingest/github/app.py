"""The credentials of a GitHub App: finds the installation for each repository.

The installations are listed again every 15 minutes, and when one has disappeared.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from ci_observer.ingest.errors import (
    AccountStopped,
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    GitHubUnreachable,
    InvalidResponse,
    NotFound,
)
from ci_observer.ingest.github.app_api import AppApi
from ci_observer.ingest.github.credentials import (
    EVERY_ACCOUNT,
    Credential,
    digest_of,
)
from ci_observer.ingest.github.installation_token import InstallationToken
from ci_observer.ingest.github.installations import Installation
from ci_observer.ingest.github.names import is_every_repo, owner_of
from ci_observer.ingest.times import NEVER, Clock

log = logging.getLogger("ci_observer.ingest")

LIST_EVERY = timedelta(minutes=15)
LIST_AGAIN_AFTER = timedelta(minutes=1)
SUSPENDED = (
    "The GitHub App's installation for {account} is suspended. Unsuspend it in the "
    "settings of the account."
)
UNINSTALLED = (
    "The GitHub App is not installed for {account} any more. Install it there again; "
    "after a restart, only the public repositories are polled."
)


class App:
    """Gives each repository the token of the installation that sees it.

    A repository of an account without an installation gets the token of the oldest
    installation, which reads public repositories anywhere.
    """

    has_token = is_app = True

    def __init__(self, api: AppApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._tokens: dict[int, InstallationToken] = {}
        self._by_account: dict[str, Installation] = {}
        # The owners of repositories whose name has another one.
        self._owners: dict[str, str] = {}
        # The installations of repositories whose name has another owner.
        self._looked_up: dict[str, int | None] = {}
        self._listed_at = NEVER
        self._has_new_access = False
        # Accounts that had an installation, and have none any more.
        self._former: dict[str, str] = {}
        # The error of the list in this pass.
        self._error: InvalidResponse | None = None
        self._lock = asyncio.Lock()

    @property
    def installations(self) -> list[Installation]:
        """The installations that are used, oldest first."""
        return sorted(self._by_account.values(), key=lambda i: i.installation_id)

    @property
    def digest(self) -> str:
        """Changes with the installations and with their permissions."""
        seen = [(i.installation_id, i.wanted) for i in self.installations]
        return digest_of(f"{self._api.app_id} {seen}")

    async def start_pass(self) -> None:
        """Forget the errors of the last pass, and list the installations if due."""
        # A lock belongs to the event loop in which it was first waited for.
        self._lock = asyncio.Lock()
        self._error = None
        for token in self._tokens.values():
            token.start_pass()
        if self._listed_at != NEVER:
            # An error is raised again by the first request that needs the list.
            with suppress(GitHubError):
                await self.fetch_installations()

    def reload(self, path: Path) -> bool:
        return self._api.jwt.reload(path)

    def take_new_access(self) -> bool:
        has_new_access, self._has_new_access = self._has_new_access, False
        return has_new_access

    def set_owner(self, repo: str, owner: str) -> None:
        self._owners[repo.lower()] = owner

    def account_of(self, repo: str) -> str:
        found = self._installation_of(repo) or self._oldest()
        return found.account if found else EVERY_ACCOUNT

    async def find(self, repo: str) -> Credential:
        """The credential for a repository or for `owner/*`.

        Raises `AccountStopped` if its installation is suspended or was deleted, and
        `Forbidden` if there is none at all.
        """
        async with self._lock:
            await self._list_if_due()
            found = self._installation_of(repo)
            if found is None and not is_every_repo(repo):
                await self._look_up(repo)
                found = self._installation_of(repo)
        if found is None:
            return self._borrowed(repo)
        if found.is_suspended:
            raise _stopped(SUSPENDED, found.account)
        return self._tokens[found.installation_id]

    async def has_list_of(self, owner: str) -> bool:
        """Whether an owner has an installation, which lists what it sees."""
        async with self._lock:
            await self._list_if_due()
        return self._installation_of(owner) is not None

    async def look_up(self, repo: str) -> bool:
        """Ask GitHub for the installation of a repository that was not found.

        It may have moved to another account. Returns whether it has another one.
        """
        before = self._installation_of(repo)
        async with self._lock:
            self._looked_up.pop(repo.lower(), None)
            await self._look_up(repo)
        return self._installation_of(repo) not in (None, before)

    async def fetch_installations(self) -> list[Installation]:
        """The installations that are used, from a list of now or of a moment ago."""
        async with self._lock:
            await self._list_if_due()
        return self.installations

    async def refresh(self) -> None:
        """List the installations, unless that was done a moment ago."""
        async with self._lock:
            if self._age() >= LIST_AGAIN_AFTER:
                await self._list()

    def _installation_of(self, repo: str) -> Installation | None:
        name = repo.lower()
        looked_up = self._looked_up.get(name)
        for installation in self._by_account.values():
            if installation.installation_id == looked_up:
                return installation
        owner = self._owners.get(name) or owner_of(repo)
        return self._by_account.get(owner.lower())

    def _oldest(self) -> Installation | None:
        return next((i for i in self.installations if not i.is_suspended), None)

    def _borrowed(self, repo: str) -> Credential:
        """The credential for public repositories of an account without the App."""
        owner, oldest = owner_of(repo), self._oldest()
        if account := self._former.get(owner.lower()):
            raise _stopped(UNINSTALLED, account)
        if oldest is None:
            raise Forbidden(
                f"The GitHub App is not installed for {owner}. Install it there: the "
                'settings of the App have the page "Install App".'
            )
        return self._tokens[oldest.installation_id].lend(owner)

    async def _look_up(self, repo: str) -> None:
        name = repo.lower()
        if name in self._looked_up or self._api.has_one_installation:
            return
        try:
            found = await self._api.fetch_installation_of(repo)
        except NotFound:
            self._looked_up[name] = None
            return
        self._looked_up[name] = found.installation_id

    async def _list_if_due(self) -> None:
        if self._error:
            raise self._error
        if self._age() < LIST_EVERY:
            return
        try:
            await self._list()
        except GitHubUnreachable:
            raise
        except (GitHubUnavailable, InvalidResponse) as error:
            if not self._by_account:
                # One request in a pass, unless a retry may succeed.
                if isinstance(error, InvalidResponse):
                    self._error = error
                raise
            log.warning("The list of the App's installations is an old one. %s", error)
            self._listed_at = self._clock() - LIST_EVERY + LIST_AGAIN_AFTER

    async def _list(self) -> None:
        before, is_first = self._by_account, self._listed_at == NEVER
        listed = await self._api.fetch_installations()
        self._listed_at = self._clock()
        self._by_account = {i.account.lower(): i for i in listed}
        if self._by_account == before:
            return
        self._looked_up.clear()
        gone = before.keys() - self._by_account.keys()
        self._former |= {account: before[account].account for account in gone}
        for account in self._by_account:
            self._former.pop(account, None)
        self._has_new_access |= not is_first and _has_more(before, self._by_account)
        for installation in listed:
            self._token_of(installation).change(installation)
        _log_changes(before, self._by_account)

    def _token_of(self, installation: Installation) -> InstallationToken:
        number = installation.installation_id
        if number not in self._tokens:
            self._tokens[number] = InstallationToken(
                installation, self._api, self._clock, on_refused=self.refresh
            )
        return self._tokens[number]

    def _age(self) -> timedelta:
        """The age of the list. A time in the future is that of a wrong clock."""
        age = self._clock() - self._listed_at
        return age if age >= timedelta(0) else LIST_EVERY


def _stopped(text: str, account: str) -> AccountStopped:
    return AccountStopped(account, Forbidden(text.format(account=account)))


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
