"""A GitHub App's installations and their permissions.

Pure functions: GitHub's objects in, data or an error out.
https://docs.github.com/en/rest/apps/apps
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.github.names import OWNER_NAME
from ci_observer.ingest.times import parse_instant

# The purpose of each permission, in the words of `check`. All are for reading only.
PERMISSIONS = {
    "actions": "the runs of private repositories",
    "metadata": "the repositories themselves",
    "checks": "why a run was cancelled",
    "contents": "which runs of private repositories belong to a tag",
}
LEVELS = ("read", "write", "admin")


@dataclass(frozen=True)
class Installation:
    """A GitHub App in one account. `permissions` is None if GitHub does not tell.

    `is_selection`: it sees only some repositories of the account.
    """

    installation_id: int
    account: str
    permissions: Mapping[str, str] | None = None
    is_suspended: bool = False
    is_selection: bool = False

    @property
    def wanted(self) -> dict[str, str]:
        """The permissions to request: more than those granted are a 422."""
        granted = {name: "read" for name in PERMISSIONS if self._has(name)}
        # Every App has this one, and an empty object would ask for all.
        return granted or {"metadata": "read"}

    @property
    def missing(self) -> list[str]:
        """The permissions that CI Observer would use and that are not granted."""
        return [name for name in PERMISSIONS if not self._has(name)]

    def _has(self, name: str) -> bool:
        return self.permissions is None or self.permissions.get(name) in LEVELS


@dataclass(frozen=True)
class AppToken:
    """An installation token."""

    secret: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"AppToken(expires_at={self.expires_at!r})"


def parse_installation(data: Any) -> Installation:
    """The installation in an installation object.

    Raises `InvalidResponse` for an id or an account that cannot be one.
    https://docs.github.com/en/rest/apps/apps#get-an-installation-for-the-authenticated-app
    """
    match data:
        case {"id": int(number), "account": {"login": str(login)}} if (
            0 < number < 2** 63 and re.fullmatch(OWNER_NAME, login)
        ):
            permissions = data.get("permissions")
            return Installation(
                number,
                login,
                permissions if isinstance(permissions, dict) else None,
                is_suspended=data.get("suspended_at") is not None,
                is_selection=data.get("repository_selection") == "selected",
            )
    raise InvalidResponse("GitHub's response is not an installation of an App.")


def parse_installations(data: Any) -> list[Installation]:
    """The installations in a list. One in an enterprise has no login, and is left out.

    https://docs.github.com/en/rest/apps/apps#list-installations-for-the-authenticated-app
    """
    if not isinstance(data, list):
        raise InvalidResponse("GitHub's response is not a list of installations.")
    found = []
    for item in data:
        try:
            found.append(parse_installation(item))
        except InvalidResponse:
            continue
    return found


def parse_app_token(data: Any) -> AppToken:
    """The token in the response to a request for one. No error quotes it.

    https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
    """
    match data:
        case {"token": str(secret), "expires_at": str(text)} if re.fullmatch(
            r"[\x21-\x7e]{1,1000}", secret
        ):
            if expires_at := parse_instant(text):
                return AppToken(secret, expires_at)
    raise InvalidResponse("GitHub's response to the request for a token has none.")
