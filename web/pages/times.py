"""Times and durations as text, as the scripts of the pages write them too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86400
MINUTES_PER_HOUR = 60
ONE_DECIMAL_BELOW = 10
SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


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


def exact_time(instant: str | None, zone: ZoneInfo) -> str:
    """The same with seconds and the name of the zone: `2026-03-01 14:05:09 UTC`."""
    try:
        at = datetime.fromisoformat(instant or "")
    except ValueError:
        return instant or ""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}"


def duration(seconds: float | None) -> str:
    """Seconds as text: `45 s`, `5 min`, `1 h 20 min`, `3 d`; empty for None."""
    if seconds is None:
        return ""
    s = max(0, int(seconds + 0.5))
    if s < MINUTE:
        return f"{s}{SPACE}s"
    if (minutes := int(s / MINUTE + 0.5)) < MINUTES_PER_HOUR:
        return f"{minutes}{SPACE}min"
    if s < 2 * DAY:
        hours, rest = divmod(max(s, HOUR), HOUR)
        text = f"{hours}{SPACE}h"
        return f"{text} {rest // MINUTE}{SPACE}min" if rest >= MINUTE else text
    return f"{int(s / DAY + 0.5)}{SPACE}d"


def exact_duration(seconds: float) -> str:
    """Seconds as text with two units: `45 s`, `10 min 23 s`, `1 h 20 min`, `2 d 3 h`.

    For times that a reader adds up.
    """
    s = max(0, int(seconds + 0.5))
    if s < MINUTE:
        return f"{s}{SPACE}s"
    sizes = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s"))
    first = next(n for n, (size, _) in enumerate(sizes) if s >= size)
    (size, unit), (smaller, smaller_unit) = sizes[first : first + 2]
    text, rest = f"{s // size}{SPACE}{unit}", s % size // smaller
    return f"{text} {rest}{SPACE}{smaller_unit}" if rest else text


def signed(value: float, text: str) -> str:
    """The text of a change with its sign, `±0` if there is none."""
    if not value:
        return "±0"
    return f"{'+' if value > 0 else MINUS}{text}"


def epoch(instant: str | None) -> int | None:
    """A stored instant as seconds since 1970; None for a text that is no instant."""
    try:
        return int(datetime.fromisoformat(instant or "").timestamp())
    except (ValueError, OverflowError):
        return None


def later(instant: str, seconds: int) -> str:
    """A stored instant plus some seconds, as it is stored."""
    at = datetime.fromisoformat(instant) + timedelta(seconds=seconds)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(seconds: float) -> str:
    """An age in seconds as text, rounded down: `3 s ago`, `4 min ago`, `6 d ago`."""
    s = max(0, int(seconds))
    limits = ((MINUTE, 1, "s"), (HOUR, MINUTE, "min"), (2 * DAY, HOUR, "h"))
    size, unit = next(((n, u) for most, n, u in limits if s < most), (DAY, "d"))
    return f"{s // size}{SPACE}{unit} ago"


def percent(share: float) -> str:
    """A share of 1 as text: `95 %`, below 10 % with a decimal; 100 % only for all."""
    value = 100 * share
    if value < ONE_DECIMAL_BELOW:
        return f"{int(10 * value + 0.5) / 10:g}{SPACE}%"
    rounded = int(value + 0.5)
    return f"{min(99, rounded) if share < 1 else rounded}{SPACE}%"
