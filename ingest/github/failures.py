"""Limits the requests of one kind that fail in a pass, such as those for a token.

Many items of a pass wait for the same response. Without a limit, each of them would
wait for failures of its own.
"""

from typing import NoReturn

from ci_observer.ingest.errors import AccountStopped, GitHubError, InvalidResponse

MAX_FAILURES = 3


class Failures:
    """The failed requests of one kind since the last success.

    After three of them in a row, there are no more such requests in the pass, and one
    in each later pass until it succeeds.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last: GitHubError | None = None
        self._stopped: AccountStopped | None = None

    def start_pass(self) -> None:
        """Allow the next request."""
        self._stopped = None

    def refuse(self) -> None:
        """Raise the error of an earlier request of this pass, if that was the last."""
        if self._stopped:
            raise self._stopped

    def record(self, error: GitHubError, account: str) -> None:
        """Count a failed request; raise `AccountStopped` if it is the last one.

        So is a response that took too long, or that is invalid.
        """
        self.count += 1
        self.last = error
        if isinstance(error, InvalidResponse) or self.count >= MAX_FAILURES:
            self.stop(error, account)

    def stop(self, error: GitHubError, account: str) -> NoReturn:
        """Allow no further request in this pass."""
        self._stopped = AccountStopped(account, error)
        raise self._stopped from error

    def clear(self) -> None:
        """Start again after a success."""
        self.count = 0
