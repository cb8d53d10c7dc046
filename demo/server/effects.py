"""The effects of faults on one request, and on its response."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime

from ci_observer.demo.server.messages import Request, Response

Transform = Callable[[Response], Response]
Stream = Callable[[Response], AsyncIterator[bytes]]


@dataclass(slots=True)
class Effects:
    """The effects of all matching faults on one request.

    `response` replaces the real response; `transforms` change a 200, and `headers`
    replace the headers of any response. `stale_seconds` is the lag of the replica.
    `keep` is the share of rows that the search index has, and `counts_all` is true if
    its counts include the missing rows. `stream` sends the body piece by piece, with
    its Content-Length if `has_length`. `slow_headers` are the seconds between two bytes
    of a header that never ends.
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
    stream: Stream | None = None
    has_length: bool = True
    slow_headers: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    transforms: list[Transform] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
