"""Times and durations as our pages write them before any script has run."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86400
SPACE = "\N{NO-BREAK SPACE}"


def zone_of(name: str | None) -> ZoneInfo | None:
    """The time zone of an IANA name; None when there is none of that name."""
    try:
        return ZoneInfo(name) if name else None
    # A folder's name, a name with a NUL, one that is too long for a file.
    except (ValueError, OSError, KeyError):
        return None


def seconds_ahead(name: str) -> int:
    """By how many seconds the clocks of a time zone are ahead of UTC now."""
    ahead = datetime.now(zone_of(name) or UTC).utcoffset() or timedelta()
    return int(ahead.total_seconds())


def local_time(instant: str | None, zone: ZoneInfo) -> str:
    """A stored instant as the clock of a time zone shows it: `2026-03-01 14:05`."""
    try:
        at = datetime.fromisoformat(instant or "")
    except ValueError:
        return instant or ""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def duration(seconds: float | None) -> str:
    """Seconds in the words that the wall uses: `45 s`, `5 m`, `1 h 20 m`, `3 d`."""
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
