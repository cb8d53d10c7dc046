"""Computes the states of a feed's branch over time, from its runs and its facts."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from ci_observer.ingest.states.feeds import TAGS, Facts, Feed
from ci_observer.ingest.states.schedule import SCHEDULED_RUNS, scheduled_runs
from ci_observer.ingest.states.status import NEVER
from ci_observer.ingest.states.sweep import BranchState, Sweep

A = TypeVar("A")
B = TypeVar("B")


class Span(NamedTuple):
    """A state of a feed's branch from a time on: a row of `state_spans`."""

    from_at: str
    branch: str | None
    state: str
    reason: str | None = None
    run_id: int | None = None
    run_attempt: int | None = None

    @property
    def content(self) -> tuple[str | None, str, str | None]:
        """The columns in which adjacent spans differ."""
        return (self.branch, self.state, self.reason)


@dataclass(frozen=True)
class Changed:
    """Runs that have changed: when they were created, and whether one was scheduled.

    `created` is in order.
    """

    created: tuple[str, ...]
    has_scheduled: bool = False

    def newest(self, at: str) -> str:
        """When the newest of them was created that existed at a time."""
        return self.created[max(bisect_right(self.created, at) - 1, 0)]


class TileState(NamedTuple):
    """The state of the branch that a tile shows."""

    branch: str | None
    state: BranchState


# States with the times from which on they are true, in order.
States = list[tuple[str, TileState]]


def compute(
    feed: Feed,
    start: str,
    *,
    end: str = NEVER,
    changed: Changed | None = None,
    most_runs: int | None = None,
) -> tuple[list[Span], str]:
    """The states from `start` to before `end`; and where they end.

    With `changed`, they may end earlier: as soon as no later state depends on runs that
    have changed. Raises `TooManyRuns` if they depend on more than `most_runs`.
    """
    spans: list[Span] = []
    for piece_start, piece_end, known in _pieces(feed.facts, start, end):
        branch = known[0].default_branch
        sweep = Sweep(feed.history(branch), piece_start, most_runs=most_runs)
        states, reached = _states(feed, sweep, branch, piece_end, changed)
        facts = [(max(f.from_at, piece_start), f) for f in known]
        merged = _merged(states, facts)
        for at, tile, then in _with_expected(merged, reached or piece_end):
            span = _span(at, tile, then)
            if not spans or spans[-1].content != span.content:
                spans.append(span)
        if reached:
            return spans, reached
    return spans, end


def _pieces(
    all_facts: Sequence[Facts], start: str, end: str
) -> Iterator[tuple[str, str, list[Facts]]]:
    """The times with one default branch: from, to before, and the facts then."""
    known: list[Facts] = []
    for current, following in zip(all_facts, (*all_facts[1:], None), strict=True):
        until = following.from_at if following else NEVER
        if until <= start or current.from_at >= end:
            continue
        if known and known[0].default_branch != current.default_branch:
            yield max(known[0].from_at, start), current.from_at, known
            known = []
        known.append(current)
    if known:
        yield max(known[0].from_at, start), end, known


def _states(
    feed: Feed, sweep: Sweep, branch: str | None, end: str, changed: Changed | None
) -> tuple[States, str | None]:
    """The states of a branch, or of the tags while it has no runs.

    And the time before which they end, if nothing changes later.
    """
    states: States = []
    reached = None
    for at, state in sweep.changes():
        if at >= end:
            break
        states.append((at, TileState(branch, state)))
        if changed and _is_settled(feed, branch, changed, at, state):
            # Later than this time, and before the next second.
            reached = at + NEVER
            break
    if not all(tile.state.has_runs for _, tile in states):
        states = _with_tags(feed, states, reached or end)
    return states, reached


