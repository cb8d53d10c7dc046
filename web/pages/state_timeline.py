"""The states of a workflow or a repository over time as a bar, with a list of them.

Positions are percentages of the bar, so that the SVG stretches without its text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from sqlite3 import Connection
from typing import Any
from zoneinfo import ZoneInfo

from ci_observer.web.pages.times import DAY, HOUR, epoch
from ci_observer.web.urls import run_path, with_query
from ci_observer.web.vocabulary import label_of

GREEN, RED, UNKNOWN = "green", "red", "unknown"
# The reason of an unknown state before the first result.
NO_RESULT = "no_result"
# The symbols are those of a tile, of an unknown state that of its reason.
SYMBOLS = {GREEN: "passing", RED: "failing", UNKNOWN: "unknown"}
# Of more spans, a part of the bar is the worst state of its time.
MOST_SPANS, PARTS = 150, 200
WORST_FIRST = (RED, UNKNOWN, GREEN)
# The axis has a mark at each of these steps, in seconds, but no more than this number.
STEPS = (HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY)
MOST_TICKS = 10
# A symbol needs as much of the width.
SYMBOL_PERCENT = 6.0
MIN_PERCENT = 0.2
# So many spans are listed.
LISTED = 100

_SPANS = """
select {columns}, from_at, to_at
from {view}
where {where} and from_at < :until and coalesce(to_at, :until) > :since
order by from_at
"""
SPANS_SQL = _SPANS.format(
    columns="state, reason, run_id, run_attempt, branch",
    view="state_timeline",
    where="repo = :repo and workflow = :workflow",
)
REPO_SPANS_SQL = _SPANS.format(
    columns="state, null as reason, null as run_id, null as run_attempt,"
    " null as branch",
    view="repo_timeline",
    where="repo = :repo",
)
# Whether the states are complete, since when more than runs is recorded, and the number
# of red times that began since a time.
KNOWN_SQL = """
select
  (
    select coalesce(max(p.complete_from), '~') from state_progress p
    where p.repo = :repo and p.workflow = :workflow having count(*) > 0
  ) as complete_from,
  (
    select min(from_at) from feed_states
    where repo = :repo and workflow = :workflow and is_watched
  ) as recorded_from,
  (
    select count(*) from breaks
    where repo = :repo and workflow = :workflow and broken_at >= :since
  ) as breaks,
  :since as since, :until as until
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """A state with its times, UTC; `to_at` is None if it is still so.

    `seconds` are those within the bar. `run_id` is the run that made it so, if any.
    """

    state: str
    reason: str | None
    from_at: str
    to_at: str | None
    seconds: int
    run_id: int | None = None
    run_attempt: int | None = None

    @property
    def label(self) -> str:
        """The state in words; of an unknown one, why."""
        return label_of(self.reason) if self.reason else self.state

    @property
    def wall_path(self) -> str:
        """The path of the wall at the beginning of this state."""
        return with_query("/", {"at": self.from_at})

    @property
    def run_path(self) -> str | None:
        """The path of the page of its run."""
        if self.run_id is None:
            return None
        attempt = self.run_attempt
        return run_path(self.run_id, attempt=attempt if attempt != 1 else None)


@dataclass(frozen=True)
class Part:
    """A part of the bar, in percent, with the span whose wall it opens."""

    x: float
    width: float
    span: Span

    @property
    def state(self) -> str:
        return self.span.state

    @property
    def symbol(self) -> str | None:
        """The name of the state's symbol, if there is room for it."""
        if self.width < SYMBOL_PERCENT:
            return None
        reason = self.span.reason
        return reason if reason and reason != NO_RESULT else SYMBOLS[self.state]


@dataclass(frozen=True)
class Timeline:
    """The states from `since` to `until`, UTC, with the axis.

    `ticks` are pairs of a position in percent and a local time.
    """

    since: str
    until: str
    spans: tuple[Span, ...]
    parts: tuple[Part, ...]
    ticks: tuple[tuple[float, str], ...]

    @property
    def listed(self) -> list[Span]:
        """The newest spans, newest first."""
        return list(self.spans[: -LISTED - 1 : -1])

    def seconds(self, state: str) -> int:
        """For how long the state was so. Before the first result it was nothing."""
        return sum(
            span.seconds
            for span in self.spans
            if span.state == state and span.reason != NO_RESULT
        )

    def share(self, state: str) -> float | None:
        """The share of a state in the time since there was a result."""
        total = sum(self.seconds(state) for state in SYMBOLS)
        return self.seconds(state) / total if total else None


def read_spans(
    conn: Connection, repo: str, workflow: str | None, *, since: str, until: str
) -> list[Any]:
    """The states of a workflow, or of a repository, in a span of time."""
    sql = SPANS_SQL if workflow else REPO_SPANS_SQL
    params = {"repo": repo, "workflow": workflow, "since": since, "until": until}
    return conn.execute(sql, params).fetchall()


