"""The days of a summary, from its URL: whole days of the instance's time zone."""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from sqlite3 import Connection

from ci_observer.web.errors import BadRequest
from ci_observer.web.pages.times import later
from ci_observer.web.parameters import MAX_DAYS, PARAMETERS, day

DEFAULT_DAYS = 7
FILTERS = ("repo", "workflow", "team")
ALLOWED = ("days", "since", "until", *FILTERS)
MAX_TEXT = 300
# The value of the filter for feeds without a team.
NO_TEAM = "null"

_TODAY_SQL = """
select
  t.day, t.timezone, c.now,
  (select min(day) from local_days) as first_day
from today t cross join clock c
"""
_BOUNDS_SQL = "select day, starts_at, ends_at from local_days where day in (?, ?)"


@dataclass(frozen=True)
class Request:
    """The arguments of a summary's URL, without a look at the calendar.

    `days` is None where `since` says on which day the summary begins. The filters are
    empty for all.
    """

    days: int | None = DEFAULT_DAYS
    since: str | None = None
    until: str | None = None
    repos: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]]) -> "Request":
        """Parse the arguments; raises `BadRequest` with what to write instead."""
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in ALLOWED:
                raise BadRequest(
                    f"Unknown filter {name!r}. Allowed: {', '.join(ALLOWED)}."
                )
            if value.strip():
                given.setdefault(name, []).append(value.strip()[:MAX_TEXT])
        since, until = (_day(name, given.get(name)) for name in ("since", "until"))
        days = PARAMETERS["days"].parse(given["days"]) if "days" in given else None
        if since and days:
            raise BadRequest("Write days or since, not both: each sets the first day.")
        return cls(
            days=None if since else days or DEFAULT_DAYS,
            since=since,
            until=until,
            repos=tuple(dict.fromkeys(given.get("repo", ()))),
            workflows=tuple(dict.fromkeys(given.get("workflow", ()))),
            teams=tuple(dict.fromkeys(given.get("team", ()))),
        )

    @property
    def filters(self) -> list[tuple[str, str]]:
        """The filters as arguments of a URL."""
        values = zip(FILTERS, (self.repos, self.workflows, self.teams), strict=True)
        return [(name, value) for name, found in values for value in found]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The arguments that differ from the default, as arguments of a URL."""
        days = None if self.days == DEFAULT_DAYS else self.days
        span = {"days": days, "since": self.since, "until": self.until}
        return [
            *((name, str(value)) for name, value in span.items() if value),
            *self.filters,
        ]

    def selects(self, repo: str, workflow: str, team: str | None) -> bool:
        """Whether the filters select a feed. Only its file has a letter case."""
        repos, teams = (
            {name.casefold() for name in names} for names in (self.repos, self.teams)
        )
        return (
            (not repos or repo.casefold() in repos)
            and (not self.workflows or workflow in self.workflows)
            and (not teams or (team or NO_TEAM).casefold() in teams)
        )


@dataclass(frozen=True)
class Span:
    """Some whole days. `since` and `until` are instants; `until` is not part of it."""

    first_day: str
    last_day: str
    since: str
    until: str

    @property
    def days(self) -> int:
        return _number(self.last_day) - _number(self.first_day) + 1

    @property
    def last_second(self) -> str:
        """The last second of the span, for filters that include their end."""
        return later(self.until, -1)

    @property
    def all_days(self) -> list[str]:
        first, last = _number(self.first_day), _number(self.last_day)
        return [_day_of(number) for number in range(first, last + 1)]

    @property
    def periods(self) -> list[tuple[str, str]]:
        """The rows of rollups that add up to it: whole months, and the other days."""
        days = self.all_days
        lengths = Counter(day[:7] for day in days)
        return list(
            dict.fromkeys(
                ("month", month)
                if lengths[month := day[:7]] == _days_of_month(month)
                else ("day", day)
                for day in days
            )
        )


@dataclass(frozen=True)
class Spans:
    """The span of a summary and the one before it, which is as long.

    `now` is the time of the summary, and `is_over` whether the span has ended.
    `timezone` is the one whose days count.
    """

    span: Span
    before: Span
    today: str
    now: str
    timezone: str

    @property
    def is_over(self) -> bool:
        return self.span.until <= self.now

    @property
    def next_minute(self) -> str:
        """When the numbers that depend on the time change."""
        return later(f"{self.now[:17]}00Z", 60)


def read_spans(conn: Connection, request: Request) -> Spans:
    """The days that a request means; raises `BadRequest` for impossible ones."""
    today, timezone, now, first_day = conn.execute(_TODAY_SQL).fetchone()
    last = request.until or today
    if last > today:
        raise BadRequest(
            f"until={last} is in the future: today is {today} ({timezone})."
        )
    first = request.since or _day_of(_number(last) - (request.days or 1) + 1)
    days = _number(last) - _number(first) + 1
    if days < 1:
        raise BadRequest(f"since={first} is after the last day, {last}.")
    if days > MAX_DAYS:
        raise BadRequest(
            f"From {first} to {last} are {days} days. A summary has at most {MAX_DAYS}."
        )
    before = [_day_of(_number(first) - n) for n in (days, 1)]
    if before[0] < first_day:
        raise BadRequest(f"The calendar begins on {first_day}. Choose later days.")
    return Spans(
        _span(conn, first, last),
        _span(conn, *before),
        today=today,
        now=now,
        timezone=timezone,
    )


def _span(conn: Connection, first: str, last: str) -> Span:
    found = {row[0]: row for row in conn.execute(_BOUNDS_SQL, (first, last))}
    return Span(first, last, found[first][1], found[last][2])


def _days_of_month(month: str) -> int:
    return monthrange(int(month[:4]), int(month[5:]))[1]


def _number(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _day_of(number: int) -> str:
    return date.fromordinal(max(1, number)).isoformat()


def _day(name: str, values: list[str] | None) -> str | None:
    if not values:
        return None
    return day(name, values[-1])