def _is_settled(
    feed: Feed, branch: str | None, changed: Changed, at: str, state: BranchState
) -> bool:
    """Whether no later state depends on the changed runs.

    They are all older than the last result, which is of a run that always counts.
    """
    newest = changed.newest(at)
    last, decision = state.last, state.decision
    if last is None or decision is None or last.created_at <= newest:
        return False
    if last.removed_at or decision.is_instant_failure:
        return False
    if changed.has_scheduled:
        scheduled = scheduled_runs(feed.history(branch), at)
        return len(scheduled) == SCHEDULED_RUNS and scheduled[0][0] > newest
    return True


def _with_tags(feed: Feed, states: States, end: str) -> States:
    """The states, with those of the tags while the branch has no runs."""
    of_tags: States = []
    for at, state in Sweep(feed.history(TAGS), states[0][0]).changes():
        if at >= end:
            break
        of_tags.append((at, TileState(TAGS, state)))
    return [(at, _shown(own, tag)) for at, own, tag in _merged(states, of_tags)]


def _shown(own: TileState, tag: TileState) -> TileState:
    """The state of the tile. A schedule is expected on the default branch."""
    if own.state.has_runs or not tag.state.has_runs:
        return own
    last_at = own.state.last_scheduled_at
    return TileState(TAGS, tag.state._replace(last_scheduled_at=last_at))


def _merged(
    first: Sequence[tuple[str, A]], second: Sequence[tuple[str, B]]
) -> Iterator[tuple[str, A, B]]:
    """Both values, at each time at which one changes. They begin at the same time."""
    i = j = 0
    while True:
        yield max(first[i][0], second[j][0]), first[i][1], second[j][1]
        next_first = first[i + 1][0] if i + 1 < len(first) else NEVER
        next_second = second[j + 1][0] if j + 1 < len(second) else NEVER
        if (at := min(next_first, next_second)) == NEVER:
            return
        i += next_first == at
        j += next_second == at


def _with_expected(
    merged: Iterable[tuple[str, TileState, Facts]], end: str
) -> Iterator[tuple[str, TileState, Facts]]:
    """The same until `end`, and the times at which an expected run is overdue."""
    rows = [row for row in merged if row[0] < end]
    for index, (at, tile, then) in enumerate(rows):
        yield at, tile, then
        if times := then.expected_times(tile.state.last_scheduled_at):
            until = rows[index + 1][0] if index + 1 < len(rows) else end
            for time in sorted({*times}):
                if at < time < until:
                    yield time, tile, then


def _span(at: str, tile: TileState, then: Facts) -> Span:
    """What the wall says of these facts, but for the staleness of its data."""
    branch, state = tile
    last, decision = state.last, state.decision
    reason = _why_unknown(at, state, then)
    if reason is None and last and decision:
        color = "green" if decision.result == "passing" else "red"
        return Span(at, branch, color, None, last.run_id, decision.number)
    runs = {
        "stuck": state.stuck,
        "untested": None if then.no_runs_at else state.untested,
    }
    run_id, run_attempt = runs.get(reason or "") or (None, None)
    return Span(at, branch, "unknown", reason or "no_result", run_id, run_attempt)


def _why_unknown(at: str, state: BranchState, then: Facts) -> str | None:
    """Why the last result does not count, if so."""
    decision = state.decision
    has_invalid_file = decision is not None and decision.is_invalid_file
    is_passing = decision is not None and decision.result == "passing"
    reasons = {
        "unwatched": not then.is_watched,
        then.alarm: then.alarm,
        "stuck": state.stuck and not has_invalid_file,
        "overdue": _is_overdue(at, state, then) and not has_invalid_file,
        "untested": is_passing and (then.no_runs_at or state.untested),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _is_overdue(at: str, state: BranchState, then: Facts) -> bool:
    """Whether a scheduled run is overdue. What the settings expect counts first."""
    is_overdue = state.is_overdue
    if expected := then.expected_times(state.last_scheduled_at):
        expected_from, overdue_at = expected
        if expected_from <= at:
            is_overdue = overdue_at <= at
    return is_overdue and then.is_active
