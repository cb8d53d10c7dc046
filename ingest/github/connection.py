"""Authorised GET requests to one API, with the credential of each repository.

It knows no endpoint, and does not sleep or retry, except with a new installation token
after a 401. `transport` does the HTTP.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from datetime import datetime
from http import HTTPStatus
from typing import Any

from ci_observer.ingest.errors import (
    GitHubError,
    GitHubUnavailable,
    InvalidResponse,
    Suspended,
)
from ci_observer.ingest.github.addresses import ApiAddresses
from ci_observer.ingest.github.app import App
from ci_observer.ingest.github.app_api import AppApi
from ci_observer.ingest.github.app_jwt import AppJwt, AppSettings
from ci_observer.ingest.github.credentials import (
    Credential,
    Credentials,
    TokenCredentials,
)
from ci_observer.ingest.github.error_responses import TOKEN_ADVICE, Advice
from ci_observer.ingest.github.headers import parse_date, parse_etag
from ci_observer.ingest.github.http_messages import HttpResponse, RequestStats
from ci_observer.ingest.github.proxies import Proxy
from ci_observer.ingest.github.route import Route
from ci_observer.ingest.github.transport import HttpClient, Transport
from ci_observer.ingest.github.wire import parse_response
from ci_observer.ingest.times import Clock

MAX_REDIRECTS = 3

# The context in which a request of an account is sent.
Slot = Callable[[str], AbstractAsyncContextManager[Any]]


class Connection:
    """GET requests to one API, with a token and ETags.

    `renamed_ids` maps the former name of a renamed repository, in lower case, to its
    id. `slot` gives the context in which each request of an account is sent; it may
    wait, or raise. `proxy` is the one that `http` uses; errors name it.
    """

    def __init__(
        self,
        http: HttpClient,
        *,
        api_url: str,
        token: str | None = None,
        app: AppSettings | None = None,
        clock: Clock,
        slot: Slot = nullcontext,
        proxy: Proxy | None = None,
    ) -> None:
        self.stats = RequestStats()
        self.renamed_ids: dict[str, int] = {}
        self.app = self._open_app(app, clock) if app else None
        self.credentials: Credentials = self.app or TokenCredentials(token)
        self._addresses = ApiAddresses(api_url)
        self._transport = Transport(http, Route(api_url, proxy))
        self._clock = clock
        self._slot = slot

    def _open_app(self, app: AppSettings, clock: Clock) -> App:
        api = AppApi(
            self,
            AppJwt(app, clock),
            clock,
            app_id=app.app_id,
            installation_id=app.installation_id,
        )
        return App(api, clock)

    @property
    def has_token(self) -> bool:
        """Whether requests carry a token."""
        return self.credentials.has_token

    async def get(
        self, address: str, *, repo: str = "", etag: str | None = None
    ) -> HttpResponse:
        """GET an address of this API, following redirects of renamed repositories.

        `repo` is the repository, or `owner/*`, whose credential is sent. `address` is a
        path below the base of the API, or the whole URL of a link. The status is 200,
        304 or one that `parse` refuses. Raises a `GitHubError` for statuses from 400,
        for redirects to another origin, and without a response.
        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
        """
        url = self._addresses.url_of(address)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(url, parse_etag(etag), repo)
            if response.location is None:
                return response
            target = self._addresses.resolve(response.location, url)
            self._record_rename(response, target)
            url = target
        raise InvalidResponse(
            "GitHub's redirects form a loop. Check GITHUB_API_URL and any proxy "
            "between this machine and GitHub."
        )

    async def send_as_app(
        self, address: str, jwt: str, body: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        """GET an address with an App's JSON web token, or POST a body to it.

        The POST is the request for an installation token. Any status is returned.
        """
        url = self._addresses.url_of(address)
        for _ in range(MAX_REDIRECTS + 1):
            self.stats.as_app += 1
            response = await self._transport.send(url, _authorization(jwt), body)
            if response.location is None or body is not None:
                break
            url = self._addresses.resolve(response.location, url)
        return response

    def parse(self, response: HttpResponse, advice: Advice = TOKEN_ADVICE) -> Any:
        """The JSON of a 200 response; raises the fitting `GitHubError` for others."""
        return parse_response(
            response.status,
            response.headers,
            response.body,
            now=self._clock(),
            advice=advice,
        )

    def time_of(self, response: HttpResponse) -> datetime:
        """The time of a response: our clock's, or GitHub's if that is later."""
        sent_at = parse_date(response.headers.get("date"))
        return max(self._clock(), sent_at) if sent_at else self._clock()

    def next_address(self, response: HttpResponse) -> str | None:
        """The address of the next page, as `get` takes it; None on the last page."""
        link = response.next_link
        return None if link is None else self._addresses.shorten(link, response.url)

    def _record_rename(self, response: HttpResponse, target: str) -> None:
        """Keep the repository id that a permanent redirect points to."""
        if response.status != HTTPStatus.MOVED_PERMANENTLY:
            return
        if rename := self._addresses.find_rename(response.url, target):
            name, repo_id = rename
            self.renamed_ids[name] = repo_id

    async def _send(self, url: str, etag: str | None, repo: str) -> HttpResponse:
        credential = await self.credentials.find(repo)
        async with self._slot(credential.account):
            try:
                response = await self._get_authorized(url, etag, credential)
                if response.status >= HTTPStatus.BAD_REQUEST:
                    # Raise inside the context, so that it can stop the next request.
                    self.parse(response, credential.advice)
            except GitHubError as error:
                if error.account is None:
                    error.account = credential.account
                if isinstance(error, Suspended):
                    await self._refresh_credential(repo)
                raise
        return response

    async def _refresh_credential(self, repo: str) -> None:
        """Raise `AccountStopped` if the installation of an App is suspended."""
        with suppress(GitHubUnavailable):
            await self.credentials.refresh()
            await self.credentials.find(repo)

    async def _get_authorized(
        self, url: str, etag: str | None, credential: Credential
    ) -> HttpResponse:
        """GET with a credential; with another token if GitHub refuses the first."""
        is_conditional = {"if-none-match": etag} if etag else {}
        for is_last in (False, True):
            token = await credential.get_token()
            response = await self._transport.send(
                url,
                _authorization(token) | is_conditional,
                on_headers=lambda status, headers: self.stats.count(
                    status, headers, account=credential.account, now=self._clock()
                ),
            )
            is_refused = response.status == HTTPStatus.UNAUTHORIZED
            if is_last or not is_refused or not credential.discard_token(token):
                break
        return response


def _authorization(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}
