"""Faults of headers: ETags, links, rate limits and other values out of bounds."""

from __future__ import annotations

import json
from dataclasses import replace

from ci_observer.demo.server.effects import Effects
from ci_observer.demo.server.messages import Response, encoded, error
from ci_observer.demo.server.pagination import page_url, parse_page

YEAR_9999 = 253_402_300_799


def header(effects: Effects, *, name: str, value: str) -> None:
    """Any header with any value, in Latin-1 or else in UTF-8."""
    effects.headers[name.lower()] = value


def odd_etag(effects: Effects, *, value: str = 'W/"na\u00efve"') -> None:
    """An ETag outside of ASCII; a request that sends it back gets a 304."""
    effects.transforms.append(lambda response: with_header(response, "etag", value))


def link_loop(effects: Effects, *, page: int | None = None) -> None:
    """`Link: next` leads to the same page, or back to the given one."""
    effects.transforms.append(
        lambda response: with_next(
            effects, response, page or parse_page(effects.request.query).number
        )
    )


def endless_pages(effects: Effects) -> None:
    """Every page has a `Link: next`; those after the last page are empty."""
    effects.transforms.append(
        lambda response: with_next(
            effects, response, parse_page(effects.request.query).number + 1
        )
    )


def missing_link(effects: Effects, *, total_count: int | None = None) -> None:
    """No `Link`, though `total_count` is larger than the page (by one, if need be)."""

    def change(response: Response) -> Response:
        body = json.loads(response.body)
        kept = {k: v for k, v in response.headers.items() if k != "link"}
        if "total_count" in body:
            rows = max(len(v) for v in body.values() if isinstance(v, list))
            least = max(body["total_count"], rows + 1)
            body["total_count"] = least if total_count is None else total_count
        return Response(response.status, encoded(body), kept, free=response.free)

    effects.transforms.append(change)


def odd_rate_limit(
    effects: Effects,
    *,
    limit: str | int = 2**70,
    remaining: str | int | None = None,
    used: str | int | None = None,
    reset: str | int | None = None,
) -> None:
    """Rate limit headers with these values; None leaves one as it is."""
    values = {"limit": limit, "remaining": remaining, "used": used, "reset": reset}
    for name, value in values.items():
        if value is not None:
            effects.headers[f"x-ratelimit-{name}"] = str(value)


def odd_retry_after(
    effects: Effects, *, status: int = 429, value: str | None = None
) -> None:
    """A secondary rate limit whose Retry-After has 5,000 digits, or this value."""
    text = "9" * 5000 if value is None else value
    message = "You have exceeded a secondary rate limit."
    effects.response = error(status, message, {"retry-after": text})


def far_reset(effects: Effects, *, status: int = 429, reset: int = YEAR_9999) -> None:
    """A spent primary limit that resets in the year 9999."""
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
    response = error(status, "API rate limit exceeded for user ID 583231.", spent)
    effects.response = replace(response, free=True)


def token_expiration(
    effects: Effects, *, value: str = "0001-01-01 00:00:00 UTC"
) -> None:
    """An expiry of the token in the year 1, or this value."""
    effects.headers["github-authentication-token-expiration"] = value


def with_header(response: Response, name: str, value: str) -> Response:
    return replace(response, headers={**response.headers, name: value})


def with_next(effects: Effects, response: Response, page: int) -> Response:
    path = effects.numeric_path or effects.request.path
    link = f'<{page_url(effects.request, path, page)}>; rel="next"'
    return with_header(response, "link", link)
