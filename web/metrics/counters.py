"""The counters of /metrics, kept from one reading to the next."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from datasette.app import Datasette

from ci_observer.web.metrics.increases import Feed, Increases
from ci_observer.web.metrics.queries import Reading, read


@dataclass
class Counters:
    """What happened since the process started, as far as it has been read."""

    runs: Increases = field(default_factory=Increases)
    durations: Increases = field(default_factory=Increases)
    seconds: Increases = field(default_factory=Increases)
    polls: Counter[str] = field(default_factory=Counter)
    _last_poll: int | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def update(self, datasette: Datasette, feeds: frozenset[Feed]) -> Reading:
        """Read the database and add what is new. Raises `Unavailable`."""
        async with self._lock:
            reading = await read(datasette, self._last_poll or 0)
            self._add_polls(reading)
            self._add_runs(reading, feeds)
        return reading

    def _add_polls(self, reading: Reading) -> None:
        # The first reading finds the passes from before the process.
        if self._last_poll is not None:
            self.polls.update(reading.polls)
        self._last_poll = reading.instance["last_poll_id"] or 0

    def _add_runs(self, reading: Reading, feeds: frozenset[Feed]) -> None:
        pairs = (
            (self.runs, reading.runs),
            (self.durations, reading.durations),
            (self.seconds, reading.seconds),
        )
        for increases, numbers in pairs:
            # A first pass fetches the history, and a rebuild counts all runs again.
            has_rollups = reading.instance["has_rollups"]
            if not has_rollups or reading.instance["state"] == "starting":
                increases.forget()
            if has_rollups:
                increases.add(numbers, feeds)


_COUNTERS: WeakKeyDictionary[Datasette, Counters] = WeakKeyDictionary()


def counters_of(datasette: Datasette) -> Counters:
    """The counters of this process."""
    return _COUNTERS.setdefault(datasette, Counters())
