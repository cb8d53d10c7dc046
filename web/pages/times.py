"""Times and durations as text, as the scripts of the pages write them too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86400
SPACE = "\N{NO-BREAK SPACE}"


def zone_of(name: str | None) -> ZoneInfo | None:
    """The time zone of an IANA name, or None if there is no such zone."""
    try:
        return ZoneInfo(name) if name else None
    # ZoneInfo opens a file: the name may be a folder's, hold a NUL or be too long.
    except (ValueError, OSError, KeyError):
        return None


def seconds_ahead(name: str) -> int:
    """The offset of a time zone from UTC now, in seconds."""
    ahead = datetime.now(zone_of(name) or UTC).utcoffset() or timedelta()
    return int(ahead.total_seconds())


def local_time(instant: str | None, zone: ZoneInfo) -> str:
    """A stored instant in a time zone, as `2026-03-01 14:05`.

    A text that is no instant is returned as it is.
    """
    try:
        at = datetime.fromisoformat(instant or "")
    except ValueError:
        return instant or ""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def duration(seconds: float | None) -> str:
    """Seconds as text: `45 s`, `5 m`, `1 h 20 m`, `3 d`; empty for None."""
    if seconds is None:
        return ""
    s = max(0, int(seconds + 0.5))
    if s < MINUTE:
        return f"{s}{SPACE}s"
    if s < HOUR:
        return f"{int(s / MINUTE + 0.5)}{SPACE}m"
    if s < 2 * DAY:
        hours, minutes = s // HOUR, s % HOUR // MINUTE
        return f"{hours}{SPACE}h" + (f" {minutes}{SPACE}m" if minutes else "")
    return f"{int(s / DAY + 0.5)}{SPACE}d"
