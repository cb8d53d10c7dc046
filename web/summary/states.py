"""What main was over time, and which breaks made it red: for each feed and for all.

Several workflows together are red while any of them is red, and green while all are:
their times are not added up.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from sqlite3 import Connection
from typing import Any

from ci_observer.web.pages.job_statistics import median
from ci_observer.web.pages.times import epoch
from ci_observer.web.summary import queries
from ci_observer.web.summary.counts import Numbers, percent
from ci_observer.web.summary.span import Span, Spans

RED, UNKNOWN, GREEN = "red", "unknown", "green"
# The breaks of a summary with their run and job.
DETAILED = 50

Feed = tuple[str, str]
# A state from a second to another one, since 1970.
Piece = tuple[int, int, str]


@dataclass(frozen=True)
class Break:
    """A red time of a workflow: when it began and, unless it is still red, ended."""

    feed: Feed
    broken_at: str
    fixed_at: str | None
    seconds: int

    def concerns(self, span: Span) -> bool:
        """Whether some of it is in the span."""
        is_over = self.fixed_at is not None and self.fixed_at < span.since
        return self.broken_at < span.until and not is_over


@dataclass
class Times:
    """The seconds of each state in one span, and its breaks.

    `breaks` counts the red times that began in it, `fixes` has the lengths of those
    that ended in it.
    """

    red: int = 0
    green: int = 0
    unknown: int = 0
    breaks: int = 0
    fixes: list[int] = field(default_factory=list)

    def numbers(self) -> Numbers:
        """The numbers as in the API."""
        fixes = sorted(self.fixes)
        recorded = self.red + self.green + self.unknown
        return {
            "red_seconds": self.red,
            "green_seconds": self.green,
            "unknown_seconds": self.unknown,
            "recorded_seconds": recorded,
            **{
                f"{name}_percent": percent(getattr(self, name), recorded)
                for name in (RED, GREEN, UNKNOWN)
            },
            "breaks": self.breaks,
            "fixes": len(fixes),
            "fix_median_seconds": median(fixes),
            "fix_longest_seconds": fixes[-1] if fixes else None,
        }


class States:
    """The states of some feeds since the span before, and their breaks."""

    def __init__(self, conn: Connection, feeds: Collection[Feed], spans: Spans) -> None:
        self._conn = conn
        self._spans = spans
        self.pieces: dict[Feed, list[Piece]] = defaultdict(list)
        self.since: dict[Feed, tuple[str, str]] = {}
        params = {"scope": json.dumps(list(feeds)), "since": spans.before.since}
        for row in conn.execute(queries.STATES_SQL, params | {"now": spans.now}):
            feed = row["repo"], row["workflow"]
            self.pieces[feed].append((row["began"], row["ended"], row["state"]))
            if row["is_present"]:
                self.since[feed] = row["state"], row["from_at"]
        self.breaks: dict[Feed, list[Break]] = defaultdict(list)
        for row in conn.execute(queries.BREAKS_SQL, params):
            feed = row["repo"], row["workflow"]
            self.breaks[feed].append(
                Break(feed, row["broken_at"], row["fixed_at"], row["seconds"])
            )
        [self.unfinished, self.complete_from] = conn.execute(
            queries.INCOMPLETE_STATES_SQL
        ).fetchone()

    def times(self, feeds: Iterable[Feed], span: Span) -> Times:
        """The states of some feeds together in a span."""
        feeds = list(feeds)
        end = min(epoch(span.until) or 0, epoch(self._spans.now) or 0)
        pieces = (piece for feed in feeds for piece in self.pieces.get(feed, ()))
        times = Times()
        for began, ended, state in merged(pieces, epoch(span.since) or 0, end):
            setattr(times, state, getattr(times, state) + ended - began)
        for found in (found for feed in feeds for found in self.breaks.get(feed, ())):
            times.breaks += span.since <= found.broken_at < span.until
            if found.fixed_at and span.since <= found.fixed_at < span.until:
                times.fixes.append(found.seconds)
        return times

    def rows(self, feeds: Iterable[Feed], span: Span) -> list[dict[str, Any]]:
        """The states of some feeds together in a span, as rows for a bar."""
        end = min(epoch(span.until) or 0, epoch(self._spans.now) or 0)
        pieces = (piece for feed in feeds for piece in self.pieces.get(feed, ()))
        found = merged(pieces, epoch(span.since) or 0, end)
        # Adjacent pieces of one state are one row.
        rows: list[dict[str, Any]] = []
        for began, ended, state in found:
            if rows and rows[-1]["state"] == state and rows[-1]["ended"] == began:
                rows[-1]["ended"] = ended
            else:
                rows.append({"state": state, "began": began, "ended": ended})
        nothing = dict.fromkeys(("reason", "run_id", "run_attempt", "branch"))
        return [
            nothing
            | {
                "state": row["state"],
                "from_at": instant(row["began"]),
                "to_at": instant(row["ended"]) if row["ended"] < end else None,
            }
            for row in rows
        ]

    def in_order(self) -> list[Break]:
        """The breaks since the span before, the oldest first."""
        found = [one for breaks in self.breaks.values() for one in breaks]
        return sorted(found, key=lambda one: (one.broken_at, one.feed))

    def details(self, breaks: Iterable[Break]) -> list[dict[str, Any]]:
        """The run, the commit, the person and the job of some breaks, newest first."""
        keys = [(*found.feed, found.broken_at) for found in breaks]
        rows = self._conn.execute(queries.BROKEN_SQL, {"breaks": json.dumps(keys)})
        return [dict(row) for row in rows]


def instant(seconds: int) -> str:
    """Seconds since 1970 as they are stored."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def merged(pieces: Iterable[Piece], start: int, end: int) -> list[Piece]:
    """One state at a time, the worst of all, between two seconds."""
    changes: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for began, ended, state in pieces:
        first, last = max(began, start), min(ended, end)
        if first < last:
            changes[first].append((state, 1))
            changes[last].append((state, -1))
    found: list[Piece] = []
    counts = dict.fromkeys((RED, UNKNOWN, GREEN), 0)
    former_at, former = start, None
    for at in sorted(changes):
        if former is not None:
            found.append((former_at, at, former))
        for state, change in changes[at]:
            counts[state] += change
        former_at = at
        former = next((state for state, count in counts.items() if count), None)
    return found
