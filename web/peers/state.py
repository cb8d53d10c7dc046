"""The state of a peer: its last good response, and its problem now.

Times are those of our own clocks: the stopwatch, which cannot be set, and the time of
day only for people.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ci_observer.web.pages.times import duration
from ci_observer.web.peers.facts import Facts, clock_problem
from ci_observer.web.peers.peer import Peer
from ci_observer.web.peers.tiles import Tile, stale_tile

# One failed request is repeated before the wall says anything.
FAILURES_BEFORE_MISSING = 2
# Without a good response for that long, nothing is proved, for any reason.
MAX_SILENT_SECONDS = 60

OK, STARTING, DEGRADED, STALE, MISSING = (
    *("ok", "starting", "degraded", "stale", "missing"),
)
# In these the tiles are as the peer says.
TRUSTED = (OK, DEGRADED)
# The states of a peer's polling in which nothing is wrong.
_CALM = (OK, STARTING)


def time_of_day() -> datetime:
    """Now, for people and for a comparison with the clock of a peer."""
    return datetime.now(UTC)


@dataclass
class PeerState:
    """A peer, for one selection of branches.

    `tiles` is replaced as a whole, and `changes` grows each time.
    """

    peer: Peer
    facts: Facts | None = None
    tiles: list[Tile] = field(default_factory=list)
    etag: str = ""
    changes: int = 0
    # Of the last good response, by the stopwatch and by the time of day.
    responded: float | None = None
    responded_at: datetime | None = None
    failures: int = 0
    error: str = ""

    def accept(
        self, facts: Facts, tiles: list[Tile] | None, etag: str, *, now: float
    ) -> None:
        """Record a good response; `tiles` is None if they have not changed."""
        self.facts, self.etag = facts, etag
        self.responded, self.responded_at = now, time_of_day()
        self.failures, self.error = 0, ""
        if tiles is not None:
            self.tiles = tiles
            self.changes += 1

    def fail(self, error: str) -> None:
        """Record a request without a usable response."""
        self.failures += 1
        self.error = error

    def report(self, now: float) -> "Report":
        """What is known at a time of the stopwatch."""
        state, reason = self._state(now)
        silent = None if self.responded is None else max(0.0, now - self.responded)
        return Report(self, state, reason, silent)

    def _state(self, now: float) -> tuple[str, str | None]:
        if self.facts is None or self.responded is None or self.responded_at is None:
            return (MISSING, self.error) if self.failures else (STARTING, None)
        silent = now - self.responded
        if self.failures >= FAILURES_BEFORE_MISSING or silent > MAX_SILENT_SECONDS:
            return MISSING, self.error or "it has not responded lately"
        if problem := clock_problem(self.facts, self.responded_at):
            return STALE, problem
        return self._polling(self.facts, silent)

    def _polling(self, facts: Facts, silent: float) -> tuple[str, str | None]:
        """The state by the facts of the peer about its own data."""
        polling = facts.polling
        # No repository may belong to a shard.
        if polling.state == "off" and facts.shard is not None and not self.tiles:
            return OK, None
        word = polling.state.replace("_", " ")
        why = f"its polling is {word}{f': {polling.reason}' if polling.reason else ''}"
        why = why.rstrip(".")
        if facts.age is None:
            return (STALE, why) if self.tiles else (DEGRADED, why)
        if facts.age + silent > facts.stale_seconds:
            if polling.state in _CALM:
                return STALE, "its data are old"
            return STALE, why
        return (OK, None) if polling.state in _CALM else (DEGRADED, why)


@dataclass(frozen=True)
class Report:
    """The state of a peer at one time. `reason` is a part of a sentence, or None."""

    of: PeerState
    state: str
    reason: str | None
    silent_seconds: float | None

    @property
    def name(self) -> str:
        """The name of the peer."""
        return self.of.peer.name

    @property
    def key(self) -> tuple[Any, ...]:
        """All that the tiles and the summary depend on."""
        return self.of.changes, self.state, self.reason

    @property
    def age_seconds(self) -> float | None:
        """How old the data of the peer are: by its own clock, then by ours."""
        facts = self.of.facts
        if facts is None or facts.age is None or self.silent_seconds is None:
            return None
        return facts.age + self.silent_seconds

    def tiles(self) -> list[Tile]:
        """The tiles as the wall shows them: stale if nothing proves them."""
        if self.state in TRUSTED or self.of.responded_at is None:
            return self.of.tiles
        at = self.of.responded_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        reason = f"{self.name}: {self.reason}"
        return [stale_tile(tile, reason, at) for tile in self.of.tiles]

    def summary(self) -> dict[str, Any]:
        """The facts for `/api/wall`, which change only if the peer's state does."""
        names = ("name", "address", "state", "reason")
        values = (self.name, self.of.peer.address, self.state, self.reason)
        return dict(zip(names, values, strict=True))

    def details(self) -> dict[str, Any]:
        """The facts for `/api/config`."""
        facts, age = self.of.facts, self.age_seconds
        at = self.of.responded_at
        return self.summary() | {
            "title": facts and facts.title,
            "version": facts and facts.version,
            "tiles": len(self.of.tiles),
            "age_seconds": None if age is None else round(age),
            "last_response_at": at and at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def sentence(self) -> str | None:
        """A warning for the wall; None if all is well."""
        if self.state == OK:
            return None
        if self.state == STARTING:
            return f"{self.name} has not responded yet."
        text = f"{self.name}: {self.reason}."
        if self.state == DEGRADED:
            return text
        count = len(self.of.tiles)
        if self.silent_seconds is None:
            return f"{text} Its tiles are unknown."
        tiles = f"Its {count} tile{' is' if count == 1 else 's are'} stale."
        return f"{text} Last response {duration(self.silent_seconds)} ago. {tiles}"
