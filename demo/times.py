"""Instants as GitHub writes them, and the clocks a server may be given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def iso(at: datetime) -> str:
    """The form of every GitHub time: UTC, whole seconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(value: datetime | str) -> datetime:
    """An aware UTC datetime from a datetime or an ISO-8601 text.

    Raises ValueError for a text without a date or a time without a zone.
    """
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: write it with a trailing Z")
    return at.astimezone(UTC)


def real_time() -> datetime:
    """The wall clock, for the demo only: the world itself never reads one."""
    return datetime.now(UTC)


class SettableClock:
    """A clock that stands still until somebody moves it.

    >>> clock = SettableClock("2026-03-02T09:00:00Z")
    >>> iso(clock.advance(90))
    '2026-03-02T09:01:30Z'
    """

    def __init__(self, start: datetime | str = "2026-03-02T09:00:00Z") -> None:
        self.now = instant(start)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        """Move by a number of seconds and return the new instant."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def set(self, at: datetime | str) -> datetime:
        """Stand at this instant from now on."""
        self.now = instant(at)
        return self.now
