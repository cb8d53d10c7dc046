"""GitHub Apps: their installations, the JWT of an App, and installation tokens.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import jwt

from ci_observer.demo.server.messages import Response, error, json_response, not_found
from ci_observer.demo.server.model import Json
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.times import iso

TOKEN_LIFETIME = timedelta(hours=1)
MAX_JWT_LIFETIME = timedelta(minutes=10)
# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
JWT_TOLERANCE = timedelta(seconds=5)
LEVELS = ("read", "write", "admin")
JWT_KIND = "jwt"
EXPIRES_TOO_LATE = "'Expiration time' claim ('exp') is too far in the future"
EXPIRED = (
    "'Expiration time' claim ('exp') must be a numeric value representing the future "
    "time at which the assertion expires"
)
ISSUED_LATER = (
    "'Issued at' claim ('iat') must be an Integer representing the time that the "
    "assertion was issued"
)


@dataclass(slots=True)
class Installation:
    """An App in one account. `repos` are the selected ones; None means all of them.

    `limit` is its number of requests an hour.
    """

    account: str
    repos: frozenset[str] | None = None
    permissions: dict[str, str] = field(
        default_factory=lambda: {
            "actions": "read",
            "checks": "read",
            "contents": "read",
            "metadata": "read",
        }
    )
    suspended_at: str | None = None
    limit: int = 5000
    id: int = field(default_factory=count(71_000_001, 1009).__next__)

    @property
    def user(self) -> str:
        """The name of its rate limit."""
        return f"installation {self.id}"

    def sees(self, full_name: str) -> bool:
        """Whether a repository of its account is among the selected ones."""
        is_its_own = full_name.lower().startswith(f"{self.account.lower()}/")
        return is_its_own and (self.repos is None or full_name.lower() in self.repos)

    def as_json(self, app: App) -> Json:
        return {
            "id": self.id,
            "account": {"login": self.account, "type": "Organization"},
            "app_id": app.id,
            "client_id": app.client_id,
            "repository_selection": "all" if self.repos is None else "selected",
            "permissions": self.permissions,
            "events": [],
            "suspended_at": self.suspended_at,
        }


@dataclass(slots=True)
class App:
    """A registered App. `public_keys` are PEM texts; any of them verifies its JWT."""

    public_keys: list[str]
    id: int = 4711
    client_id: str = "Iv23liDEMODEMODEMO42"
    installations: list[Installation] = field(default_factory=list)

    def install(self, account: str, **fields: Any) -> Installation:
        """Install the App; `fields` are those of `Installation`."""
        installation = Installation(account, **fields)
        self.installations.append(installation)
        return installation

    def find(self, account: str) -> Installation | None:
        """The installation in an account."""
        for installation in self.installations:
            if installation.account.lower() == account.lower():
                return installation
        return None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An installation token, its installation and its permissions."""

    secret: str
    app: App
    installation: Installation
    permissions: dict[str, str]
    expires_at: datetime


class Apps:
    """The registered Apps, and every installation token so far."""

    def __init__(self) -> None:
        self.registered: list[App] = []
        self.issued: list[IssuedToken] = []
        self._revoked: set[str] = set()

    def register(self, *public_keys: str, **fields: Any) -> App:
        """Register an App; `fields` are those of `App`."""
        app = App(list(public_keys), **fields)
        self.registered.append(app)
        return app

    def revoke_tokens(self, *, except_of: Installation | None = None) -> None:
        """Make the tokens that were issued invalid, except those of an installation."""
        self._revoked |= {
            issued.secret
            for issued in self.issued
            if issued.installation is not except_of
        }

    def token(self, secret: str, now: datetime) -> Token | None:
        """The rights of an installation token or of a valid JWT."""
        if app := self.app_of(secret, now):
            return Token(f"app {app.id}", private=frozenset(), kind=JWT_KIND)
        for issued in self.issued:
            if issued.secret == secret and self._is_valid(issued, now):
                return _rights(issued)
        return None

    def installation(self, secret: str) -> Installation | None:
        """The installation of a token."""
        return next((t.installation for t in self.issued if t.secret == secret), None)

    def app_of(self, secret: str, now: datetime) -> App | None:
        """The App whose JWT this is; None if GitHub would refuse it."""
        app = self._issuer(secret)
        return app if app and self.jwt_fault(secret, now) is None else None

    def jwt_fault(self, secret: str, now: datetime) -> str | None:
        """The message of the 401 for a JWT; None if it is valid, or is no JWT."""
        if secret.count(".") != 2:  # noqa: PLR2004 (the parts of a JWT)
            return None
        app = self._issuer(secret)
        if app is None:
            return "A JSON web token could not be decoded"
        claims = jwt.decode(secret, options={"verify_signature": False})
        issued, expires = (int(claims[name]) for name in ("iat", "exp"))
        if expires > (now + MAX_JWT_LIFETIME + JWT_TOLERANCE).timestamp():
            return EXPIRES_TOO_LATE
        if expires <= (now - JWT_TOLERANCE).timestamp():
            return EXPIRED
        if issued > (now + JWT_TOLERANCE).timestamp():
            return ISSUED_LATER
        return None

    def create_token(
        self, app: App, installation_id: int, body: bytes, now: datetime
    ) -> Response:
        """`POST /app/installations/{id}/access_tokens`."""
        found = [i for i in app.installations if i.id == installation_id]
        if not found:
            return not_found()
        [installation] = found
        if installation.suspended_at:
            return error(403, "This installation has been suspended")
        granted = installation.permissions
        wanted = json.loads(body or b"{}").get("permissions") or granted
        if any(
            not _includes(granted.get(name), level) for name, level in wanted.items()
        ):
            return error(
                422,
                "The permissions requested are not granted to this installation.",
            )
        issued = IssuedToken(
            f"ghs_demo{len(self.issued):032}",
            app,
            installation,
            {"metadata": "read", **wanted},
            now + TOKEN_LIFETIME,
        )
        self.issued.append(issued)
        return json_response(
            {
                "token": issued.secret,
                "expires_at": iso(issued.expires_at),
                "permissions": issued.permissions,
                "repository_selection": installation.as_json(app)[
                    "repository_selection"
                ],
            },
            201,
        )

    def _issuer(self, secret: str) -> App | None:
        """The App whose signature a JWT has, also with wrong times."""
        options: Any = {f"verify_{name}": False for name in ("exp", "iat", "nbf")}
        for app in self.registered:
            for key in app.public_keys:
                try:
                    claims = jwt.decode(
                        secret, key, algorithms=["RS256"], options=options
                    )
                except jwt.InvalidTokenError:
                    continue
                if claims.get("iss") in (app.client_id, str(app.id)):
                    return app
        return None

    def _is_valid(self, issued: IssuedToken, now: datetime) -> bool:
        """Whether a token has not expired, and its installation still exists."""
        is_over = issued.expires_at <= now or issued.secret in self._revoked
        return not is_over and issued.installation in issued.app.installations


def _rights(issued: IssuedToken) -> Token:
    installation = issued.installation
    return Token(
        installation.user,
        private=installation.repos,
        kind="app",
        account=installation.account,
        refused=frozenset(
            name
            for name in ("actions", "checks", "contents")
            if name not in issued.permissions
        ),
        suspended=installation.suspended_at is not None,
    )


def _includes(granted: str | None, level: str) -> bool:
    return granted in LEVELS and LEVELS.index(granted) >= LEVELS.index(level)
