"""The token of one installation of a GitHub App, renewed before it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from ci_observer.ingest.errors import (
    AccountStopped,
    Forbidden,
    GitHubUnavailable,
    InvalidResponse,
    NotFound,
    Unprocessable,
)
from ci_observer.ingest.github.app_api import AppApi
from ci_observer.ingest.github.credentials import Credential
from ci_observer.ingest.github.error_responses import Advice
from ci_observer.ingest.github.installations import AppToken, Installation
from ci_observer.ingest.times import NEVER, Clock

# A token is valid for an hour.
RENEW_BEFORE = timedelta(minutes=5)
# Also for tokens that seem to end earlier or later, because the clock here is wrong.
MIN_AGE, MAX_AGE = timedelta(minutes=1), timedelta(minutes=55)

UNAUTHORIZED = (
    "GitHub refuses the token of the App's installation for {account} (401), and a new "
    "one, too. The next request is sent in an hour."
)
NOT_SELECTED = (
    "check the names, and whether the App's installation for {account} has the "
    "repository selected and the permission Actions: read."
)
NOT_INSTALLED = (
    "check the names. The App is not installed for {owner}, so it sees only public "
    "repositories there: install it for {owner}."
)
PERMISSION = (
    "The App lacks the permission {{permission}} for {account}: add it in the settings "
    "of the App, and let the owner of the account accept it."
)


class InstallationToken:
    """The credential of an installation. `on_refused` lists the installations again."""

    def __init__(
        self,
        installation: Installation,
        api: AppApi,
        clock: Clock,
        *,
        on_refused: Callable[[], Awaitable[None]],
    ) -> None:
        self._installation = installation
        self._api = api
        self._clock = clock
        self._on_refused = on_refused
        self._token: AppToken | None = None
        self._renew_at = NEVER
        self.start_pass()

    @property
    def account(self) -> str:
        return self._installation.account

    @property
    def advice(self) -> Advice:
        return Advice(
            UNAUTHORIZED.format(account=self.account),
            NOT_SELECTED.format(account=self.account),
            PERMISSION.format(account=self.account),
            scope=f" for {self.account}",
        )

    def start_pass(self) -> None:
        """Forget the error of the last pass."""
        self._error: AccountStopped | None = None
        self._lock = asyncio.Lock()

    def change(self, installation: Installation) -> None:
        """Take what GitHub lists now. New permissions need a new token."""
        if installation.wanted != self._installation.wanted:
            self._token = None
        self._installation = installation

    def lend(self, owner: str) -> Credential:
        """The same credential, for the public repositories of another owner."""
        return LentToken(self, owner)

    async def get_token(self) -> str | None:
        """The token, which is requested if there is none, or if it ends soon.

        A refusal is raised until `start_pass`, without another request.
        """
        async with self._lock:
            if self._error:
                raise self._error
            if self._token is None or self._clock() >= self._renew_at:
                await self._renew()
        return self._token.secret if self._token else None

    def discard_token(self, token: str | None) -> bool:
        # Another request may have replaced it already.
        if self._token and self._token.secret == token:
            self._token = None
        return True

    async def _renew(self) -> None:
        try:
            token = await self._request()
        except (Forbidden, NotFound, InvalidResponse) as error:
            self._token, self._error = None, AccountStopped(self.account, error)
            raise self._error from error
        except GitHubUnavailable:
            if self._token is None or self._clock() >= self._token.expires_at:
                raise
            self._renew_at = self._clock() + MIN_AGE
            return
        now = self._clock()
        self._token = token
        renew_at = min(token.expires_at - RENEW_BEFORE, now + MAX_AGE)
        self._renew_at = max(renew_at, now + MIN_AGE)

    async def _request(self) -> AppToken:
        """Request a token; after a refusal once more, with the permissions of now."""
        asked = self._installation
        try:
            return await self._api.create_token(asked)
        except (Forbidden, NotFound, Unprocessable):
            await self._on_refused()
            if self._installation == asked:
                raise
        return await self._api.create_token(self._installation)


class LentToken:
    """The token of an installation, for requests outside of its account."""

    def __init__(self, lender: InstallationToken, owner: str) -> None:
        self._lender = lender
        self._owner = owner

    @property
    def account(self) -> str:
        return self._lender.account

    @property
    def advice(self) -> Advice:
        text = NOT_INSTALLED.format(owner=self._owner)
        scope = self._lender.advice.scope
        return Advice(self._lender.advice.unauthorized, text, text, scope)

    async def get_token(self) -> str | None:
        return await self._lender.get_token()

    def discard_token(self, token: str | None) -> bool:
        return self._lender.discard_token(token)
