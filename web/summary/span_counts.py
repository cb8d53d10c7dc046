"""The counts of a span, the triggers of its runs, and which runs are stored."""

from collections import Counter
from dataclasses import dataclass, field

from ci_observer.web.summary.counts import Counts
from ci_observer.web.summary.span import Span

Feed = tuple[str, str]


@dataclass
class Triggers:
    """The runs of the newest part of a span, from `since` on, by trigger.

    `hours` has them by weekday, Monday is 0, and hour in the instance's time zone.
    """

    since: str
    is_cut: bool
    events: Counter[str] = field(default_factory=Counter)
    actors: Counter[str] = field(default_factory=Counter)
    hours: Counter[tuple[int, int]] = field(default_factory=Counter)


@dataclass
class SpanCounts:
    """What one span has: `workflows` by feed, and the others of all of them together.

    `labels` and `hours` have the queue times of jobs, as seconds with their number.
    `days` has the counts of each day that has runs.
    """

    workflows: dict[Feed, Counts]
    days: dict[str, Counts]
    labels: dict[str, Counter[float]]
    hours: dict[int, Counter[float]]
    triggers: Triggers
    is_rounded: bool
    is_fetching_jobs: bool


@dataclass(frozen=True)
class History:
    """Which runs are stored: from the day of the oldest one on.

    `is_fetching` is whether runs of the span or of the one before are being fetched.
    """

    first_day: str | None
    is_fetching: bool

    def has_all_of(self, span: Span) -> bool:
        """Whether all runs of a span are stored, as far as that is known."""
        is_older = self.first_day is not None and self.first_day <= span.first_day
        return is_older and not self.is_fetching
