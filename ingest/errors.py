"""The errors that CI Observer raises on purpose. Their texts say what to do.

CIObserverError
├── ConfigError            a setting is missing or wrong
├── DatabaseError          the database cannot be used
│   ├── AlreadyPolling     another ingest uses it
│   ├── DamagedDatabase    its file is broken, empty or another program's
│   └── DatabaseGone       its file was deleted or replaced while it was open
├── IncompleteInstallation  a file of the package is missing
├── ExportError            the file cannot be written
├── BackupError            a backup cannot be made or restored
├── LakeError              the lake cannot be read or written
└── GitHubError            an error response from GitHub, or no response
    ├── Unauthorized       401: the token is bad or has expired
    ├── Forbidden          403 that is no rate limit: the token lacks a permission
    │   └── Suspended      403: the installation of a GitHub App is suspended
    ├── NotFound           404: no such thing, or the token may not see it
    ├── RateLimited        403 or 429: retry at `retry_at`
    ├── AccountStopped     no request was sent: the account's limit is spent or scarce
    ├── GitHubUnavailable  5xx, a dropped connection or a timeout
    │   └── GitHubUnreachable  no connection at all
    ├── InvalidResponse    a response that GitHub does not document
    │   ├── Unprocessable  422: a page beyond the end of a list
    │   ├── TooLarge       a response beyond the limit of its size
    │   ├── TooSlow        a response beyond the limit of its duration
    │   └── RepeatedPage   a link to a page that was fetched before
    └── UnexpectedError    a fault of CI Observer
"""

from collections.abc import Iterator
from datetime import datetime

from ci_observer.ingest.texts import one_line


class CIObserverError(Exception):
    """Root of all expected errors. The text is shown to users."""


class ConfigError(CIObserverError):
    """A setting is missing or wrong; the text names the variable."""


class DatabaseError(CIObserverError):
    """The database file cannot be used; the text says why and what to do."""


class AlreadyPolling(DatabaseError):
    """Another process holds the database's lock; the text says what to do."""


class DamagedDatabase(DatabaseError):
    """The file is broken, empty or another program's: only another file helps."""


class DatabaseGone(DatabaseError):
    """The open file is no longer the one at the path: writing to it is useless."""


class IncompleteInstallation(CIObserverError):
    """A file of the package is missing; the text names it."""


class ExportError(CIObserverError):
    """The file of an export cannot be written."""


class BackupError(CIObserverError):
    """A backup cannot be made or restored; the text says why and what to do."""


class LakeError(CIObserverError):
    """The lake cannot be read or written; the text says why and what to do."""


class GitHubError(CIObserverError):
    """A request to GitHub failed. The database stores `kind` and the text.

    `account` names the account of the credential; "" if the error concerns every
    request, None if it is not known.
    """

    kind = "error"
    account: str | None = None


class Unauthorized(GitHubError):
    """401. More requests with the same token could get the address blocked."""

    kind = "unauthorized"


class Forbidden(GitHubError):
    """403 with requests left and no `retry-after`: a permission is missing."""

    kind = "forbidden"


class Suspended(Forbidden):
    """403 to the token of an installation of a GitHub App that is suspended."""


class NotFound(GitHubError):
    """404. Also sent for repositories that the token may not see."""

    kind = "not_found"


class RateLimited(GitHubError):
    """403 or 429 of the primary or a secondary rate limit."""

    kind = "rate_limited"

    def __init__(self, message: str, retry_at: datetime) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class AccountStopped(GitHubError):
    """No request was sent: others of its account have to wait, too.

    `cause` is the error that stopped the account; None if its rate limit is scarce.
    """

    kind = "rate_limited"

    def __init__(self, account: str, cause: GitHubError | None) -> None:
        super().__init__(str(cause or f"The rate limit for {account} is scarce."))
        self.account = account
        self.cause = cause


class GitHubUnavailable(GitHubError):
    """5xx, a dropped connection or a timeout. A retry may succeed."""

    kind = "unavailable"


class GitHubUnreachable(GitHubUnavailable):
    """No connection. It concerns every request, not one feed."""

    kind = "unreachable"


class InvalidResponse(GitHubError):
    """The response is not one that GitHub documents."""

    kind = "invalid_response"


class Unprocessable(InvalidResponse):
    """422, GitHub's status for pages beyond the end of a list."""


class TooLarge(InvalidResponse):
    """The response is larger than the limit. A smaller page may not be."""

    kind = "too_large"


class TooSlow(InvalidResponse):
    """The response was not complete in time. A smaller page may be."""

    kind = "too_slow"


class RepeatedPage(InvalidResponse):
    """The link to the next page leads back, or on and on: the walk would not end."""


class UnexpectedError(GitHubError):
    """An unexpected exception, raised while one response was handled."""

    kind = "unexpected"

    def __init__(self, error: Exception) -> None:
        reason = one_line(f"{type(error).__name__}: {error}")
        super().__init__(
            f"CI Observer failed to handle GitHub's response ({reason}). The log has "
            "the details: please report them. The request is sent again in the next "
            "pass."
        )


def single_errors(error: Exception) -> Iterator[Exception]:
    """The exceptions in a group and in the groups within, or the exception itself."""
    if not isinstance(error, ExceptionGroup):
        yield error
        return
    for part in error.exceptions:
        yield from single_errors(part)
