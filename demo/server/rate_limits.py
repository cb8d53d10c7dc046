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
    `classic`, `fine-grained` or `app`; `checks` is the permission "Checks: read" of an
    App, which fine-grained personal tokens cannot have.
    """

    user: str = "octo-observer"
    private: frozenset[str] | None = None
    expires_at: str | None = None
    kind: str = "classic"
    checks: bool = True

    @property
    def checks_refusal(self) -> str | None:
        """The message of the 403 for annotations of a private repository, if any."""
        if self.kind == "fine-grained":
            return "Resource not accessible by personal access token"
        if self.kind == "app" and not self.checks:
            return "Resource not accessible by integration"
        return None

    def can_see(self, full_name: str) -> bool:
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

    def bucket(self, user: str, now: datetime) -> Bucket:
        """The user's current hour; a new one if the last has ended by `now`."""
        bucket = self.buckets.get(user)
        if bucket is None or now >= bucket.reset:
            limit = self.anonymous if user == ANONYMOUS else self.per_user
            bucket = self.buckets[user] = Bucket(limit, now + WINDOW)
        return bucket

    def spend(self, user: str, now: datetime, used: int | None = None) -> None:
        """Set the used requests; None uses up the limit. For tests."""
        bucket = self.bucket(user, now)
        bucket.used = bucket.limit if used is None else used
