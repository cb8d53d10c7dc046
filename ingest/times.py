"""Times as GitHub writes them: UTC, whole seconds, a Z at the end; and the clock."""

from collections.abc import Callable
from datetime import UTC, datetime

# Returns the current, aware time.
Clock = Callable[[], datetime]


def utc(instant: datetime) -> str:
    """The text of an aware time, such as 2026-01-31T12:00:00Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str) -> datetime | None:
    """The aware time in a text, in UTC without an offset; None if it is invalid."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
