"""HTTP to GitHub: authorised GET requests within the origin of one API.

The only module that imports httpx. It knows no endpoint, and does not sleep or retry.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from ci_observer.ingest.config import read_token_file
from ci_observer.ingest.errors import (
    ConfigError,
    GitHubUnavailable,
    GitHubUnreachable,
    InvalidResponse,
)
from ci_observer.ingest.github.names import REPO_NAME
from ci_observer.ingest.github.wire import RateLimit, parse_response
from ci_observer.ingest.times import Clock

# GitHub itself gives up after 10 seconds:
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
TIMEOUT = httpx.Timeout(20, connect=10)
API_VERSION = "2022-11-28"
MAX_REDIRECTS = 3
EXPIRATION_HEADER = "github-authentication-token-expiration"


@dataclass
class RequestStats:
    """Requests since the last `reset`, and the latest values of GitHub's headers."""

    requests: int = 0
    not_modified: int = 0
    rate_limit: RateLimit | None = None
    token_expires: str | None = None

    def reset(self) -> None:
        """Set the counts to zero; the header values stay."""
        self.requests = self.not_modified = 0

    def count(self, status: int, headers: Mapping[str, str]) -> None:
        """Count one response and keep its headers."""
        self.requests += 1
        self.not_modified += status == HTTPStatus.NOT_MODIFIED
        self.rate_limit = RateLimit.from_headers(headers) or self.rate_limit
        self.token_expires = headers.get(EXPIRATION_HEADER, self.token_expires)


class Connection:
    """GET requests to one API, with a token and ETags.

    `renamed_ids` maps the former name of a renamed repository, in lower case, to its
    id. `slot` gives the context in which each request is sent; it may wait, or raise.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        api_url: str,
        token: str | None,
        clock: Clock,
        slot: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        self.api_url = api_url
        self.stats = RequestStats()
        self.renamed_ids: dict[str, int] = {}
        self._http = http
        self._token = token
        self._clock = clock
        self._slot = slot

    @property
    def has_token(self) -> bool:
        """Whether requests carry a token."""
        return self._token is not None

    @property
    def token_digest(self) -> str:
        """Differs for another token, and is too short to check a guess of the token."""
        return hashlib.sha256((self._token or "").encode()).hexdigest()[:8]

    def reload_token(self, path: Path) -> bool:
        """Read the token file again; return whether the token has changed.

        An unreadable file leaves the token unchanged.
        """
        try:
            token = read_token_file(path)
        except ConfigError:
            return False
        is_new = token != self._token
        self._token = token
        return is_new

    async def get(self, url: str, *, etag: str | None = None) -> httpx.Response:
        """GET a URL of this API, following the redirects of renamed repositories.

        The status is 200, 304 or one that `parse` refuses. Raises a `GitHubError` for
        statuses from 400, for redirects to another origin, and without a response.
        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
        """
        for _ in range(MAX_REDIRECTS + 1):
            url = self._within_origin(url)
            response = await self._send(url, etag)
            if not response.has_redirect_location:
                return response
            self._record_rename(response)
            url = response.headers["location"]
        raise InvalidResponse("GitHub's redirects form a loop.")

    def parse(self, response: httpx.Response) -> Any:
        """The JSON of a 200 response; raises the fitting `GitHubError` for others."""
        return parse_response(
            response.status_code,
            response.headers,
            response.content,
            now=self._clock(),
        )

    def _record_rename(self, response: httpx.Response) -> None:
        """Keep the repository id that a permanent redirect points to."""
        if response.status_code != HTTPStatus.MOVED_PERMANENTLY:
            return
        base = re.escape(httpx.URL(self.api_url).path.rstrip("/"))
        old = re.match(rf"{base}/repos/({REPO_NAME})(?=/|$)", response.request.url.path)
        new = re.search(
            r"/repositories/(\d{1,18})(?=[/?]|$)", response.headers["location"]
        )
        if old and new:
            self.renamed_ids[old[1].lower()] = int(new[1])

    async def _send(self, url: str, etag: str | None) -> httpx.Response:
        async with self._slot():
            response = await self._http_get(url, etag)
            self.stats.count(response.status_code, response.headers)
            if response.is_error:
                # Raise inside the context, so that it can stop the next request.
                self.parse(response)
        return response

    async def _http_get(self, url: str, etag: str | None) -> httpx.Response:
        try:
            return await self._http.get(url, headers=self._headers(etag))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise GitHubUnreachable(
                f"GitHub cannot be reached: {_reason(error)}."
            ) from error
        except httpx.HTTPError as error:
            raise GitHubUnavailable(
                f"No response from GitHub: {_reason(error)}."
            ) from error

    def _headers(self, etag: str | None) -> dict[str, str]:
        headers = {}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        if etag:
            headers["if-none-match"] = etag
        return headers

    def _within_origin(self, url: str) -> str:
        """The absolute URL of a link or redirect; raises if it leaves the API's origin.

        A request to another origin would send the token there.
        """
        ours = httpx.URL(self.api_url)
        try:
            target = ours.join(url)
        except (httpx.InvalidURL, ValueError):
            raise InvalidResponse("GitHub points to an invalid address.") from None
        if (ours.scheme, ours.netloc) != (target.scheme, target.netloc):
            raise InvalidResponse(
                f"GitHub points to another address ({target.scheme}://{target.host}), "
                "so no request is sent there. If your API is at that address, set "
                "GITHUB_API_URL to it."
            )
        return str(target)


def open_http(version: str) -> httpx.AsyncClient:
    """An HTTP client with timeouts and the headers that GitHub recommends.

    https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#headers
    """
    return httpx.AsyncClient(
        timeout=TIMEOUT,
        headers={
            "accept": "application/vnd.github+json",
            "user-agent": f"ci-observer/{version}",
            "x-github-api-version": API_VERSION,
        },
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
