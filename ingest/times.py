"""Times as GitHub writes them: UTC, whole seconds, a Z at the end."""

from datetime import UTC, datetime


def utc(instant: datetime) -> str:
    """An aware time as GitHub writes it, with whole seconds and a Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str) -> datetime | None:
    """The time that a text of GitHub's says, in UTC unless it says otherwise."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
