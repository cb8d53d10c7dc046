"""One HTTP response, and the counts and headers of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from ci_observer.ingest.github.headers import RateLimit

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

    def count(self, status: int, headers: Mapping[str, str], *, now: datetime) -> None:
        """Count one response and keep its headers."""
        self.requests += 1
        self.not_modified += status == HTTPStatus.NOT_MODIFIED
        self.rate_limit = RateLimit.from_headers(headers, now=now) or self.rate_limit
        self.token_expires = headers.get(EXPIRATION_HEADER, self.token_expires)


@dataclass(frozen=True)
class HttpResponse:
    """A response, read to its end.

    `is_conditional`: the request had an ETag. `location` is the target of a redirect,
    `next_link` the link to the next page.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    is_conditional: bool
    location: str | None
    next_link: str | None

    @property
    def is_not_modified(self) -> bool:
        """Whether this is the 304 of a conditional request."""
        return self.is_conditional and self.status == HTTPStatus.NOT_MODIFIED
