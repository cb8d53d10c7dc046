"""HTTP with httpx: a client with timeouts, and one request with its response.

It knows no endpoint and no credential, and neither retries nor follows a redirect.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from http import HTTPStatus
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import httpx

from ci_observer.ingest.errors import (
    GitHubUnavailable,
    GitHubUnreachable,
    TooLarge,
    TooSlow,
)
from ci_observer.ingest.github.body import MAX_BYTES, MAX_ERROR_BYTES, read_body
from ci_observer.ingest.github.certificates import Certificates, tls_context
from ci_observer.ingest.github.http_messages import HttpResponse
from ci_observer.ingest.github.proxies import Proxy
from ci_observer.ingest.github.route import Route
from ci_observer.ingest.texts import one_line

Headers = Mapping[str, str]

# GitHub itself gives up after 10 seconds:
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
TIMEOUT = httpx.Timeout(20, connect=10)
# For the whole response; `TIMEOUT` is for each of its parts.
RESPONSE_SECONDS = 60
API_VERSION = "2022-11-28"
# Connections survive the wait between two passes, if that is short.
LIMITS = httpx.Limits(max_connections=100, keepalive_expiry=30)
# Parsing the URL of each request anew takes a tenth of its time.
CACHED_URLS = 2000

_parse_url = lru_cache(CACHED_URLS)(httpx.URL)


class HttpClient:
    """Sends requests by a transport of httpx, with headers and timeouts.

    `httpx.AsyncClient` would add cookies, which one broken header spoils for all
    requests, redirects, which ingest follows itself, and a third of the CPU time.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        headers: Headers,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        self._transport = transport
        self._headers = dict(headers)
        self.timeout = timeout

    async def send(
        self, method: str, url: str, headers: Headers, body: Mapping[str, Any] | None
    ) -> httpx.Response:
        """Send a request. The caller reads the body of the response and closes it."""
        request = httpx.Request(
            method,
            _parse_url(url),
            headers=self._headers | dict(headers),
            json=body,
            extensions={"timeout": self.timeout_of(url).as_dict()},
        )
        response = await self._transport.handle_async_request(request)
        response.request = request
        return response

    def timeout_of(self, url: str) -> httpx.Timeout:
        """The timeouts of a request."""
        return self.timeout

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class Transport:
    """Sends requests with a client. `route` puts failures into words."""

    def __init__(self, http: HttpClient, route: Route) -> None:
        self._http = http
        self._route = route

    async def send(
        self,
        url: str,
        headers: Headers,
        body: Mapping[str, Any] | None = None,
        *,
        on_headers: Callable[[int, Headers], None] | None = None,
    ) -> HttpResponse:
        """GET a URL, or POST a JSON body to it. Any status is returned.

        `on_headers` receives the status and the headers before the body is read.
        Raises `GitHubUnavailable` or `InvalidResponse` without a whole response.
        """
        method = "GET" if body is None else "POST"
        try:
            async with asyncio.timeout(RESPONSE_SECONDS):
                response = await self._http.send(method, url, headers, body)
                try:
                    found = await _read(
                        response,
                        is_conditional="if-none-match" in headers,
                        on_headers=on_headers,
                    )
                finally:
                    await response.aclose()
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
            # The proxy may fail for one request, and refuse them all.
            is_failure = found.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            kind = GitHubUnavailable if is_failure else GitHubUnreachable
            raise kind(self._route.refused_text(status))
        return found


def open_http(
    version: str,
    *,
    proxy: Proxy | None = None,
    certificates: Certificates | None = None,
) -> HttpClient:
    """An HTTP client with timeouts and the headers that GitHub recommends.

    https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#headers
    """
    context = tls_context(certificates or Certificates())
    transport = httpx.AsyncHTTPTransport(
        # Proxy and certificates come from the settings, which are checked.
        trust_env=False,
        verify=context or True,
        proxy=httpx_proxy(proxy, context) if proxy else None,
        limits=LIMITS,
    )
    return HttpClient(
        transport,
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


async def _read(
    response: httpx.Response,
    *,
    is_conditional: bool,
    on_headers: Callable[[int, Headers], None] | None,
) -> HttpResponse:
    """Read a response to its end. Only the body of a 200 has to fit into the limit."""
    # A lookup in the headers of httpx takes as long as ten in a dict.
    headers = dict(response.headers.items())
    if on_headers:
        on_headers(response.status_code, headers)
    encoding = headers.get("content-encoding", "")
    is_ok = response.status_code == HTTPStatus.OK
    body = b""
    with suppress(*(() if is_ok else (TooLarge,))):
        limit = MAX_BYTES if is_ok else MAX_ERROR_BYTES
        body = await read_body(response.aiter_raw(), encoding, limit=limit)
    return HttpResponse(
        response.status_code,
        headers,
        body,
        url=str(response.request.url),
        is_conditional=is_conditional,
        location=headers["location"] if response.has_redirect_location else None,
        next_link=response.links.get("next", {}).get("url"),
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _reason(error: Exception) -> str:
    return one_line(str(error)).rstrip(".") or type(error).__name__
