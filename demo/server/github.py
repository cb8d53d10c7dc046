"""The path of one request: faults, access, limits, ETag, accounting and log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

from ci_observer.demo.server.api import Api
from ci_observer.demo.server.app_endpoints import (
    AppEndpoints,
    is_token_request,
    secret_of,
)
from ci_observer.demo.server.effects import Effects
from ci_observer.demo.server.faults import Faults
from ci_observer.demo.server.messages import (
    API_VERSIONS,
    Request,
    Response,
    common_headers,
    error,
    etag_of,
    matches,
    not_found,
)
from ci_observer.demo.server.rate_limits import ANONYMOUS, Bucket, RateLimits, Token
from ci_observer.demo.server.settings import Settings
from ci_observer.demo.server.viewer import Viewer
from ci_observer.demo.server.world import World
from ci_observer.demo.times import Clock

LOG_LENGTH = 50_000
SCHEMES = ("bearer", "token")
# A percent sign of a name that the client did not encode.
MALFORMED_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
SECRET_HEADERS = ("authorization", "cookie")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A logged request, without its token.

    `has_token` is true if a token was sent, `authorised` if that token is known.
    `charged` is true if the request counts against the hourly limit. `faults` names
    the faults that applied. `status` is 0 for a dropped connection. `headers` has all
    request headers except the secret ones.
    """

    at: datetime
    method: str
    path: str
    query: Mapping[str, str]
    status: int
    has_token: bool
    authorised: bool
    conditional: bool
    charged: bool
    faults: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")


class GitHub:
    """The simulated service without its transport: a request in, a response out."""

    def __init__(
        self, world: World, clock: Clock, settings: Settings | None = None
    ) -> None:
        self.world = world
        self.clock = clock
        self.settings = settings or Settings()
        self.limits = RateLimits()
        self.faults = Faults()
        self.log: list[LogEntry] = []
        self.api = Api(world)
        self.app_endpoints = AppEndpoints(world, lambda: self.settings.apps)
        self.requests = 0

    def handle(self, request: Request) -> tuple[Response, Effects]:
        """The complete response, and the fault effects left to the transport."""
        with self.world.lock:
            self.world.advance_to(self.clock())
            now = self.world.now
            self.requests += 1
            token = self._token(request, now)
            user = token.user if token else ANONYMOUS
            bucket = self.limits.bucket(user, now)
            effects = self._apply_faults(request, now)
            response = self._respond(request, effects, token, bucket)
            response = self._with_etag(request, response)
            free = response.free or (
                response.status == HTTPStatus.NOT_MODIFIED and token is not None
            )
            charged = not (free or effects.drop or self.settings.enterprise)
            bucket.used += charged
            self._add_to_log(
                request, effects, response, authorised=bool(token), charged=charged
            )
            response = self._with_headers(request, response, token, bucket)
            changed = {**response.headers, **effects.headers}
            return replace(response, headers=changed), effects

    def _apply_faults(self, request: Request, now: datetime) -> Effects:
        effects = Effects(request, now, self._numeric_path(request))
        self.faults.apply(effects)
        return effects

    def _numeric_path(self, request: Request) -> str | None:
        match request.path.split("/"):
            case ["", "repos", owner, name, *rest]:
                repo = self.world.repos.get(f"{owner}/{name}".lower())
                if repo is not None:
                    return "/".join(["", "repositories", str(repo.id), *rest])
        return None

    def _token(self, request: Request, now: datetime) -> Token | None:
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        if scheme.lower() not in SCHEMES:
            return None
        secret = secret_of(request)
        return self.settings.tokens.get(secret) or self._app_token(secret, now)

    def _app_token(self, secret: str, now: datetime) -> Token | None:
        if installation := self.settings.apps.installation(secret):
            self.limits.own[installation.user] = installation.limit
        return self.settings.apps.token(secret, now)

    def _respond(
        self, request: Request, effects: Effects, token: Token | None, bucket: Bucket
    ) -> Response:
        is_allowed = request.method in ("GET", "HEAD") or is_token_request(request)
        if not is_allowed:
            return replace(not_found(), free=True)
        refusal = effects.response or self._refusal(request, token, bucket)
        if refusal is not None:
            return refusal
        viewer = Viewer(
            token,
            bucket,
            as_of=effects.now - timedelta(seconds=effects.stale_seconds),
            keep=effects.keep,
            counts_all=effects.counts_all,
            old_enterprise=self.settings.enterprise,
            caps=self.settings.caps,
        )
        linked = replace(request, origin=self.settings.link_origin or request.origin)
        response = self.app_endpoints.respond(linked, token, effects.now)
        response = response or self.api.respond(linked, viewer)
        if response.status in (HTTPStatus.OK, HTTPStatus.CREATED):
            for transform in effects.transforms:
                response = transform(response)
        return response

    def _refusal(
        self, request: Request, token: Token | None, bucket: Bucket
    ) -> Response | None:
        """An error for requests that GitHub refuses for any path.

        https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
        """
        if MALFORMED_ESCAPE.search(request.path):
            return error(400, "Bad Request")
        if not request.headers.get("user-agent"):
            return error(403, "Request forbidden by administrative rules.")
        version = request.headers.get("x-github-api-version", API_VERSIONS[0])
        if version not in API_VERSIONS:
            return error(400, f"API version {version!r} is not supported")
        if token is None and "authorization" in request.headers:
            return self._unauthorized(request)
        is_free = request.segments == ("rate_limit",) or self.settings.enterprise
        if bucket.remaining == 0 and not is_free:
            whom = f"user {token.user}" if token else "127.0.0.1"
            message = f"API rate limit exceeded for {whom}."
            return replace(error(self.settings.spent_status, message), free=True)
        return None

    def _unauthorized(self, request: Request) -> Response:
        fault = self.settings.apps.jwt_fault(secret_of(request), self.world.now)
        return error(401, fault or "Bad credentials")

    def _with_etag(self, request: Request, response: Response) -> Response:
        """A 200 with its ETag, or a 304 if the client already has this content."""
        if response.status != HTTPStatus.OK or request.method == "POST":
            return response
        etag = response.headers.get("etag") or etag_of(request, response)
        if matches(request.headers.get("if-none-match", ""), etag):
            return Response(304, b"", {"etag": etag}, free=response.free)
        headers = {**response.headers, "etag": etag}
        return replace(response, headers=headers, digest=response.body_digest)

    def _with_headers(
        self, request: Request, response: Response, token: Token | None, bucket: Bucket
    ) -> Response:
        date = format_datetime(self.world.now, usegmt=True)
        headers = {"date": date, **common_headers(request, self.requests)}
        if not self.settings.enterprise:
            headers |= bucket.headers()
        if token is not None and token.expires_at:
            headers["github-authentication-token-expiration"] = token.expires_at
        return replace(response, headers={**headers, **response.headers})

    def _add_to_log(
        self,
        request: Request,
        effects: Effects,
        response: Response,
        *,
        authorised: bool,
        charged: bool,
    ) -> None:
        entry = LogEntry(
            at=effects.now,
            method=request.method,
            path=request.path,
            query=request.query,
            status=0 if effects.drop else response.status,
            has_token="authorization" in request.headers,
            authorised=authorised,
            conditional="if-none-match" in request.headers,
            charged=charged,
            faults=tuple(effects.kinds),
            headers={
                k: v for k, v in request.headers.items() if k not in SECRET_HEADERS
            },
        )
        del self.log[: max(0, len(self.log) + 1 - LOG_LENGTH)]
        self.log.append(entry)


def without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k not in SECRET_HEADERS}
