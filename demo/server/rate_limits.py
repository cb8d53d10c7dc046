"""The primary rate limit: the requests of each user in the current hour.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

WINDOW = timedelta(hours=1)
ANONYMOUS = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A known token; tokens of one user share one limit.

    `private` names the private repositories it can see (None: all of them);
    `expires_at` is sent as `github-authentication-token-expiration`. `kind` is
    `classic`, `fine-grained`, `app` or `jwt`; `checks` is the permission "Checks: read"
    of an App, which fine-grained personal tokens cannot have. An installation of an App
    sees private repositories of its `account` only; `refused` are the permissions that
    its token lacks.
    """

    user: str = "octo-observer"
    private: frozenset[str] | None = None
    expires_at: str | None = None
    kind: str = "classic"
    checks: bool = True
    account: str | None = None
    refused: frozenset[str] = frozenset()
    suspended: bool = False

    def refusal(self, permission: str) -> str | None:
        """The message of the 403 in a private repository without a permission."""
        if permission == "checks" and self.kind == "fine-grained":
            return "Resource not accessible by personal access token"
        has_none = permission in self.refused or (
            permission == "checks" and not self.checks
        )
        if self.kind == "app" and has_none:
            return "Resource not accessible by integration"
        return None

    def can_see(self, full_name: str) -> bool:
        owner = full_name.partition("/")[0].lower()
        if self.account is not None and owner != self.account.lower():
            return False
        return self.private is None or full_name.lower() in self.private


@dataclass(slots=True)
class Bucket:
    """One user's hour, from the first request until `reset`."""

    limit: int
    reset: datetime
    used: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    def headers(self) -> dict[str, str]:
        """The five headers; `reset` is in epoch seconds."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(int(self.reset.timestamp())),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-resource": "core",
        }

    def as_json(self) -> dict[str, int]:
        """The `rate-limit` object of `GET /rate_limit`."""
        return {
            "limit": self.limit,
            "used": self.used,
            "remaining": self.remaining,
            "reset": int(self.reset.timestamp()),
        }


@dataclass(slots=True)
class RateLimits:
    """Requests an hour: 5,000 for each user, 60 for all clients without a token."""

    per_user: int = 5000
    anonymous: int = 60
    buckets: dict[str, Bucket] = field(default_factory=dict)
    # The limits of installations that have another one than users.
    own: dict[str, int] = field(default_factory=dict)

    def bucket(self, user: str, now: datetime) -> Bucket:
        """The user's current hour; a new one if the last has ended by `now`."""
        bucket = self.buckets.get(user)
        if bucket is None or now >= bucket.reset:
            usual = self.anonymous if user == ANONYMOUS else self.per_user
            limit = self.own.get(user, usual)
            bucket = self.buckets[user] = Bucket(limit, now + WINDOW)
        return bucket

    def spend(self, user: str, now: datetime, used: int | None = None) -> None:
        """Set the used requests; None uses up the limit. For tests."""
        bucket = self.bucket(user, now)
        bucket.used = bucket.limit if used is None else used
