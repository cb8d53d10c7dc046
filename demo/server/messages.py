"""HTTP messages: requests, responses, JSON encoding, ETags and GitHub's headers.

Pure functions of their arguments, without access to the world or the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, unquote

DOCS = "https://docs.github.com/rest"
JSON_TYPE = "application/json; charset=utf-8"
API_VERSIONS = ("2022-11-28", "2026-03-10")


ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
)


class BadParameter(ValueError):
    """A query parameter that gets a 422; the message names it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `path` is still percent-encoded and does not have the base path."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    origin: str
    base_path: str = ""
    body: bytes = b""

    @property
    def segments(self) -> tuple[str, ...]:
        """The decoded parts of the path; `%2F` in a workflow id is no separator."""
        return tuple(unquote(part) for part in self.path.split("/")[1:])

    @property
    def query(self) -> dict[str, str]:
        """The last of repeated parameters wins; empty parameters are kept."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def target(self) -> str:
        """Path and query, which the `path` pattern of a fault is matched against."""
        return f"{self.path}?{self.query_string}" if self.query_string else self.path

    def url(self, path: str, origin: str | None = None) -> str:
        """An absolute URL of the same API."""
        return f"{origin or self.origin}{self.base_path}{path}"


@dataclass(frozen=True, slots=True)
class Response:
    """Status, body and headers, without the headers common to all responses.

    `digest` is the SHA-256 of the body if it is already known. `free` is true if the
    response does not count against the primary rate limit.
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
    """Compact UTF-8 JSON as GitHub sends it; a lone surrogate stays an escape."""
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
    """The object as JSON; the values of `names` come last, from `encode`."""
    rest = {name: value for name, value in body.items() if name not in names}
    parts = [
        b'"%b":%b' % (name.encode(), encode(body[name]))
        for name in names
        if name in body
    ]
    members = [encoded(rest)[1:-1], *parts] if rest else parts
    return b"{%b}" % b",".join(members)


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    typed = {"content-type": JSON_TYPE, **(headers or {})}
    return Response(status, encoded(value), typed)


def error(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A `basic-error` body, in which GitHub sends the status as text."""
    body = {"message": message, "documentation_url": DOCS, "status": str(status)}
    return json_response(body, status, headers)


def not_found() -> Response:
    return error(404, "Not Found")


def redirect(location: str, status: int = 301) -> Response:
    body = {
        "message": "Moved Permanently" if status in (301, 308) else "Found",
        "url": location,
        "documentation_url": "https://docs.github.com/rest/guides/"
        "best-practices-for-using-the-rest-api#follow-redirects",
    }
    return json_response(body, status, headers={"location": location})


def etag_of(request: Request, response: Response) -> str:
    """A weak tag over the body, `Accept` and `Authorization`.

    Reverse engineered by github.com/bored-engineer/github-conditional-http-transport:
    another token or another Accept gives another tag for the same data.
    """
    varied = (request.headers.get(name, "") for name in ("accept", "authorization"))
    tag = sha256(":".join(varied).encode() + b":" + response.body_digest).hexdigest()
    return f'W/"{tag}"'


def matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison as in RFC 9110, section 13.1.2."""
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in given or etag.removeprefix("W/") in given


def common_headers(request: Request, request_number: int) -> dict[str, str]:
    """The headers of every response of api.github.com, recorded from run lists."""
    scope = "private" if "authorization" in request.headers else "public"
    version = request.headers.get("x-github-api-version", API_VERSIONS[0])
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
