"""The values of responses, and the runs on a page that can be stored."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.github.rows import refusal_of

log = logging.getLogger("ci_observer.ingest")

T = TypeVar("T")


@dataclass(frozen=True)
class Response(Generic[T]):
    """A fetched value and its ETag. `value` is None on 304 Not Modified.

    `next_url` is the address of the next page, if there is one: a path, or the link
    itself if it leads elsewhere. `total_count` is GitHub's count for the whole list.
    `now` is the time of the response, by our clock or by GitHub's if that is later.
    """

    value: T | None
    etag: str | None
    next_url: str | None = None
    total_count: int | None = None
    now: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class RunPage:
    """One page of a run list. On 304 Not Modified, `runs` is empty.

    `runs` are the run objects that can be stored, `refused` is the number of others,
    and `refusal` says why those cannot. `total_count` is GitHub's count for the whole
    list.
    """

    runs: list[dict[str, Any]] = field(default_factory=list)
    etag: str | None = None
    next_url: str | None = None
    total_count: int | None = None
    is_not_modified: bool = False
    refused: int = 0
    refusal: str = ""


def without_refused(
    url: str, runs: list[dict[str, Any]], now: datetime | None
) -> tuple[list[dict[str, Any]], str]:
    """The runs that can be stored, and why the others cannot, "" if all can.

    Raises `InvalidResponse` if none can: a few broken runs must not hide the others.
    """
    refusals = [refusal_of(run, now=now) for run in runs]
    refused = list(filter(None, refusals))
    if not refused:
        return runs, ""
    text = (
        f"GitHub's response has {len(refused)} of {len(runs)} runs that cannot be "
        f"stored: {refused[0]}."
    )
    if len(refused) == len(runs):
        raise InvalidResponse(f"{text} The next pass requests it again.")
    log.warning("%s: %s The others are stored.", url, text)
    storable = [
        run for run, refusal in zip(runs, refusals, strict=True) if refusal is None
    ]
    return storable, text
