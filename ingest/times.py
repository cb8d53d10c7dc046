"""Times as GitHub writes them: UTC, whole seconds, a Z at the end; and the clock."""

from collections.abc import Callable
from datetime import UTC, datetime

# GitHub began in 2008. A time outside of these years is nonsense, and calculating with
# it may leave the years that Python has.
FIRST_YEAR, LAST_YEAR = 1970, 2199

# Returns the current, aware time.
Clock = Callable[[], datetime]


def utc(instant: datetime) -> str:
    """The text of an aware time, such as 2026-01-31T12:00:00Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str) -> datetime | None:
    """The time in a text, as UTC; None if it is invalid or nonsense.

    A text without an offset is in UTC.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return in_bounds(instant if instant.tzinfo else instant.replace(tzinfo=UTC))


def in_bounds(instant: datetime) -> datetime | None:
    """An aware time in UTC; None if its year is nonsense."""
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:
        return None
    return instant if FIRST_YEAR <= instant.year <= LAST_YEAR else None
