"""Finds every change of the state of a branch, from its runs.

It is a sweep over the times at which runs are created, begin, end and are deleted. The
rules are those of the views of tiles: `tile_runs`, `tile_last_results` and
`tile_later_runs`. Those of overdue and stuck runs are in `schedule` and `stuck`.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ci_observer.ingest.states.history import Attempt, History, Run
from ci_observer.ingest.states.schedule import SCHEDULE, Schedule
from ci_observer.ingest.states.status import NEVER, Status, status_at
from ci_observer.ingest.states.stuck import RunKey, stuck_runs

# In an event that concerns a run that is not loaded, or several.
NO_RUN = 0
# How many attempts are read at once: first few, as most sweeps soon end.
MIN_CHUNK, MAX_CHUNK = 50, 2000


class BranchState(NamedTuple):
    """A branch at some time, without what is recorded about its feed.

    `decision` is the attempt of the last result. The others are the runs, with an
    attempt each, that make its state unknown.
    """

    has_runs: bool
    last: Run | None
    decision: Attempt | None
    untested: RunKey | None
    stuck: RunKey | None
    is_overdue: bool
    last_scheduled_at: str | None


class TooManyRuns(Exception):
    """The states depend on more runs than can be read at once."""


@dataclass
class Sweep:
    """The states of a branch from a time on, in order: `changes()`."""

    history: History
    start: str
    most_runs: int | None = None
    now: str = field(init=False)
    runs: dict[int, Run] = field(init=False, default_factory=dict)
    last: Run | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.now = self.start
        self._statuses: dict[int, Status] = {}
        self._events: list[tuple[str, int]] = []
        # Runs since the last result, by id.
        self._open: dict[int, Run] = {}
        self._undecided: dict[int, Run] = {}
        self._instant_events: set[str] = set()
        self._phantom_events: frozenset[str] = frozenset()
        self._proven: dict[str, str] | None = None
        self._schedule = Schedule(self.history)
        # The runs created by `_loaded_to` are loaded; with None, all are.
        self._loaded_to: tuple[str, int] | None = (self.start, 2**63 - 1)
        self._limit = MIN_CHUNK
        self._had_runs: bool | None = None

    def changes(self) -> Iterator[tuple[str, BranchState]]:
        """The state at the start and after each later time at which it may change."""
        self._begin()
        while True:
            end = self._next_event()
            yield from self._states_until(end)
            if end == NEVER:
                return
            self.now = end
            self._apply_events()

    def _begin(self) -> None:
        for run in self.history.relevant_until(self.start):
            self._add(run)
        self._judge_phantoms()
        self._rescan()
        self._read_schedule()

    def _add(self, run: Run) -> None:
        self.runs[run.run_id] = run
        self._statuses[run.run_id] = status_at(run, self.now)
        times = {run.created_at, run.removed_at}
        for attempt in run.attempts:
            times |= {attempt.started_at, attempt.ended_at}
            if attempt.is_instant_failure:
                self._add_instant_event(run.event)
        for time in times:
            if time and time > self.now:
                heapq.heappush(self._events, (time, run.run_id))

    def _add_instant_event(self, event: str) -> None:
        self._instant_events.add(event)
        if self._proven is None:
            self._proven = self.history.proven_events()
            for time in self._proven.values():
                if time > self.now:
                    heapq.heappush(self._events, (time, NO_RUN))

    def _next_event(self) -> str:
        """The time of the next event, or `NEVER`; loads the runs until then."""
        while self._loaded_to is not None and (
            not self._events or self._events[0][0] >= self._loaded_to[0]
        ):
            runs = self.history.after(self._loaded_to, self._limit)
            self._limit = min(2 * self._limit, MAX_CHUNK)
            for run in runs:
                self._add(run)
            if self.most_runs is not None and len(self.runs) > self.most_runs:
                raise TooManyRuns
            self._loaded_to = runs[-1].key if runs else None
        return self._events[0][0] if self._events else NEVER

    def _apply_events(self) -> None:
        must_rescan = False
        while self._events and self._events[0][0] == self.now:
            _, run_id = heapq.heappop(self._events)
            run = self.runs.get(run_id)
            must_rescan |= self._update(run) if run else True
        if self._instant_events:
            before = self._phantom_events
            self._judge_phantoms()
            must_rescan |= before != self._phantom_events
        if must_rescan:
            self._rescan()
            self._read_schedule()

    def _update(self, run: Run) -> bool:
        """Take in the new status of a run. Returns whether all must be looked at."""
        status = status_at(run, self.now)
        before, self._statuses[run.run_id] = self._statuses[run.run_id], status
        if before.is_present and not status.is_present:
            return True
        if run.event == SCHEDULE and not before.is_present and status.is_present:
            self._schedule.add(run.created_at)
        self._take(run, status)
        if run.event == SCHEDULE and self._is_phantom(run, status):
            self._read_schedule()
        return False

    def _read_schedule(self) -> None:
        ends = self._schedule.read(
            self.now, without_phantoms=SCHEDULE in self._phantom_events
        )
        for removed_at in ends:
            heapq.heappush(self._events, (removed_at, NO_RUN))

    def _take(self, run: Run, status: Status) -> None:
        self._open.pop(run.run_id, None)
        self._undecided.pop(run.run_id, None)
        if not status.is_present:
            return
        counts = status.decision is not None and not self._is_phantom(run, status)
        if counts and (self.last is None or run.key > self.last.key):
            self.last = run
            self._forget_older(run)
        if status.is_open:
            if self.last is None or run.created_at >= self.last.created_at:
                self._open[run.run_id] = run
        elif not counts and (self.last is None or run.key > self.last.key):
            attempt = status.attempt
            if attempt is None or attempt.is_undecided or attempt.is_instant_failure:
                self._undecided[run.run_id] = run

    def _forget_older(self, last: Run) -> None:
        self._open = {
            i: run for i, run in self._open.items() if run.created_at >= last.created_at
        }
        self._undecided = {
            i: run for i, run in self._undecided.items() if run.key > last.key
        }

    def _rescan(self) -> None:
        self.last = None
        self._open, self._undecided = {}, {}
        for run in sorted(self.runs.values(), key=lambda run: run.key):
            self._take(run, self._statuses[run.run_id])

    def _judge_phantoms(self) -> None:
        """Find the events whose instant failures are phantoms: see `tile_runs`."""
        proven = {e for e, at in (self._proven or {}).items() if at <= self.now}
        candidates = self._instant_events - proven if proven else set()
        if candidates:
            candidates -= {
                run.event
                for run in self.runs.values()
                if self._statuses[run.run_id].is_open
            }
        self._phantom_events = frozenset(candidates)

    def _is_phantom(self, run: Run, status: Status) -> bool:
        return bool(
            run.event in self._phantom_events
            and status.attempt
            and status.attempt.is_instant_failure
            and not status.is_open
        )

    def _states_until(self, end: str) -> Iterator[tuple[str, BranchState]]:
        """The state now, and after each change by time alone until `end`."""
        decision = self._statuses[self.last.run_id].decision if self.last else None
        untested = self._untested(decision)
        has_runs = self.last is not None or self._has_runs()
        overdue_at, overdue_until = self._schedule.overdue(end)
        stuck = stuck_runs(self.history, self._open_attempts(), self.now, end)
        times = {time for time in (overdue_at, overdue_until) if self.now < time < end}
        for at in sorted({self.now, *times, *stuck}):
            yield (
                at,
                BranchState(
                    has_runs,
                    self.last,
                    decision,
                    untested,
                    stuck[max(t for t in stuck if t <= at)],
                    overdue_at <= at < overdue_until,
                    self._schedule.last_at,
                ),
            )

    def _untested(self, decision: Attempt | None) -> RunKey | None:
        """The newest run that decided nothing, if the last result is passing."""
        if decision is None or decision.result != "passing":
            return None
        found = [run for run in self._undecided.values() if self._is_untested(run)]
        if not found:
            return None
        newest = max(found, key=lambda run: run.key)
        attempt = self._statuses[newest.run_id].attempt
        return (newest.run_id, attempt.number if attempt else None)

    def _is_untested(self, run: Run) -> bool:
        status = self._statuses[run.run_id]
        attempt = status.attempt
        if attempt is None:
            return True
        if attempt.is_instant_failure:
            return self._is_phantom(run, status)
        if not attempt.is_superseded:
            return True
        end = attempt.ended_at or NEVER
        return not any(
            other.key > run.key and other.created_at <= end and self._succeeds(other)
            for other in self.runs.values()
        )

    def _succeeds(self, other: Run) -> bool:
        """Whether a newer run may test what a superseded one did not."""
        status = self._statuses[other.run_id]
        return status.is_present and (
            status.is_open or status.attempt is None or not status.attempt.is_skipped
        )

    def _has_runs(self) -> bool:
        if self._had_runs is None:
            self._had_runs = self.history.has_run(self.start)
        return self._had_runs or any(
            status.is_present and not self._is_phantom(self.runs[run_id], status)
            for run_id, status in self._statuses.items()
        )

    def _open_attempts(self) -> dict[int, Attempt]:
        statuses = ((run_id, self._statuses[run_id]) for run_id in self._open)
        return {i: status.attempt for i, status in statuses if status.attempt}
