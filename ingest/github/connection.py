"""HTTP to GitHub: authorised GET requests within the origin of one API.

The only module that imports httpx. It knows no endpoint, and does not sleep or retry,
except with a new installation token after a 401.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from datetime import datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext
from typing import Any

import httpx

from ci_observer.ingest.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    GitHubUnreachable,
    InvalidResponse,
    TooLarge,
    TooSlow,
)
from ci_observer.ingest.github.app import App
from ci_observer.ingest.github.app_api import AppApi
from ci_observer.ingest.github.app_jwt import AppJwt, AppSettings
from ci_observer.ingest.github.body import MAX_BYTES, MAX_ERROR_BYTES, read_body
from ci_observer.ingest.github.certificates import Certificates, tls_context
from ci_observer.ingest.github.credentials import (
    Credential,
    Credentials,
    TokenCredentials,
)
from ci_observer.ingest.github.error_responses import TOKEN_ADVICE, Advice
from ci_observer.ingest.github.headers import parse_date, parse_etag
from ci_observer.ingest.github.http_messages import HttpResponse, RequestStats
from ci_observer.ingest.github.names import REPO_NAME
from ci_observer.ingest.github.pagination import is_path
from ci_observer.ingest.github.proxies import Proxy
from ci_observer.ingest.github.route import Route
from ci_observer.ingest.github.wire import parse_response
from ci_observer.ingest.texts import one_line
from ci_observer.ingest.times import Clock

# GitHub itself gives up after 10 seconds:
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
TIMEOUT = httpx.Timeout(20, connect=10)
# For the whole response; `TIMEOUT` is for each of its parts.
RESPONSE_SECONDS = 60
MAX_ORIGIN_LENGTH = 100
API_VERSION = "2022-11-28"
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
        http: httpx.AsyncClient,
        *,
        api_url: str,
        token: str | None = None,
        app: AppSettings | None = None,
        clock: Clock,
        slot: Slot = nullcontext,
        proxy: Proxy | None = None,
    ) -> None:
        self.api_url = api_url
        self.stats = RequestStats()
        self.renamed_ids: dict[str, int] = {}
        self.app = self._open_app(app, clock) if app else None
        self.credentials: Credentials = self.app or TokenCredentials(token)
        self._http = http
        self._clock = clock
        self._slot = slot
        self._route = Route(api_url, proxy)

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
        url = self._url_of(address)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(url, parse_etag(etag), repo)
            if response.location is None:
                return response
            self._record_rename(response, response.location)
            url = self._resolve(response.location, url)
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
        url = self._url_of(address)
        for _ in range(MAX_REDIRECTS + 1):
            self.stats.as_app += 1
            response = await self._request(url, {"authorization": bearer(jwt)}, body)
            if response.location is None or body is not None:
                break
            url = self._resolve(response.location, url)
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
        """The address of the next page, as `get` takes it; None on the last page.

        It is a path below the base of the API, so that it stays valid when the API
        moves. A link to anywhere else stays as it is, and `get` decides about it.
        """
        link = response.next_link
        if link is None:
            return None
        try:
            target = httpx.URL(response.url).join(link)
        except (httpx.InvalidURL, ValueError):
            return link
        ours = httpx.URL(self.api_url)
        base, path = (
            url.raw_path.decode("ascii").rstrip("/") for url in (ours, target)
        )
        is_below = path.startswith(f"{base}/") and not path.startswith(f"{base}//")
        if _origin(ours) == _origin(target) and is_below:
            return path.removeprefix(base)
        return str(target)

    def _record_rename(self, response: HttpResponse, location: str) -> None:
        """Keep the repository id that a permanent redirect points to."""
        if response.status != HTTPStatus.MOVED_PERMANENTLY:
            return
        base = re.escape(httpx.URL(self.api_url).path.rstrip("/"))
        path = httpx.URL(response.url).path
        old = re.match(rf"{base}/repos/({REPO_NAME})(?=/|$)", path)
        new = re.search(r"/repositories/([0-9]{1,18})(?=[/?]|$)", location)
        if old and new:
            self.renamed_ids[old[1].lower()] = int(new[1])

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
                if isinstance(error, Forbidden) and "suspended" in str(error):
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
            authorization = {"authorization": bearer(token)} if token else {}
            response = await self._request(
                url,
                authorization | is_conditional,
                on_headers=lambda status, headers: self.stats.count(
                    status, headers, account=credential.account, now=self._clock()
                ),
            )
            is_refused = response.status == HTTPStatus.UNAUTHORIZED
            if is_last or not is_refused or not credential.discard_token(token):
                break
        return response

    async def _request(
        self,
        url: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        on_headers: Callable[[int, Mapping[str, str]], None] = lambda status, them: (
            None
        ),
    ) -> HttpResponse:
        method = "GET" if body is None else "POST"
        try:
            async with (
                asyncio.timeout(RESPONSE_SECONDS),
                self._http.stream(method, url, headers=headers, json=body) as response,
            ):
                on_headers(response.status_code, response.headers)
                found = await _read(response, is_conditional="if-none-match" in headers)
        except TimeoutError as error:
            raise TooSlow(
                f"GitHub's response is not complete after {RESPONSE_SECONDS} seconds. "
                "The next pass requests it again. If the error stays, check the "
                "network and any proxy between this machine and GitHub."
            ) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise GitHubUnreachable(self._route.unreachable_text(error)) from error
        except httpx.ProxyError as error:
            raise GitHubUnreachable(self._route.refused_text(str(error))) from error
        except httpx.HTTPError as error:
            raise GitHubUnavailable(
                f"No response from GitHub: {_reason(error)}."
            ) from error
        if self._route.is_from_proxy(found.status, found.headers):
            status = f"{found.status} {_phrase(found.status)}"
            raise GitHubUnreachable(self._route.refused_text(status))
        return found

    def _url_of(self, address: str) -> str:
        """The URL of a path below the API's base, or of a whole URL in its origin."""
        url = f"{self.api_url}{address}" if is_path(address) else address
        return self._resolve(url, self.api_url)

    def _resolve(self, link: str, page_url: str) -> str:
        """The URL of a link or redirect; raises if it leaves the API's origin.

        A request to another origin would send the token there.
        """
        ours = httpx.URL(self.api_url)
        try:
            target = httpx.URL(page_url).join(link)
        except (httpx.InvalidURL, ValueError):
            raise InvalidResponse(
                "GitHub points to an invalid address. Check GITHUB_API_URL and any "
                "proxy between this machine and GitHub."
            ) from None
        if _origin(ours) != _origin(target):
            there, here = (
                one_line("://".join(_origin(url)), MAX_ORIGIN_LENGTH)
                for url in (target, ours)
            )
            raise InvalidResponse(
                f"GitHub points to another address ({there}), so no request is sent "
                f"there: the token is for {here}. If your API is at that address, set "
                "GITHUB_API_URL to it."
            )
        return str(target)


