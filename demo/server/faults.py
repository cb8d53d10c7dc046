"""Faults on request: when one strikes and what it does to an answer.

`FAULTS` holds every kind; the signature of a kind's function is its options.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ci_observer.demo.seeded_random import generator
from ci_observer.demo.server.responses import (
    Answer,
    Call,
    encoded,
    error,
    json_answer,
    redirect,
)

Reshape = Callable[[Answer], Answer]
HTML = {"content-type": "text/html; charset=utf-8"}


@dataclass(slots=True)
class Plan:
    """What the faults that strike have decided about one request."""

    call: Call
    now: datetime
    numeric_path: str | None = None
    answer: Answer | None = None
    stale_seconds: float = 0
    keep: float = 1.0
    counts_all: bool = False
    delay: float = 0
    drop: bool = False
    truncate: bool = False
    reshape: list[Reshape] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Fault:
    """An armed fault: strikes from the `nth` matching request on, `count` times."""

    kind: str
    path: re.Pattern[str]
    nth: int
    count: int | None
    probability: float
    options: Mapping[str, Any]
    seen: int = 0
    hits: int = 0

    def strikes(self, call: Call, chance: float) -> bool:
        """Whether this request is hit; counts it either way."""
        if not self.path.search(call.target):
            return False
        self.seen += 1
        spent = self.count is not None and self.hits >= self.count
        hit = self.seen >= self.nth and not spent and chance < self.probability
        self.hits += hit
        return hit


class Faults:
    """The armed faults of one server; chances come from a seeded generator."""

    def __init__(self, seed: int = 0) -> None:
        self.armed: list[Fault] = []
        self._chance = generator("faults", seed)

    def add(
        self,
        kind: str,
        *,
        path: str = "",
        nth: int = 1,
        count: int | None = 1,
        probability: float = 1.0,
        **options: Any,
    ) -> Fault:
        """Arm a fault of `FAULTS` for requests whose path and query match `path`.

        `path` is a regular expression to search for; `count=None` strikes for ever.
        Raises ValueError for an unknown kind, TypeError for an unknown option.
        """
        if kind not in FAULTS:
            raise ValueError(f"no fault {kind!r}: there are {', '.join(FAULTS)}")
        inspect.signature(FAULTS[kind]).bind(None, **options)
        pattern = re.compile(path)
        fault = Fault(kind, pattern, nth, count, probability, options)
        self.armed.append(fault)
        return fault

    def clear(self) -> None:
        """Disarm everything."""
        self.armed.clear()

    def strike(self, plan: Plan) -> None:
        """Let every fault that matches the request write into its plan."""
        for fault in self.armed:
            if fault.strikes(plan.call, self._chance.random()):
                plan.kinds.append(fault.kind)
                FAULTS[fault.kind](plan, **fault.options)


# -- answers instead of the real one


def server_error(plan: Plan, *, status: int = 502) -> None:
    """JSON "Server Error" that carries an ETag, as GitHub's 502 was recorded."""
    tagged = {"etag": '"6389b58e-20"'}
    plan.answer = json_answer({"message": "Server Error"}, status, tagged)


def html_error(plan: Plan, *, status: int = 503) -> None:
    """A load balancer's error page."""
    body = b"<!DOCTYPE html><html><body><h1>Unicorn!</h1></body></html>"
    plan.answer = Answer(status, body, HTML)


def forbidden(
    plan: Plan, *, message: str = "Resource not accessible by personal access token"
) -> None:
    """403 for want of permission: rate limit left, no Retry-After."""
    plan.answer = error(403, message, {"x-accepted-github-permissions": "actions=read"})


def primary_limit(plan: Plan, *, status: int = 403, seconds: int = 600) -> None:
    """The hour's limit is spent; it resets in `seconds`. 403 or 429."""
    reset = str(int(plan.now.timestamp()) + seconds)
    message = "API rate limit exceeded for user ID 583231."
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    answer = error(status, message, spent)
    plan.answer = Answer(answer.status, answer.body, answer.headers, free=True)


