"""Times in GitHub's format, and clocks for the simulated server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def iso(at: datetime) -> str:
    """GitHub's format for times: UTC, whole seconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_utc(value: datetime | str) -> datetime:
    """An aware UTC datetime from a datetime or an ISO-8601 text.

    Raises ValueError for a text without a date or a time without a zone.
    """
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: write it with a trailing Z")
    return at.astimezone(UTC)


def utc_now() -> datetime:
    """The real time, for the demo; the world itself never reads a clock."""
    return datetime.now(UTC)


class SettableClock:
    """A clock that moves only by `advance` and `set`.

    >>> clock = SettableClock("2026-03-02T09:00:00Z")
    >>> iso(clock.advance(90))
    '2026-03-02T09:01:30Z'
    """

    def __init__(self, start: datetime | str = "2026-03-02T09:00:00Z") -> None:
        self.now = as_utc(start)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        """Move by a number of seconds and return the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def set(self, at: datetime | str) -> datetime:
        """Set the time and return it."""
        self.now = as_utc(at)
        return self.now