async def _read(response: httpx.Response, *, is_conditional: bool) -> HttpResponse:
    """Read a response to its end. Only the body of a 200 has to fit into the limit."""
    encoding = response.headers.get("content-encoding", "")
    is_ok = response.status_code == HTTPStatus.OK
    body = b""
    with suppress(*(() if is_ok else (TooLarge,))):
        limit = MAX_BYTES if is_ok else MAX_ERROR_BYTES
        body = await read_body(response.aiter_raw(), encoding, limit=limit)
    return HttpResponse(
        response.status_code,
        response.headers,
        body,
        url=str(response.request.url),
        is_conditional=is_conditional,
        location=(
            response.headers["location"] if response.has_redirect_location else None
        ),
        next_link=response.links.get("next", {}).get("url"),
    )


def bearer(token: str) -> str:
    """The value of the header `authorization`."""
    return f"Bearer {token}"


def _origin(url: httpx.URL) -> tuple[str, str]:
    return url.scheme, url.netloc.decode("ascii")


def open_http(
    version: str,
    *,
    proxy: Proxy | None = None,
    certificates: Certificates | None = None,
) -> httpx.AsyncClient:
    """An HTTP client with timeouts and the headers that GitHub recommends.

    https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#headers
    """
    context = tls_context(certificates or Certificates())
    return httpx.AsyncClient(
        timeout=TIMEOUT,
        # Proxy and certificates come from the settings, which are checked.
        trust_env=False,
        verify=context or True,
        proxy=httpx_proxy(proxy, context) if proxy else None,
        # GitHub's API needs no cookies, and a broken one would be in every request.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={
            "accept": "application/vnd.github+json",
            # `read_body` decompresses nothing else.
            "accept-encoding": "gzip",
            "user-agent": f"ci-observer/{version}",
            "x-github-api-version": API_VERSION,
        },
    )


def httpx_proxy(proxy: Proxy, context: SSLContext | None) -> httpx.Proxy:
    """A proxy as httpx takes it; the context is for TLS to the proxy itself."""
    # httpcore refuses a context for a proxy without TLS.
    is_tls = proxy.scheme == "https"
    return httpx.Proxy(
        proxy.url, auth=proxy.auth, ssl_context=context if is_tls else None
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _reason(error: Exception) -> str:
    return one_line(str(error)) or type(error).__name__
