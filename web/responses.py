"""HTTP responses: allowed methods, ETags, compression and JSON errors."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from datasette.utils.asgi import Request, Response

from ci_observer.web.accept import accepts_gzip
from ci_observer.web.cache import CachedResponse
from ci_observer.web.errors import WebError
from ci_observer.web.filters import Filters

# https://asgi.readthedocs.io/en/latest/specs/
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

METHODS = ("GET", "HEAD", "OPTIONS")
JSON = "application/json; charset=utf-8"
# Smaller bodies fit into a few packets uncompressed.
GZIP_MIN_BYTES = 4000


async def respond(
    request: Request,
    fetch: Callable[[Filters], Awaitable[CachedResponse]],
    *,
    allowed: tuple[str, ...] = (),
    content_type: str = JSON,
) -> Response:
    """Respond to a request: 200, 204 to OPTIONS, 304, 405, or a JSON error.

    `fetch` gets the URL's filters; those that are not `allowed` are an error. A
    `WebError` that it raises becomes a JSON error.
    """
    return await respond_with(
        request,
        lambda: fetch(Filters.from_query(request.query_string, allowed)),
        content_type=content_type,
    )


async def respond_with(
    request: Request,
    fetch: Callable[[], Awaitable[CachedResponse]],
    *,
    content_type: str = JSON,
) -> Response:
    """The same for a route that reads its URL itself."""
    method_response = respond_to_method(request)
    if method_response is not None:
        return method_response
    try:
        cached = await fetch()
    except WebError as error:
        return error_response(request, str(error), error.status, facts=error.facts)
    return await with_etag(request, cached, content_type)


def respond_to_method(request: Request) -> Response | None:
    """204 to OPTIONS, 405 to a method that would write, None to GET and HEAD."""
    allow = {"Allow": ", ".join(METHODS)}
    if request.method == "OPTIONS":
        return Response("", status=204, headers=allow)
    if request.method not in METHODS:
        return error_response(request, method_error(request), 405, headers=allow)
    return None


def method_error(request: Request) -> str:
    """The text of a response to a method that would write."""
    return f"{request.method} is not allowed. CI Observer only reads: use GET."


def error_response(
    request: Request,
    message: str,
    status: int,
    *,
    headers: dict[str, str] | None = None,
    facts: dict[str, Any] | None = None,
) -> Response:
    """`{"ok": false, "error": …, "status": …}`, and the facts as further keys."""
    body = json.dumps({"ok": False, "error": message, "status": status} | (facts or {}))
    headers = {"Cache-Control": "no-store"} | (headers or {})
    return _response(request, body.encode(), JSON, status, headers)


async def with_etag(
    request: Request, cached: CachedResponse, content_type: str
) -> Response:
    """200 with the content, or 304 when the client has it.

    The content is compressed if the client accepts gzip.
    """
    is_large = len(cached.content) >= GZIP_MIN_BYTES
    is_gzipped = is_large and accepts_gzip(request)
    # Also for a small body: the next one of this route may be large.
    headers = {"ETag": cached.etag, "Vary": "Accept-Encoding"}
    if is_gzipped:
        # Weak: the same content in other bytes.
        headers["ETag"] = f"W/{cached.etag}"
    if cached.modified_at:
        headers["Last-Modified"] = _http_date(cached.modified_at)
    if _has_content(request.headers, cached):
        return Response("", status=304, headers=headers, content_type=content_type)
    if is_gzipped:
        headers["Content-Encoding"] = "gzip"
        content = await cached.gzipped()
        return _response(request, content, content_type, 200, headers)
    return _response(request, cached.content, content_type, 200, headers)


def vary_by(response: Response, name: str) -> Response:
    """The response, which depends on a request header, too."""
    names = filter(None, (response.headers.get("Vary"), name))
    response.headers["Vary"] = ", ".join(names)
    return response


def where_needed(is_needed: Callable[[], bool], wrapped: App, app: App) -> App:
    """`wrapped` if it is needed, else `app` itself, which is faster.

    The first request decides: Datasette builds its app before it has our settings.
    """
    chosen: App | None = None

    def choose(scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
        nonlocal chosen
        if chosen is None:
            chosen = wrapped if is_needed() else app
        return chosen(scope, receive, send)

    return choose


def _has_content(request_headers: Mapping[str, str], cached: CachedResponse) -> bool:
    """Whether the client has the content. Its ETag counts before the time.

    https://www.rfc-editor.org/rfc/rfc9110#name-precedence-of-preconditions
    """
    if_none_match = request_headers.get("if-none-match")
    if if_none_match is not None or cached.modified_at is None:
        return has_etag(if_none_match or "", cached.etag)
    try:
        since = parsedate_to_datetime(request_headers.get("if-modified-since", ""))
    except ValueError:
        return False
    # A time without a zone is UTC, too.
    modified_at = datetime.fromisoformat(cached.modified_at)
    return since.replace(tzinfo=since.tzinfo or UTC) >= modified_at


def _http_date(at: str) -> str:
    return format_datetime(datetime.fromisoformat(at), usegmt=True)


def has_etag(if_none_match: str, etag: str) -> bool:
    """Whether an If-None-Match header names the ETag, by the weak comparison.

    https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match
    """
    # Our own ETags hold no comma, so that splitting at commas cannot break one.
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def _response(
    request: Request,
    content: bytes,
    content_type: str,
    status: int,
    headers: dict[str, str],
) -> Response:
    return Response(
        b"" if request.method == "HEAD" else content,
        status=status,
        headers=headers | {"Content-Length": str(len(content))},
        content_type=content_type,
    )
