"""Answers over HTTP: methods, ETags, errors. What they say is made in `queries`."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from datasette.utils.asgi import Request, Response

from ci_observer.web.cache import Answer
from ci_observer.web.errors import WebError
from ci_observer.web.filters import Filters

METHODS = ("GET", "HEAD", "OPTIONS")
JSON = "application/json; charset=utf-8"
# Smaller ones fit into a packet or a few as they are.
GZIP_FROM = 4000


async def respond(
    request: Request,
    fetch: Callable[[Filters], Awaitable[Answer]],
    *,
    allowed: tuple[str, ...] = (),
    content_type: str = JSON,
) -> Response:
    """Answer a request: 405 or 204 by its method, 304 when the client has the content.

    `fetch` is given the URL's filters, of which `allowed` may be set. A `WebError` that
    it raises becomes a JSON error.
    """
    refused = refuse_method(request)
    if refused is not None:
        return refused
    try:
        answer = await fetch(Filters.from_query(request.query_string, allowed))
    except WebError as error:
        return error_response(request, str(error), error.status, facts=error.facts)
    return with_etag(request, answer, content_type)


def refuse_method(request: Request) -> Response | None:
    """The answer to OPTIONS, and to any method that would write; None to GET, HEAD."""
    allow = {"Allow": ", ".join(METHODS)}
    if request.method == "OPTIONS":
        return Response("", status=204, headers=allow)
    if request.method not in METHODS:
        message = f"{request.method} is not allowed. CI Observer only reads: use GET."
        return error_response(request, message, 405, headers=allow)
    return None


def error_response(
    request: Request,
    message: str,
    status: int,
    *,
    headers: dict[str, str] | None = None,
    facts: dict[str, Any] | None = None,
) -> Response:
    """`{"ok": false, "error": …, "status": …}`."""
    body = json.dumps({"ok": False, "error": message, "status": status} | (facts or {}))
    return _response(request, body.encode(), JSON, status, headers or {})


def with_etag(request: Request, answer: Answer, content_type: str) -> Response:
    """The answer, compressed for those that take it, or 304 when the client has it."""
    asked = request.headers
    if has_etag(asked.get("if-none-match", ""), answer.etag):
        headers = {"ETag": answer.etag, "Cache-Control": "no-cache"}
        return Response("", status=304, headers=headers, content_type=content_type)
    headers, content = {"ETag": answer.etag}, answer.content
    if len(content) >= GZIP_FROM:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in asked.get("accept-encoding", ""):
            # Weak: the same content in other bytes.
            headers |= {"ETag": f"W/{answer.etag}", "Content-Encoding": "gzip"}
            content = answer.gzipped
    return _response(request, content, content_type, 200, headers)


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
        headers=headers
        | {
            # Keep it, but ask before every use: the answer is usually 304.
            "Cache-Control": "no-cache",
            "Content-Length": str(len(content)),
        },
        content_type=content_type,
    )