def read_known(
    conn: Connection, repo: str, workflow: str, *, since: str, until: str
) -> list[Any]:
    """How far the states of a workflow are computed and recorded: see `KNOWN_SQL`."""
    params = {"repo": repo, "workflow": workflow, "since": since, "until": until}
    return conn.execute(KNOWN_SQL, params).fetchall()


def timeline(
    rows: Iterable[Any], *, since: str, until: str, zone: ZoneInfo
) -> Timeline:
    """The bar of some rows of `SPANS_SQL`, from `since` to `until`."""
    start, end = epoch(since) or 0, epoch(until) or 0
    spans = tuple(_spans([dict(row) for row in rows], start, end))
    timed = [(_clipped(span, start, end), span) for span in spans]
    if len(timed) > MOST_SPANS:
        timed = _merged(timed, start, end)
    parts = tuple(_parts(timed, start, end))
    return Timeline(since, until, spans, parts, tuple(_ticks(start, end, zone)))


def _spans(rows: list[Row], start: int, end: int) -> Iterator[Span]:
    """The rows as spans. Where only the branch changes, one goes on."""
    for row in rows:
        first = max(start, epoch(row["from_at"]) or start)
        last = min(end, epoch(row["to_at"]) or end)
        yield Span(
            row["state"],
            row["reason"],
            row["from_at"],
            row["to_at"],
            max(0, last - first),
            row["run_id"],
            row["run_attempt"],
        )


def _clipped(span: Span, start: int, end: int) -> tuple[int, int]:
    first = max(start, epoch(span.from_at) or start)
    return first, min(end, epoch(span.to_at) or end)


Timed = list[tuple[tuple[int, int], Span]]


def _merged(timed: Timed, start: int, end: int) -> Timed:
    """Equal parts of the bar, each with the worst of the states in it."""
    found: Timed = []
    size = (end - start) / PARTS
    position = 0
    for number in range(PARTS):
        first, last = start + number * size, start + (number + 1) * size
        while position < len(timed) - 1 and timed[position][0][1] <= first:
            position += 1
        within: list[Span] = []
        for (begins, ends), span in timed[position:]:
            if begins >= last:
                break
            if ends > first:
                within.append(span)
        if not within:
            continue
        worst = min(within, key=lambda span: WORST_FIRST.index(span.state))
        if (
            found
            and found[-1][1].state == worst.state
            and found[-1][0][1] == int(first)
        ):
            found[-1] = ((found[-1][0][0], int(last)), found[-1][1])
        else:
            found.append(((int(first), int(last)), worst))
    return found


def _parts(timed: Timed, start: int, end: int) -> Iterator[Part]:
    for (first, last), span in timed:
        if end <= start or last <= first:
            continue
        x = 100 * (first - start) / (end - start)
        width = max(MIN_PERCENT, 100 * (last - first) / (end - start))
        yield Part(round(min(x, 100 - width), 2), round(width, 2), span)


def _ticks(start: int, end: int, zone: ZoneInfo) -> Iterator[tuple[float, str]]:
    """The axis: round local times, and days where a step is a day or longer."""
    step = next((s for s in STEPS if (end - start) / s <= MOST_TICKS), STEPS[-1])
    text = "%H:%M" if step < DAY else "%-d %b"
    for at in _round_times(start, end, step, zone):
        is_midnight = at.hour == at.minute == 0
        label = at.strftime("%-d %b" if is_midnight else text)
        yield round(100 * (at.timestamp() - start) / (end - start), 2), label


def _round_times(start: int, end: int, step: int, zone: ZoneInfo) -> Iterator[datetime]:
    local = datetime.fromtimestamp(start, UTC).astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, tzinfo=None)
    # Local times, so that days of 23 or 25 hours are one step too.
    at = midnight
    while True:
        instant = at.replace(tzinfo=zone)
        if instant.timestamp() > end:
            return
        if instant.timestamp() >= start:
            yield instant
        at += timedelta(seconds=step)


def expires_at(timeline: Timeline) -> str:
    """When the end of the bar has moved by a visible part."""
    since, until = (epoch(at) or 0 for at in (timeline.since, timeline.until))
    seconds = max(60, (until - since) // 1000)
    return datetime.fromtimestamp(until + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def midnight(day: str, zone: ZoneInfo) -> str:
    """When a local day began, UTC."""
    local = datetime.fromisoformat(day).replace(tzinfo=zone)
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sums(timeline: Timeline) -> list[tuple[str, int, float]]:
    """Each state that occurs, with its seconds and its share."""
    return [
        (state, timeline.seconds(state), timeline.share(state) or 0.0)
        for state in (GREEN, RED, UNKNOWN)
        if timeline.seconds(state)
    ]
