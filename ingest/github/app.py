"""The credentials of a GitHub App: finds the installation for each repository.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ci_observer.ingest.errors import (
    AccountStopped,
    Forbidden,
    GitHubUnavailable,
    GitHubUnreachable,
    NotFound,
    RateLimited,
    TooSlow,
)
from ci_observer.ingest.github.app_api import AppApi
from ci_observer.ingest.github.credentials import (
    EVERY_ACCOUNT,
    Credential,
    digest_of,
)
from ci_observer.ingest.github.failures import Failures
from ci_observer.ingest.github.installation_list import InstallationList
from ci_observer.ingest.github.installation_token import InstallationToken
from ci_observer.ingest.github.installations import Installation
from ci_observer.ingest.github.names import is_every_repo, owner_of
from ci_observer.ingest.times import Clock

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
        self._list = InstallationList(api, clock, self._update)
        self._tokens: dict[int, InstallationToken] = {}
        # The owners of repositories whose name has another one.
        self._owners: dict[str, str] = {}
        # The installations of repositories whose name has another owner.
        self._looked_up: dict[str, int | None] = {}
        self._look_up_failures = Failures()
        self._look_up_lock = asyncio.Lock()

    @property
    def installations(self) -> list[Installation]:
        """The installations that are used, oldest first."""
        found = self._list.by_account.values()
        return sorted(found, key=lambda i: i.installation_id)

    @property
    def digest(self) -> str:
        """Changes with the installations and with their permissions."""
        seen = [(i.installation_id, i.wanted) for i in self.installations]
        return digest_of(f"{self._api.app_id} {seen}")

    async def start_pass(self) -> None:
        """Forget the errors of the last pass, and list the installations if due."""
        # A lock belongs to the event loop in which it was first waited for.
        self._look_up_lock = asyncio.Lock()
        self._look_up_failures.start_pass()
        for token in self._tokens.values():
            token.start_pass()
        await self._list.start_pass()

    def reload(self, path: Path) -> bool:
        return self._api.jwt.reload(path)

    def take_new_access(self) -> bool:
        return self._list.take_new_access()

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
        await self._list.fetch_if_due()
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
        await self._list.fetch_if_due()
        return self._installation_of(owner) is not None

    async def look_up(self, repo: str) -> bool:
        """Ask GitHub for the installation of a repository that was not found.

        It may have moved to another account. Returns whether it has another one.
        """
        before = self._installation_of(repo)
        self._looked_up.pop(repo.lower(), None)
        await self._look_up(repo)
        return self._installation_of(repo) not in (None, before)

    async def fetch_installations(self) -> list[Installation]:
        """The installations that are used, from a list of now or of a moment ago."""
        await self._list.fetch_if_due()
        return self.installations

    async def refresh(self) -> None:
        """List the installations, unless that was done a moment ago."""
        await self._list.refresh()

    def _installation_of(self, repo: str) -> Installation | None:
        name = repo.lower()
        looked_up = self._looked_up.get(name)
        for installation in self._list.by_account.values():
            if installation.installation_id == looked_up:
                return installation
        owner = self._owners.get(name) or owner_of(repo)
        return self._list.by_account.get(owner.lower())

    def _oldest(self) -> Installation | None:
        return next((i for i in self.installations if not i.is_suspended), None)

    def _borrowed(self, repo: str) -> Credential:
        """The credential for public repositories of an account without the App."""
        owner, oldest = owner_of(repo), self._oldest()
        if account := self._list.former.get(owner.lower()):
            raise _stopped(UNINSTALLED, account)
        if oldest is None:
            raise Forbidden(
                f"The GitHub App is not installed for {owner}. Install it there: the "
                'settings of the App have the page "Install App".'
            )
        return self._tokens[oldest.installation_id].lend(owner)

    async def _look_up(self, repo: str) -> None:
        """Ask GitHub for an installation, one repository at a time.

        Repositories whose owner has an installation do not wait for that.
        """
        if self._api.has_one_installation:
            return
        async with self._look_up_lock:
            if repo.lower() not in self._looked_up:
                self._looked_up[repo.lower()] = await self._fetch_id(repo)

    async def _fetch_id(self, repo: str) -> int | None:
        self._look_up_failures.refuse()
        try:
            found: Installation | None = await self._api.fetch_installation_of(repo)
        except NotFound:
            found = None
        except RateLimited as error:
            # It is the App's own limit, so the installations are still polled.
            raise AccountStopped(owner_of(repo), error) from error
        except GitHubUnreachable:
            raise
        except (GitHubUnavailable, TooSlow) as error:
            self._look_up_failures.record(error, owner_of(repo))
            raise
        self._look_up_failures.clear()
        return found.installation_id if found else None

    def _update(self, listed: Sequence[Installation]) -> None:
        """Take over what GitHub lists now."""
        self._looked_up.clear()
        for installation in listed:
            number = installation.installation_id
            if number not in self._tokens:
                self._tokens[number] = InstallationToken(
                    installation, self._api, self._clock, on_refused=self.refresh
                )
            self._tokens[number].change(installation)


def _stopped(text: str, account: str) -> AccountStopped:
    return AccountStopped(account, Forbidden(text.format(account=account)))
