"""When a scheduled run of a branch is overdue: the rules of `tile_schedules`."""
# ruff: noqa: S608 (own names, and no value)

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from ci_observer.ingest.states.history import BRANCH_RUNS, History
from ci_observer.ingest.states.status import NEVER, later
from ci_observer.ingest.times import utc

SCHEDULE = "schedule"
# The newest scheduled runs, whose gaps say when the next one is overdue. With fewer
# than `FEWEST_RUNS`, nothing is known of the schedule.
SCHEDULED_RUNS, FEWEST_RUNS = 10, 3
# A scheduled run may be late by this and twice the longest gap; after 30 days, the
# schedule is taken to be gone.
GRACE, ENDS = timedelta(hours=12), timedelta(days=30)


@dataclass
class Schedule:
    """The last scheduled runs of a branch at some time."""

    history: History
    # When they were created, in order.
    times: list[str] = field(default_factory=list)

    def read(self, at: str, *, without_phantoms: bool) -> Iterator[str]:
        """Read those of a time. Yields when one of them will be deleted."""
        runs = scheduled_runs(self.history, at, without_phantoms=without_phantoms)
        self.times = [created_at for created_at, _ in runs]
        return (gone for _, gone in runs if gone and gone > at)

    def add(self, created_at: str) -> None:
        """Add a run that was created after the others."""
        self.times = [*self.times, created_at][-SCHEDULED_RUNS:]

    @property
    def last_at(self) -> str | None:
        """When the last one was created."""
        return self.times[-1] if self.times else None

    def overdue(self, end: str) -> tuple[str, str]:
        """From when until when the next run is overdue; `NEVER` if not before `end`."""
        if len(self.times) < FEWEST_RUNS or later(self.times[-1], GRACE) > end:
            return NEVER, NEVER
        parsed = [datetime.fromisoformat(time) for time in self.times]
        gap = max(after - before for before, after in pairwise(parsed))
        overdue_at = parsed[-1] + 2 * gap + GRACE
        return utc(overdue_at), utc(overdue_at + ENDS)


def expected_overdue_at(last_at: str, seconds: int) -> str:
    """When a run is overdue that the settings expect, as in `expected_schedules`."""
    return later(
        last_at, timedelta(seconds=seconds + max(3600, min(seconds // 2, 43_200)))
    )


def scheduled_runs(
    history: History, at: str, *, without_phantoms: bool = False
) -> list[tuple[str, str | None]]:
    """When the last scheduled runs by `at` were created, in order.

    And from when on they do not count, as GitHub has deleted them.
    """
    is_phantom = """exists (
        select 1 from state_attempts i where i.run_id = r.run_id
        and i.is_instant_failure and i.ended_at <= :at and not exists (
            select 1 from run_attempts a
            where a.run_id = i.run_id and a.run_attempt > 1 and a.started_at <= :at
        )
    )"""
    rows = history.select(
        f"""
        select created_at, removed_at from (
            select
                r.run_id, r.created_at, (
                    select s.removed_at from state_attempts s
                    where s.run_id = r.run_id limit 1
                ) as removed_at
            from runs r
            where {BRANCH_RUNS} and event = 'schedule' and created_at <= :at
                and head_repo = repo
        ) r
        where coalesce(removed_at, '~') > :at
            {f"and not {is_phantom}" if without_phantoms else ""}
        order by created_at desc limit {SCHEDULED_RUNS}
        """,
        at=at,
    )
    return rows[::-1]
