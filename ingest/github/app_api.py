"""The requests that a GitHub App sends as itself, with a JSON web token.

The request for a token is the only POST that CI Observer sends to GitHub.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

from ci_observer.ingest.errors import NotFound, RateLimited, Unauthorized
from ci_observer.ingest.github.app_jwt import AppJwt
from ci_observer.ingest.github.credentials import EVERY_ACCOUNT
from ci_observer.ingest.github.error_responses import Advice, error_of
from ci_observer.ingest.github.headers import LONGEST_WAIT
from ci_observer.ingest.github.http_messages import HttpResponse
from ci_observer.ingest.github.installations import (
    AppToken,
    Installation,
    parse_app_token,
    parse_installation,
    parse_installations,
)
from ci_observer.ingest.github.pagination import Walk, next_page_url
from ci_observer.ingest.github.wire import parse_json
from ci_observer.ingest.times import Clock

PAGE_SIZE = 100
ADVICE = Advice(
    unauthorized=(
        "GitHub refuses the GitHub App (401): GITHUB_APP_ID and the key in "
        "GITHUB_APP_PRIVATE_KEY_FILE do not belong together, or the key was deleted. "
        "Compare both with the settings of the App."
    ),
    not_found="the App is not installed there any more.",
    permission="The App itself may not do that: look at its settings.",
    scope=" for the App itself",
)
NO_APP = (
    "GitHub has no App with this GITHUB_APP_ID (404). Compare it with the settings of "
    "the App, and GITHUB_API_URL with the server on which it is registered."
)
NO_INSTALLATION = (
    "GITHUB_APP_INSTALLATION_ID: the App has no installation {number}. Take the number "
    "from the address of the installation's settings, or leave it out to use every "
    "installation."
)


class AppTransport(Protocol):
    """Sends requests to GitHub's API, and finds the next page of a list."""

    async def send_as_app(
        self, address: str, jwt: str, body: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        """GET an address, or POST a body to it. Any status is returned."""

    def next_address(self, response: HttpResponse) -> str | None:
        """The address of the next page; None on the last page."""


class AppApi:
    """Requests to the endpoints for Apps.

    Raises a `GitHubError` for any status but 200 and 201. A refused App concerns every
    request, so the error names every account. The rate limit of the App itself is not
    that of its installations; once it is spent, no request is sent until its end.
    """

    def __init__(
        self,
        transport: AppTransport,
        jwt: AppJwt,
        clock: Clock,
        *,
        app_id: str,
        installation_id: int | None = None,
    ) -> None:
        self.jwt = jwt
        self.app_id = app_id
        self._transport = transport
        self._clock = clock
        self._installation_id = installation_id
        self._limited: RateLimited | None = None

    @property
    def has_one_installation(self) -> bool:
        """Whether the settings name the only installation to use."""
        return self._installation_id is not None

    async def fetch_installations(self) -> list[Installation]:
        """The installations to use: every one, or that of the settings.

        https://docs.github.com/en/rest/apps/apps#list-installations-for-the-authenticated-app
        """
        if self._installation_id is not None:
            return [await self._fetch_one(self._installation_id)]
        url: str | None = f"/app/installations?per_page={PAGE_SIZE}"
        found: list[Installation] = []
        pages: list[Any] = []
        walk = Walk()
        while url:
            response = await self._send_for_all(url, NO_APP)
            page = parse_json(response.body)
            found += parse_installations(page)
            # A proxy may drop the link, or send the same page again.
            link = self._transport.next_address(response)
            link = link or next_page_url(url, items=len(page), total=None)
            url = None if page in pages else walk.next_url(url, link)
            pages.append(page)
        return found

    async def fetch_installation_of(self, repo: str) -> Installation:
        """The installation that sees a repository, also by a former name.

        https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app
        """
        response = await self._send(f"/repos/{repo}/installation")
        return parse_installation(parse_json(response.body))

    async def create_token(self, installation: Installation) -> AppToken:
        """A new token of an installation, with permissions to read and no others.

        https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
        """
        address = f"/app/installations/{installation.installation_id}/access_tokens"
        body = {"permissions": installation.wanted}
        response = await self._send(address, body)
        return parse_app_token(parse_json(response.body))

    async def _fetch_one(self, number: int) -> Installation:
        text = NO_INSTALLATION.format(number=number)
        response = await self._send_for_all(f"/app/installations/{number}", text)
        return parse_installation(parse_json(response.body))

    async def _send_for_all(self, address: str, not_found: str) -> HttpResponse:
        """GET something without which no request can be sent."""
        try:
            return await self._send(address)
        except NotFound:
            error = Unauthorized(not_found)
            error.account = EVERY_ACCOUNT
            raise error from None

    async def _send(
        self, address: str, body: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        self._refuse_while_limited()
        response = await self._transport.send_as_app(address, self.jwt.sign(), body)
        is_refused = response.status == HTTPStatus.UNAUTHORIZED
        if is_refused and self.jwt.correct_clock(response.headers.get("date")):
            response = await self._transport.send_as_app(address, self.jwt.sign(), body)
        if response.status in (HTTPStatus.OK, HTTPStatus.CREATED):
            return response
        error = error_of(
            response.status,
            response.headers,
            response.body,
            now=self._clock(),
            advice=ADVICE,
        )
        if isinstance(error, RateLimited):
            self._limited = error
        if isinstance(error, Unauthorized | RateLimited):
            error.account = EVERY_ACCOUNT
        raise error

    def _refuse_while_limited(self) -> None:
        """Raise the error of the rate limit again; a longer wait is a wrong clock's."""
        now = self._clock()
        if self._limited and now < self._limited.retry_at <= now + LONGEST_WAIT:
            raise self._limited