def secondary_limit(
    plan: Plan, *, status: int = 403, retry_after: int | None = 60
) -> None:
    """Too much at once; `retry_after=None` leaves the header out, as often seen."""
    message = (
        "You have exceeded a secondary rate limit. Please wait a few minutes "
        "before you try again."
    )
    wait = {} if retry_after is None else {"retry-after": str(retry_after)}
    plan.answer = error(status, message, wait)


def unauthorized(plan: Plan) -> None:
    """401 as for an expired or revoked token."""
    plan.answer = error(401, "Bad credentials")


def not_found(plan: Plan) -> None:
    """404, which is also what lacking access looks like."""
    plan.answer = error(404, "Not Found")


def moved(plan: Plan, *, status: int = 301) -> None:
    """Redirect to `/repositories/{id}/…` on the same server."""
    path = plan.numeric_path or plan.call.path
    plan.answer = redirect(with_query(plan.call, plan.call.url(path)), status)


def moved_elsewhere(plan: Plan, *, origin: str, status: int = 301) -> None:
    """Redirect to the same path on another origin, which must not get the token."""
    url = plan.call.url(plan.call.path, origin)
    plan.answer = redirect(with_query(plan.call, url), status)


def status(plan: Plan, *, status: int, message: str = "Simulated") -> None:
    """Any status with a JSON error body (410, 418, 451, …)."""
    plan.answer = error(status, message)


def with_query(call: Call, url: str) -> str:
    return f"{url}?{call.query_string}" if call.query_string else url


# -- the connection


def drop(plan: Plan) -> None:
    """The connection is closed before any byte."""
    plan.drop = True


def truncate(plan: Plan) -> None:
    """Content-Length promises twice as much as is sent."""
    plan.truncate = True


def delay(plan: Plan, *, seconds: float) -> None:
    """The answer comes `seconds` later, in real time."""
    plan.delay += seconds


# -- what the lists see


def stale(plan: Plan, *, seconds: float) -> None:
    """A lagging replica: everything as it was `seconds` ago."""
    plan.stale_seconds = seconds


def partial(plan: Plan, *, keep: float = 0.5, counts_all: bool = False) -> None:
    """A lagging search index: filtered lists lack their newest rows, or count them."""
    plan.keep = keep
    plan.counts_all = counts_all


# -- bodies


def invalid_json(plan: Plan) -> None:
    """A 200 whose body ends in the middle of a string."""
    plan.reshape.append(lambda answer: with_body(answer, answer.body[:-20] + b'"'))


def missing_field(plan: Plan, *, name: str = "workflow_runs") -> None:
    """The key is absent, at the top or else in every run."""

    def remove(body: Any) -> Any:
        if name in body:
            return {key: value for key, value in body.items() if key != name}
        return per_run(body, lambda run: {k: v for k, v in run.items() if k != name})

    plan.reshape.append(on_json(remove))


def wrong_type(plan: Plan) -> None:
    """A list where an object is due."""
    plan.reshape.append(on_json(lambda body: [body]))


def empty_list(plan: Plan) -> None:
    """A 200 without any run."""
    body = {"total_count": 0, "workflow_runs": []}
    plan.answer = json_answer(body)


def oversize(plan: Plan, *, name: str = "status", length: int = 100_000) -> None:
    """A key of every run holds an absurdly long text."""
    plan.reshape.append(
        on_json(lambda body: per_run(body, lambda run: {**run, name: "x" * length}))
    )


def replaced(plan: Plan, *, name: str, value: Any) -> None:
    """A key of every run holds this value, whatever its type."""
    plan.reshape.append(
        on_json(lambda body: per_run(body, lambda run: {**run, name: value}))
    )


def per_run(body: Any, change: Callable[[Any], Any]) -> Any:
    if "workflow_runs" not in body:
        return change(body)
    return {**body, "workflow_runs": [change(run) for run in body["workflow_runs"]]}


def on_json(change: Callable[[Any], Any]) -> Reshape:
    return lambda answer: with_body(answer, encoded(change(json.loads(answer.body))))


def with_body(answer: Answer, body: bytes) -> Answer:
    return Answer(answer.status, body, answer.headers, free=answer.free)


FAULTS: dict[str, Callable[..., None]] = {
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
