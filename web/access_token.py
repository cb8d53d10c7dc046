"""The access token: how a request proves it, and the cookie that stands for it.

Datasette's plugins do not fit: datasette-auth-tokens has no login for people, and
datasette-auth-passwords sets a cookie for the browser session, signed with a secret
that the operator has to keep.
"""

import hashlib
import hmac
import re
import time
from base64 import b64decode
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakKeyDictionary

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import cookie_parser

from ci_observer.web.guess_limit import GuessLimit, address_of
from ci_observer.web.settings import settings_of

ACTOR = {"id": "access_token"}
DAY = 86_400
COOKIE_SECONDS = 365 * DAY
RENEW_AFTER_SECONDS = 7 * DAY
MAX_REMEMBERED = 1000
# Ours have 40 characters; a longer one must not be kept among those remembered.
MAX_COOKIE = 200

_PORT = re.compile(r":(\d{1,5})$")
_NO_NAME = re.compile(r"[^A-Za-z0-9.~-]")


class AccessToken:
    """The token of the settings, kept as what is needed to check it.

    The key of the cookie comes from the token. So logins survive a restart without a
    file, and end when the token changes.
    """

    def __init__(self, token: str) -> None:
        self._digest = _digest(token)
        self._made_at = lru_cache(MAX_REMEMBERED)(self._signed_at)
        key = hmac.digest(token.encode(), b"ci-observer login cookie", hashlib.sha256)
        self._serializer = URLSafeTimedSerializer(
            key,
            salt="ci-observer.login",
            signer_kwargs={
                "key_derivation": "hmac",
                "digest_method": hashlib.sha256,
            },
        )

    def matches(self, text: str) -> bool:
        """Whether a text is the token, compared in constant time."""
        return hmac.compare_digest(_digest(text), self._digest)

    def make_cookie(self) -> str:
        """The value of a cookie that proves a login."""
        return str(self._serializer.dumps(1))

    def cookie_age(self, value: str) -> float | None:
        """The seconds since a cookie was made; None if it proves nothing.

        A clock that was set back gives a negative age, which is no reason to end a
        login.
        """
        made_at = self._made_at(value) if len(value) <= MAX_COOKIE else None
        if made_at is None:
            return None
        age = time.time() - made_at
        return age if age < COOKIE_SECONDS else None

    def _signed_at(self, value: str) -> float | None:
        """When a cookie was made; None if it is forged.

        `_made_at` is the same, and remembers its results.
        """
        try:
            _, made_at = self._serializer.loads(value, return_timestamp=True)
        except BadData:
            return None
        return float(made_at.timestamp())


@dataclass
class Login:
    """The state by which one server knows who has proved the token."""

    token: AccessToken
    base_url: str
    limit: GuessLimit = field(default_factory=GuessLimit)

    def is_proved(self, request: Request) -> bool:
        """Whether the request has the cookie, or the token itself."""
        return self.cookie_age(request) is not None or self.has_token(request)

    def has_token(self, request: Request) -> bool:
        """Whether the request has the token, and not after too many wrong ones."""
        given = credentials(request)
        address = address_of(request.scope.get("client"))
        return (
            given is not None
            and self.limit.may_try(address)
            and self.token.matches(given)
        )

    def cookie_age(self, request: Request) -> float | None:
        """The age of the login in seconds; None without one."""
        # Datasette's own parser stops at the first cookie of another program that is
        # not quite valid.
        cookies = cookie_parser(request.headers.get("cookie", ""))
        value = cookies.get(self.cookie_name(request))
        return None if value is None else self.token.cookie_age(value)

    def set_cookie(self, request: Request, response: Response) -> None:
        """Log the browser in."""
        self._set(request, response, self.token.make_cookie(), COOKIE_SECONDS)

    def delete_cookie(self, request: Request, response: Response) -> None:
        """Log the browser out."""
        self._set(request, response, "", 0)

    def _set(
        self, request: Request, response: Response, value: str, seconds: int
    ) -> None:
        response.set_cookie(
            self.cookie_name(request),
            value,
            max_age=seconds,
            path=self.base_url,
            secure=request.scheme == "https",
            httponly=True,
            samesite="lax",
        )

    def cookie_name(self, request: Request) -> str:
        """A name for this server alone.

        Browsers send the cookies of a host to all its ports.
        """
        port = _PORT.search(request.host)
        parts = ("ci_observer", port and port[1], self.base_url.strip("/"))
        return _NO_NAME.sub("_", "_".join(filter(None, parts)))


def credentials(request: Request) -> str | None:
    """The token in `Authorization`: a Bearer token, or the password of Basic."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return str(text.strip())
        case "basic":
            try:
                pair: str = b64decode(text.strip(), validate=True).decode()
            except ValueError:
                return ""
            return pair.partition(":")[2]
    return None


_LOGINS: WeakKeyDictionary[Datasette, Login | None] = WeakKeyDictionary()


def login_of(datasette: Datasette) -> Login | None:
    """The login of a server with an access token; None while everybody may read."""
    if datasette not in _LOGINS:
        settings = settings_of(datasette)
        token = settings.access_token
        base_url = datasette.setting("base_url")
        _LOGINS[datasette] = Login(AccessToken(token), base_url) if token else None
    return _LOGINS[datasette]


def can_log_out(datasette: Datasette, request: Request) -> bool:
    """Whether the visitor is logged in by a cookie, which the visitor can delete."""
    login = login_of(datasette)
    return login is not None and login.cookie_age(request) is not None


def _digest(text: str) -> bytes:
    # Of the same length for all texts, so that the comparison tells nothing of it.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
