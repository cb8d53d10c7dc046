"""What one request gets: the parts of a request, an answer, and GitHub's headers.

Pure functions of their arguments; nothing here knows the world or the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

DOCS = "https://docs.github.com/rest"
JSON_TYPE = "application/json; charset=utf-8"
API_VERSIONS = ("2022-11-28", "2026-03-10")


ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `path` is raw (still percent-encoded) and without the base path."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    origin: str
    base_path: str = ""

    @property
    def segments(self) -> tuple[str, ...]:
        """Decoded one by one, so `%2F` inside a workflow id stays inside it."""
        return tuple(unquote(part) for part in self.path.split("/")[1:])

    @property
    def query(self) -> dict[str, str]:
        """The last of repeated parameters wins, empty ones are kept."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def target(self) -> str:
        """Path and query, what a fault's `path` pattern is searched in."""
        return f"{self.path}?{self.query_string}" if self.query_string else self.path

    def url(self, path: str, origin: str | None = None) -> str:
        """An absolute URL of the same API."""
        return f"{origin or self.origin}{self.base_path}{path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers, before the ones every answer carries.

    `digest` is the SHA-256 of the body when it is known already. `free` marks an
    answer which the primary rate limit does not count.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    digest: bytes = b""
    free: bool = False

    @property
    def body_digest(self) -> bytes:
        return self.digest or sha256(self.body).digest()


def encoded(value: Any) -> bytes:
    """Compact UTF-8, as GitHub sends it; half a surrogate pair stays an escape."""
    text = ENCODER.encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def encoded_with_parts(
    body: Mapping[str, Any],
    names: Collection[str],
    encode: Callable[[Any], bytes],
) -> bytes:
    """The object with some of its values encoded by the caller, at its end."""
    rest = {name: value for name, value in body.items() if name not in names}
    parts = [
        b'"%b":%b' % (name.encode(), encode(body[name]))
        for name in names
        if name in body
    ]
    whole = [encoded(rest)[1:-1], *parts] if rest else parts
    return b"{%b}" % b",".join(whole)


def json_answer(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    typed = {"content-type": JSON_TYPE, **(headers or {})}
    return Answer(status, encoded(value), typed)


def error(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """A `basic-error`; `status` is a text in GitHub's bodies."""
    body = {"message": message, "documentation_url": DOCS, "status": str(status)}
    return json_answer(body, status, headers)


def not_found() -> Answer:
    return error(404, "Not Found")


def redirect(location: str, status: int = 301) -> Answer:
    body = {
        "message": "Moved Permanently" if status in (301, 308) else "Found",
        "url": location,
        "documentation_url": "https://docs.github.com/rest/guides/"
        "best-practices-for-using-the-rest-api#follow-redirects",
    }
    return json_answer(body, status, headers={"location": location})


def etag_of(call: Call, answer: Answer) -> str:
    """A weak tag over the request headers that vary the answer, and the body.

    Found out by github.com/bored-engineer/github-conditional-http-transport: another
    token or another Accept gives another tag for the same data.
    """
    varied = (call.headers.get(name, "") for name in ("accept", "authorization"))
    tag = sha256(":".join(varied).encode() + b":" + answer.body_digest).hexdigest()
    return f'W/"{tag}"'


def matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison of RFC 9110, 13.1.2."""
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in given or etag.removeprefix("W/") in given


def link_header(call: Call, path: str, page: int, last: int) -> str:
    """`next`, `last`, `prev` and `first`; empty when everything fits on one page.

    Hrefs are numeric and keep the query:
    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    targets = {}
    if page > 1:
        targets["prev"] = min(page - 1, last)
    if page < last:
        targets |= {"next": page + 1, "last": last}
    if page > 1:
        targets["first"] = 1
    return ", ".join(
        f'<{page_url(call, path, number)}>; rel="{rel}"'
        for rel, number in targets.items()
    )


def page_url(call: Call, path: str, page: int) -> str:
    pairs = parse_qsl(call.query_string, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if name != "page"]
    return f"{call.url(quote(path))}?{urlencode([*kept, ('page', page)])}"


def common_headers(call: Call, request_number: int) -> dict[str, str]:
    """What every answer of api.github.com carries, recorded from run lists."""
    scope = "private" if "authorization" in call.headers else "public"
    version = call.headers.get("x-github-api-version", API_VERSIONS[0])
    return {
        "server": "github.com",
        "cache-control": f"{scope}, max-age=60, s-maxage=60",
        "vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, "
        "Accept, X-Requested-With",
        "x-github-media-type": "github.v3; format=json",
        "x-github-api-version-selected": version,
        "x-github-request-id": f"C0DE:{request_number:06X}:5EED",
        "x-content-type-options": "nosniff",
    }
