"""Days and hours in the instance's time zone, changes of the clock included."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ci_observer.web.pages.times import later


@dataclass(frozen=True)
class LocalHours:
    """`offsets` has the seconds of the time zone, each from an instant on, in order."""

    offsets: list[tuple[str, int]]

    def local(self, instant: str) -> datetime:
        """The local time of an instant."""
        at = datetime.fromisoformat(instant).astimezone(UTC)
        return at + timedelta(seconds=self._offset_at(instant))

    def bounds(self, day: str, hour: int) -> tuple[str, str] | None:
        """The first and the last second of a local hour, as they are stored.

        None if a change of the clock skips it, or if it has another length.
        """
        local = datetime.fromisoformat(f"{day}T{hour:02}:00:00+00:00")
        starts = {
            f"{local - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}": seconds
            for _, seconds in self.offsets
        }
        found = [at for at, seconds in starts.items() if self._offset_at(at) == seconds]
        if len(found) != 1:
            return None
        [first] = found
        last = later(first, 3599)
        is_whole = self._offset_at(first) == self._offset_at(last)
        return (first, last) if is_whole else None

    def _offset_at(self, instant: str) -> int:
        for from_at, seconds in reversed(self.offsets):
            if from_at <= instant:
                return seconds
        return 0
