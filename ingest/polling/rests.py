"""The accounts that rest: they send no requests until a time of the timer."""

from collections.abc import Mapping
from datetime import timedelta

from ci_observer.ingest.errors import GitHubError, Unauthorized
from ci_observer.ingest.times import Timer

# A wait may end a moment too early.
WAKES_EARLY_SECONDS = 0.1


class Rests:
    """When each account may send requests again, and the error that stopped it.

    The error is None if the account's rate limit is scarce.
    """

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._rests: dict[str, tuple[float, GitHubError | None]] = {}

    def __len__(self) -> int:
        return len(self._rests)

    @property
    def errors(self) -> dict[str, GitHubError | None]:
        """The error of each account that rests."""
        return {account: error for account, (_, error) in self._rests.items()}

    @property
    def remaining(self) -> dict[str, timedelta]:
        """The rest of each wait."""
        now = self._timer()
        return {
            account: timedelta(seconds=until - now)
            for account, (until, _) in self._rests.items()
        }

    def replace(
        self, waits: Mapping[str, timedelta], errors: Mapping[str, GitHubError | None]
    ) -> None:
        """Let these accounts rest, and no others."""
        now = self._timer()
        self._rests = {
            account: (now + wait.total_seconds(), errors.get(account))
            for account, wait in waits.items()
        }

    def end_past(self) -> None:
        """End the waits that are over."""
        now = self._timer() + WAKES_EARLY_SECONDS
        self._rests = {a: rest for a, rest in self._rests.items() if rest[0] > now}

    def end_refused(self) -> None:
        """End the waits after a refused token, when there is a new secret.

        A rate limit stays that of the account.
        """
        self._rests = {
            account: rest
            for account, rest in self._rests.items()
            if not isinstance(rest[1], Unauthorized)
        }
