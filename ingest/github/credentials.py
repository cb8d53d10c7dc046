"""Which credential each request carries: that of a token, or of a GitHub App.

An *account* has a rate limit of its own: the one of the token, whose name is empty, or
an account in which the App is installed.
"""

import hashlib
from pathlib import Path
from typing import Protocol

from ci_observer.ingest.config import read_token_file
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.github.error_responses import TOKEN_ADVICE, Advice

# The account of the token; in errors, every account.
EVERY_ACCOUNT = ""


class Credential(Protocol):
    """A credential for some requests, and the account whose limit they count on."""

    @property
    def account(self) -> str: ...

    @property
    def advice(self) -> Advice: ...

    async def get_token(self) -> str | None:
        """The token to send; None for none. May request one, and raise."""

    def discard_token(self, token: str | None) -> bool:
        """Drop a token that GitHub refuses; return whether another may be had."""


class Credentials(Protocol):
    """Finds the credential for the requests of each repository or owner."""

    @property
    def has_token(self) -> bool:
        """Whether requests carry a token."""

    @property
    def is_app(self) -> bool:
        """Whether the tokens are those of a GitHub App."""

    @property
    def digest(self) -> str:
        """Four digits that differ for most other tokens or permissions.

        One token in 65,536 has the same ones, so they are no proof of a guess.
        """

    async def start_pass(self) -> None:
        """Forget the errors of the last pass, and find out what is visible now."""

    async def refresh(self) -> None:
        """Find out what is visible, unless that was done a moment ago."""

    def reload(self, path: Path) -> bool:
        """Read the file of the secret again; return whether the secret has changed.

        An unreadable file leaves it unchanged.
        """

    def take_new_access(self) -> bool:
        """Whether more may be visible than at the last call."""

    def set_owner(self, repo: str, owner: str) -> None:
        """Tell the owner of a repository whose name has another one."""

    def account_of(self, repo: str) -> str:
        """The account of a repository or of `owner/*`, as far as it is known."""

    async def find(self, repo: str) -> Credential:
        """The credential for a repository or for `owner/*`.

        Raises `AccountStopped` if its account has none at the moment.
        """

    async def has_list_of(self, owner: str) -> bool:
        """Whether the credential of an owner has a list of its repositories."""

    async def look_up(self, repo: str) -> bool:
        """Whether a repository that was not found has another credential now."""


class TokenCredentials:
    """One token for every request, or none."""

    is_app = False
    account = EVERY_ACCOUNT
    advice = TOKEN_ADVICE

    def __init__(self, token: str | None) -> None:
        self._token = token

    @property
    def has_token(self) -> bool:
        return self._token is not None

    @property
    def digest(self) -> str:
        return digest_of(self._token or "")

    async def start_pass(self) -> None:
        return

    async def refresh(self) -> None:
        return

    def reload(self, path: Path) -> bool:
        try:
            token = read_token_file(path)
        except ConfigError:
            return False
        is_new = token != self._token
        self._token = token
        return is_new

    def take_new_access(self) -> bool:
        return False

    def set_owner(self, repo: str, owner: str) -> None:
        return

    def account_of(self, repo: str) -> str:
        return EVERY_ACCOUNT

    async def find(self, repo: str) -> Credential:
        return self

    async def has_list_of(self, owner: str) -> bool:
        return False

    async def look_up(self, repo: str) -> bool:
        return False

    async def get_token(self) -> str | None:
        return self._token

    def discard_token(self, token: str | None) -> bool:
        return False


def digest_of(text: str) -> str:
    """Four hexadecimal digits of the hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:4]
