"""One HTTP response, and the counts and headers of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from ci_observer.ingest.github.headers import RateLimit

EXPIRATION_HEADER = "github-authentication-token-expiration"


@dataclass
class AccountStats:
    """Requests of one account since the last `reset`, and its latest rate limit."""

    requests: int = 0
    not_modified: int = 0
    rate_limit: RateLimit | None = None

    def count(self, status: int, headers: Mapping[str, str], *, now: datetime) -> None:
        """Count one response, and keep its rate limit."""
        self.requests += 1
        self.not_modified += status == HTTPStatus.NOT_MODIFIED
        self.rate_limit = RateLimit.from_headers(headers, now=now) or self.rate_limit


@dataclass
class RequestStats:
    """Requests since the last `reset`, by account, and the token's expiry header.

    `as_app` counts the requests that a GitHub App sends as itself.
    """

    by_account: dict[str, AccountStats] = field(default_factory=dict)
    as_app: int = 0
    token_expires: str | None = None

    @property
    def requests(self) -> int:
        """All requests."""
        return self.as_app + sum(a.requests for a in self.by_account.values())

    @property
    def not_modified(self) -> int:
        """The responses with 304."""
        return sum(a.not_modified for a in self.by_account.values())

    def of(self, account: str) -> AccountStats:
        """The requests of an account."""
        return self.by_account.setdefault(account, AccountStats())

    def lowest_rate_limit(self, now: datetime) -> RateLimit | None:
        """The rate limit with the lowest remaining share, of those not reset since.

        The last one, if all are reset.
        """
        limits = [a.rate_limit for a in self.by_account.values() if a.rate_limit]
        current = [limit for limit in limits if limit.reset_at > now]
        return min(current or limits[-1:], key=lambda li: li.share, default=None)

    def reset(self) -> None:
        """Set the counts to zero; the header values stay."""
        self.as_app = 0
        for account in self.by_account.values():
            account.requests = account.not_modified = 0

    def count(
        self,
        status: int,
        headers: Mapping[str, str],
        *,
        account: str = "",
        now: datetime,
    ) -> None:
        """Count one response of an account, and keep its headers."""
        self.of(account).count(status, headers, now=now)
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
