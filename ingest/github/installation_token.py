"""The token of one installation of a GitHub App, renewed before it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from ci_observer.ingest.errors import (
    Forbidden,
    GitHubUnavailable,
    GitHubUnreachable,
    InvalidResponse,
    NotFound,
    RateLimited,
    Unprocessable,
)
from ci_observer.ingest.github.app_api import AppApi
from ci_observer.ingest.github.credentials import Credential
from ci_observer.ingest.github.error_responses import Advice
from ci_observer.ingest.github.failures import Failures
from ci_observer.ingest.github.installations import AppToken, Installation
from ci_observer.ingest.times import NEVER, Clock

# A token is valid for an hour.
RENEW_BEFORE = timedelta(minutes=5)
# Also for tokens that seem to end earlier or later, because the clock here is wrong.
MIN_AGE, MAX_AGE = timedelta(minutes=1), timedelta(minutes=55)
# GitHub's servers learn about a new token one after another.
NEW_FOR = timedelta(seconds=10)
# So many refusals of new tokens are only that: each of four requests, retried once.
MAX_NEW_REFUSALS = 8

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
NOT_YET = (
    "GitHub does not accept the new token of the App's installation for {account} yet "
    "(401). The next pass requests it again."
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
        self._issued_at = self._renew_at = NEVER
        self._has_new_permissions = False
        self._new_refusals = 0
        self._failures = Failures()
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
        self._failures.start_pass()
        self._lock = asyncio.Lock()

    def change(self, installation: Installation) -> None:
        """Take over what GitHub lists now. New permissions need a new token."""
        self._has_new_permissions |= installation.wanted != self._installation.wanted
        self._installation = installation

    def lend(self, owner: str) -> Credential:
        """The same credential, for the public repositories of another owner."""
        return LentToken(self, owner)

    async def get_token(self) -> str | None:
        """The token, which is requested if there is none, or if it ends soon.

        A refusal is raised until `start_pass`, without another request. A failure is
        raised by every call that was waiting for the same request.
        """
        failures = self._failures.count
        async with self._lock:
            self._failures.refuse()
            if self._failures.last and self._failures.count > failures:
                raise self._failures.last
            if self._is_due():
                await self._renew()
        return self._token.secret if self._token else None

    def discard_token(self, token: str | None) -> bool:
        """Drop a token that GitHub refuses.

        Raises `GitHubUnavailable` for a new one, which may be accepted soon.
        """
        # Another request may have replaced it already.
        if self._token and self._token.secret == token:
            is_new = timedelta(0) <= self._clock() - self._issued_at < NEW_FOR
            if is_new and self._new_refusals < MAX_NEW_REFUSALS:
                self._new_refusals += 1
                raise GitHubUnavailable(NOT_YET.format(account=self.account))
            self._token = None
        return True

    def _is_due(self) -> bool:
        is_old = self._clock() >= self._renew_at
        return self._token is None or self._has_new_permissions or is_old

    async def _renew(self) -> None:
        try:
            token = await self._request()
        except GitHubUnreachable:
            raise
        except (Forbidden, NotFound, InvalidResponse) as error:
            self._token = None
            self._failures.stop(error, self.account)
        except (GitHubUnavailable, RateLimited) as error:
            if self._token and self._clock() < self._token.expires_at:
                self._renew_at = self._clock() + MIN_AGE
                return
            if isinstance(error, RateLimited):
                raise self._limited(error) from error
            self._failures.record(error, self.account)
            raise
        self._failures.clear()
        self._keep(token)

    def _limited(self, error: RateLimited) -> RateLimited:
        """The error for this account alone: other tokens are still valid."""
        limited = RateLimited(str(error), error.retry_at)
        limited.account = self.account
        return limited

    def _keep(self, token: AppToken) -> None:
        now = self._clock()
        if not timedelta(0) <= now - self._issued_at < MAX_AGE / 2:
            self._new_refusals = 0
        self._token, self._issued_at = token, now
        renew_at = min(token.expires_at - RENEW_BEFORE, now + MAX_AGE)
        self._renew_at = max(renew_at, now + MIN_AGE)

    async def _request(self) -> AppToken:
        """Request a token; after a refusal once more, with the permissions of now."""
        asked = self._installation
        self._has_new_permissions = False
        try:
            return await self._api.create_token(asked)
        except (Forbidden, NotFound, Unprocessable):
            await self._on_refused()
            if self._installation == asked:
                raise
        self._has_new_permissions = False
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
