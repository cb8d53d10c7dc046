"""Every error that CI Observer raises on purpose, each saying what to do about it.

CIObserverError
├── ConfigError            a setting is missing or wrong
├── DatabaseError          the database cannot be used
│   └── AlreadyPolling     another ingest works on it
├── ExportError            the file cannot be written
└── GitHubError            GitHub's answer, or the lack of one
    ├── Unauthorized       401: the token is bad or has expired
    ├── Forbidden          403 that no waiting mends: the token lacks a permission
    ├── NotFound           404: no such thing, or the token may not see it
    ├── RateLimited        403 or 429: ask again at `retry_at`
    ├── GitHubUnavailable  5xx, a dropped connection, no answer in time
    │   └── GitHubUnreachable  no connection at all
    └── InvalidResponse    an answer that is not what GitHub documents
        └── Unprocessable  422: what was asked for is beyond what GitHub lists
"""

from datetime import datetime


class CIObserverError(Exception):
    """Root of all expected errors; the text is meant for people."""


class ConfigError(CIObserverError):
    """A setting is missing or wrong; the text names the variable."""


class DatabaseError(CIObserverError):
    """The database file cannot be used; the text says why and what to do."""


class AlreadyPolling(DatabaseError):
    """Another process holds the database's lock; the text says what to do."""


class ExportError(CIObserverError):
    """The file of an export cannot be written."""


class GitHubError(CIObserverError):
    """GitHub did not give what was asked for.

    `kind` is the word that the database keeps beside the text.
    """

    kind = "error"


class Unauthorized(GitHubError):
    """401. Asking again with the same token only gets the address blocked."""

    kind = "unauthorized"


class Forbidden(GitHubError):
    """403 with requests left and no `retry-after`: a permission is missing."""

    kind = "forbidden"


class NotFound(GitHubError):
    """404. GitHub also answers so when the token may not see the repository."""

    kind = "not_found"


class RateLimited(GitHubError):
    """403 or 429 of the primary or a secondary rate limit."""

    kind = "rate_limited"

    def __init__(self, message: str, retry_at: datetime) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class GitHubUnavailable(GitHubError):
    """5xx, a dropped connection or no answer in time; may pass by itself."""

    kind = "unavailable"


class GitHubUnreachable(GitHubUnavailable):
    """No connection: not one feed's trouble but the network's."""

    kind = "unreachable"


class InvalidResponse(GitHubError):
    """The body is not the JSON that GitHub documents."""

    kind = "invalid_response"


class Unprocessable(InvalidResponse):
    """422, as pages beyond the end of a list answer."""
