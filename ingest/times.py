"""Times as GitHub writes them: UTC, whole seconds, a Z at the end; and the clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

# GitHub began in 2008. A time outside of these years is nonsense, and calculating with
# it may leave the years that Python has.
FIRST_YEAR, LAST_YEAR = 1970, 2199

# Returns the current, aware time. The clock may be wrong, and be set at any time.
Clock = Callable[[], datetime]
# Returns seconds that only grow, such as `time.monotonic`.
Timer = Callable[[], float]
# Before every other time.
NEVER = datetime.min.replace(tzinfo=UTC)
# A clock that is kept right moves by less.
CLOCK_TOLERANCE = timedelta(seconds=10)


class ClockWatch:
    """Compares the clock with a timer, to notice when it is set back."""

    def __init__(self, clock: Clock, timer: Timer) -> None:
        self._clock = clock
        self._timer = timer
        self._timer_began_at = self._compare()

    def take_step_back(self) -> timedelta | None:
        """By how much the clock was set back since the last call, if at all."""
        before, self._timer_began_at = self._timer_began_at, self._compare()
        step = before - self._timer_began_at
        return step if step > CLOCK_TOLERANCE else None

    def _compare(self) -> datetime:
        """When the timer was 0, by the clock."""
        return self._clock() - timedelta(seconds=self._timer())


def due_after(last: datetime | None, wait: timedelta, *, now: datetime) -> datetime:
    """When something is due again that was done last at a time of a former process.

    At once if that is unknown, or in the future, and thus by a wrong clock.
    """
    return last + wait if last and last <= now else now


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
