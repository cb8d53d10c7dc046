"""Every kind of fault: a function that changes the effects on one request.

The signature of a function, without `effects`, is the options of its kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ci_observer.demo.server.messages import (
    Request,
    Response,
    encoded,
    error,
    json_response,
    redirect,
)

Transform = Callable[[Response], Response]
NO_PERMISSION = "Resource not accessible by personal access token"
HTML = {"content-type": "text/html; charset=utf-8"}


@dataclass(slots=True)
class Effects:
    """The effects of all matching faults on one request.

    `response` replaces the real response; `transforms` change it. `stale_seconds` is
    the lag of the replica. `keep` is the share of rows that the search index has, and
    `counts_all` is true if its counts include the missing rows.
    """

    request: Request
    now: datetime
    numeric_path: str | None = None
    response: Response | None = None
    stale_seconds: float = 0
    keep: float = 1.0
    counts_all: bool = False
    delay: float = 0
    drop: bool = False
    truncate: bool = False
    transforms: list[Transform] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)


# -- replaced responses


def server_error(effects: Effects, *, status: int = 502) -> None:
    """JSON "Server Error" that carries an ETag, as GitHub's 502 was recorded."""
    tagged = {"etag": '"6389b58e-20"'}
    effects.response = json_response({"message": "Server Error"}, status, tagged)


def html_error(effects: Effects, *, status: int = 503) -> None:
    """A load balancer's error page."""
    body = b"<!DOCTYPE html><html><body><h1>Unicorn!</h1></body></html>"
    effects.response = Response(status, body, HTML)


def forbidden(effects: Effects, *, message: str = NO_PERMISSION) -> None:
    """403 for a missing permission: rate limit left, no Retry-After."""
    effects.response = error(
        403, message, {"x-accepted-github-permissions": "actions=read"}
    )


def primary_limit(effects: Effects, *, status: int = 403, seconds: int = 600) -> None:
    """The hourly limit is spent and resets in `seconds`. 403 or 429."""
    reset = str(int(effects.now.timestamp()) + seconds)
    message = "API rate limit exceeded for user ID 583231."
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    response = error(status, message, spent)
    effects.response = Response(
        response.status, response.body, response.headers, free=True
    )


def secondary_limit(
    effects: Effects, *, status: int = 403, retry_after: int | None = 60
) -> None:
    """Too many requests at once; GitHub often sends no Retry-After (`None`)."""
    message = (
        "You have exceeded a secondary rate limit. Please wait a few minutes "
        "before you try again."
    )
    wait = {} if retry_after is None else {"retry-after": str(retry_after)}
    effects.response = error(status, message, wait)


def unauthorized(effects: Effects) -> None:
    """401 as for an expired or revoked token."""
    effects.response = error(401, "Bad credentials")


def not_found(effects: Effects) -> None:
    """404, as for a missing repository or missing access."""
    effects.response = error(404, "Not Found")


def moved(effects: Effects, *, status: int = 301) -> None:
    """Redirect to `/repositories/{id}/…` on the same server."""
    path = effects.numeric_path or effects.request.path
    url = with_query(effects.request, effects.request.url(path))
    effects.response = redirect(url, status)


def moved_elsewhere(effects: Effects, *, origin: str, status: int = 301) -> None:
    """Redirect to the same path on another origin, which must not get the token."""
    url = effects.request.url(effects.request.path, origin)
    effects.response = redirect(with_query(effects.request, url), status)


def status(effects: Effects, *, status: int, message: str = "Simulated") -> None:
    """Any status with a JSON error body (410, 418, 451, …)."""
    effects.response = error(status, message)


def with_query(request: Request, url: str) -> str:
    return f"{url}?{request.query_string}" if request.query_string else url


# -- the connection


def drop(effects: Effects) -> None:
    """Close the connection before any byte."""
    effects.drop = True


def truncate(effects: Effects) -> None:
    """Send half of the promised Content-Length."""
    effects.truncate = True


def delay(effects: Effects, *, seconds: float) -> None:
    """Delay the response by `seconds` of real time."""
    effects.delay += seconds


# -- lists of runs


def stale(effects: Effects, *, seconds: float) -> None:
    """A lagging replica: the state of `seconds` ago."""
    effects.stale_seconds = seconds


def partial(effects: Effects, *, keep: float = 0.5, counts_all: bool = False) -> None:
    """A lagging search index: filtered lists lack their newest rows.

    With `counts_all` the total still counts them.
    """
    effects.keep = keep
    effects.counts_all = counts_all


# -- bodies


def invalid_json(effects: Effects) -> None:
    """A 200 whose body ends in the middle of a string."""
    effects.transforms.append(
        lambda response: with_body(response, response.body[:-20] + b'"')
    )


def missing_field(effects: Effects, *, name: str = "workflow_runs") -> None:
    """Remove the key from the top level, or else from every run."""

    def remove(body: Any) -> Any:
        if name in body:
            return {key: value for key, value in body.items() if key != name}
        return per_run(body, lambda run: {k: v for k, v in run.items() if k != name})

    effects.transforms.append(on_json(remove))


def wrong_type(effects: Effects) -> None:
    """A list instead of an object."""
    effects.transforms.append(on_json(lambda body: [body]))


def empty_list(effects: Effects) -> None:
    """A 200 without any run."""
    body = {"total_count": 0, "workflow_runs": []}
    effects.response = json_response(body)


def oversize(effects: Effects, *, name: str = "status", length: int = 100_000) -> None:
    """A key of every run gets a very long text."""
    effects.transforms.append(
        on_json(lambda body: per_run(body, lambda run: {**run, name: "x" * length}))
    )


def replaced(effects: Effects, *, name: str, value: Any) -> None:
    """A key of every run gets this value, of any type."""
    effects.transforms.append(
        on_json(lambda body: per_run(body, lambda run: {**run, name: value}))
    )


def per_run(body: Any, change: Callable[[Any], Any]) -> Any:
    if "workflow_runs" not in body:
        return change(body)
    return {**body, "workflow_runs": [change(run) for run in body["workflow_runs"]]}


def on_json(change: Callable[[Any], Any]) -> Transform:
    return lambda response: with_body(
        response, encoded(change(json.loads(response.body)))
    )


def with_body(response: Response, body: bytes) -> Response:
    return Response(response.status, body, response.headers, free=response.free)


FAULT_KINDS: dict[str, Callable[..., None]] = {
    kind.__name__: kind
    for kind in (
        server_error,
        html_error,
        forbidden,
        primary_limit,
        secondary_limit,
        unauthorized,
        not_found,
        moved,
        moved_elsewhere,
        status,
        drop,
        truncate,
        delay,
        stale,
        partial,
        invalid_json,
        missing_field,
        wrong_type,
        empty_list,
        oversize,
        replaced,
    )
}
