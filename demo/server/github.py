"""One request through GitHub: access, limits, faults, ETag, accounting, log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from ci_observer.demo.server.api import Api
from ci_observer.demo.server.faults import Faults, Plan
from ci_observer.demo.server.limits import ANONYMOUS, Bucket, RateLimits, Token
from ci_observer.demo.server.queries import Caps
from ci_observer.demo.server.reader import Reader
from ci_observer.demo.server.responses import (
    API_VERSIONS,
    Answer,
    Call,
    common_headers,
    error,
    etag_of,
    matches,
    not_found,
)
from ci_observer.demo.server.world import World
from ci_observer.demo.times import Clock

LOG_LENGTH = 50_000
SCHEMES = ("bearer", "token")
SECRET = ("authorization", "cookie")
DEMO_TOKEN = "demo-token"  # noqa: S105 (opens the simulator only)


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as the log keeps it; never the token itself.

    `has_token` says whether one was sent, `authorised` whether it was a known one;
    `charged` whether it cost one of the hour's requests, `faults` which faults struck
    it. `status` is 0 for a dropped connection; `headers` are all but the secret ones.
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


@dataclass(slots=True)
class Settings:
    """How this GitHub behaves; may be changed while it serves.

    `enterprise`: no rate limit at all and run objects of 2020. `spent_status` is what
    a spent primary limit answers (403 or 429). `link_origin` makes Link hrefs point to
    another origin than the one asked, as behind a base-URL override. `caps` says where
    the lists of runs end.
    """

    tokens: dict[str, Token] = field(default_factory=lambda: {DEMO_TOKEN: Token()})
    base_path: str = ""
    enterprise: bool = False
    spent_status: int = 403
    link_origin: str | None = None
    latency: float = 0.0
    gzip: bool = False
    caps: Caps = field(default_factory=Caps)


class GitHub:
    """The simulated service without its transport: a call in, a plan and answer out."""

    def __init__(
        self, world: World, clock: Clock, settings: Settings | None = None
    ) -> None:
        self.world = world
        self.clock = clock
        self.settings = settings or Settings()
        self.limits = RateLimits()
        self.faults = Faults()
        self.log: list[Entry] = []
        self.api = Api(world)
        self.requests = 0

    def handle(self, call: Call) -> tuple[Answer, Plan]:
        """The complete answer; the plan tells the transport what else to do."""
        with self.world.lock:
            self.world.advance_to(self.clock())
            now = self.world.now
            self.requests += 1
            token = self._token(call)
            user = token.user if token else ANONYMOUS
            bucket = self.limits.bucket(user, now)
            plan = self._plan(call, now)
            answer = self._answer(call, plan, token, bucket)
            answer = self._conditional(call, answer)
            free = answer.free or (
                answer.status == HTTPStatus.NOT_MODIFIED and token is not None
            )
            charged = not (free or plan.drop or self.settings.enterprise)
            bucket.used += charged
            self._record(call, plan, answer, authorised=bool(token), charged=charged)
            return self._finished(call, answer, token, bucket), plan

    def _plan(self, call: Call, now: datetime) -> Plan:
        plan = Plan(call, now, self._numeric_path(call))
        self.faults.strike(plan)
        return plan

    def _numeric_path(self, call: Call) -> str | None:
        match call.path.split("/"):
            case ["", "repos", owner, name, *rest]:
                repo = self.world.repos.get(f"{owner}/{name}".lower())
                if repo is not None:
                    return "/".join(["", "repositories", str(repo.id), *rest])
        return None

    def _token(self, call: Call) -> Token | None:
        scheme, _, secret = call.headers.get("authorization", "").partition(" ")
        known = scheme.lower() in SCHEMES
        return self.settings.tokens.get(secret.strip()) if known else None

    def _answer(
        self, call: Call, plan: Plan, token: Token | None, bucket: Bucket
    ) -> Answer:
        if call.method not in ("GET", "HEAD"):
            return replace(not_found(), free=True)
        refused = plan.answer or self._refusal(call, token, bucket)
        if refused is not None:
            return refused
        as_of = plan.now - timedelta(seconds=plan.stale_seconds)
        old = self.settings.enterprise
        reader = Reader(
            token,
            bucket,
            as_of,
            keep=plan.keep,
            counts_all=plan.counts_all,
            old_enterprise=old,
            caps=self.settings.caps,
        )
        linked = replace(call, origin=self.settings.link_origin or call.origin)
        answer = self.api.answer(linked, reader)
        if answer.status == HTTPStatus.OK:
            for reshape in plan.reshape:
                answer = reshape(answer)
        return answer

    def _refusal(
        self, call: Call, token: Token | None, bucket: Bucket
    ) -> Answer | None:
        """Why GitHub would not even look.

        https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
        """
        if not call.headers.get("user-agent"):
            return error(403, "Request forbidden by administrative rules.")
        version = call.headers.get("x-github-api-version", API_VERSIONS[0])
        if version not in API_VERSIONS:
            return error(400, f"API version {version!r} is not supported")
        if token is None and "authorization" in call.headers:
            return error(401, "Bad credentials")
        is_free = call.segments == ("rate_limit",) or self.settings.enterprise
        if bucket.remaining == 0 and not is_free:
            whom = f"user {token.user}" if token else "127.0.0.1"
            spent = error(
                self.settings.spent_status, f"API rate limit exceeded for {whom}."
            )
            return replace(spent, free=True)
        return None

    def _conditional(self, call: Call, answer: Answer) -> Answer:
        """Give a 200 its ETag, or make it a 304 when the client has it already."""
        if answer.status != HTTPStatus.OK or "etag" in answer.headers:
            return answer
        etag = etag_of(call, answer)
        if matches(call.headers.get("if-none-match", ""), etag):
            return Answer(304, b"", {"etag": etag}, free=answer.free)
        return replace(
            answer, headers={**answer.headers, "etag": etag}, digest=answer.body_digest
        )

    def _finished(
        self, call: Call, answer: Answer, token: Token | None, bucket: Bucket
    ) -> Answer:
        headers = common_headers(call, self.requests)
        if not self.settings.enterprise:
            headers |= bucket.headers()
        if token is not None and token.expires_at:
            headers["github-authentication-token-expiration"] = token.expires_at
        return replace(answer, headers={**headers, **answer.headers})

    def _record(
        self, call: Call, plan: Plan, answer: Answer, *, authorised: bool, charged: bool
    ) -> None:
        entry = Entry(
            at=plan.now,
            method=call.method,
            path=call.path,
            query=call.query,
            status=0 if plan.drop else answer.status,
            has_token="authorization" in call.headers,
            authorised=authorised,
            conditional="if-none-match" in call.headers,
            charged=charged,
            faults=tuple(plan.kinds),
            headers={k: v for k, v in call.headers.items() if k not in SECRET},
        )
        del self.log[: max(0, len(self.log) + 1 - LOG_LENGTH)]
        self.log.append(entry)
