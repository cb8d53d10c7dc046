"""Query parameters of run lists: their forms, their limits, and what they select.

https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ci_observer.demo.server.records import Run, RunVersion, value_of
from ci_observer.demo.server.runs import check_suite_id

DEFAULT_PER_PAGE, MAX_PER_PAGE = 30, 100

# The documented words, and startup_failure, which `gh run list --status` offers.
STATUSES = {"completed", "in_progress", "queued", "requested", "waiting", "pending"}
CONCLUSIONS = {
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "skipped",
    "stale",
    "startup_failure",
    "success",
    "timed_out",
}
FILTERS = (
    "actor",
    "branch",
    "check_suite_id",
    "created",
    "event",
    "head_sha",
    "status",
)

Row = tuple[Run, RunVersion]
Test = Callable[[Run, RunVersion], bool]


class BadParameter(ValueError):
    """A parameter GitHub answers with 422; the message names it."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How many runs GitHub lists and counts at most.

    Of a list without a filter users report 40,000, then 422; with a filter there are
    "up to 1,000 results for each search". `list_end` is "422" when the last page still
    links to one beyond, "no link" when it does not.
    """

    listed: int = 40_000
    counted: int = 40_000
    searched: int = 1000
    list_end: str = "422"


@dataclass(frozen=True, slots=True)
class Page:
    """`page` counts from 1; `last` is the number of pages there are, at least 1."""

    number: int
    size: int

    def last(self, reachable: int) -> int:
        return max(1, -(-reachable // self.size))

    def cut(self, rows: Sequence[Row]) -> Sequence[Row]:
        return rows[(self.number - 1) * self.size : self.number * self.size]


def page_of(query: Mapping[str, str]) -> Page:
    """The page asked for; `per_page` is capped at 100 and 0 means the default."""
    size = whole_number(query, "per_page", DEFAULT_PER_PAGE)
    number = whole_number(query, "page", 1)
    return Page(max(number, 1), min(size or DEFAULT_PER_PAGE, MAX_PER_PAGE))


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise BadParameter(f"{name} must be a whole number")
    return int(text)


def flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")


def is_filtered(query: Mapping[str, str]) -> bool:
    """Whether the list comes from the search index, with its cap and its lag."""
    return any(query.get(name) for name in FILTERS)


def row_filter(query: Mapping[str, str]) -> Test | None:
    """All given filters together, None without any.

    Raises BadParameter for a word GitHub does not know.
    """
    tests = [MAKERS[name](query[name]) for name in FILTERS if query.get(name)]
    if not tests:
        return None
    return lambda run, version: all(test(run, version) for test in tests)


def by_equality(name: str) -> Callable[[str], Test]:
    def make(wanted: str) -> Test:
        return lambda run, version: value_of(run, version, name) == wanted

    return make


def by_actor(login: str) -> Test:
    """`actor` is who pushed, not who re-ran; logins have no case."""

    def test(run: Run, version: RunVersion) -> bool:
        actor = value_of(run, version, "actor")
        name = actor.get("login") if isinstance(actor, dict) else actor
        return isinstance(name, str) and name.lower() == login.lower()

    return test


def by_status(word: str) -> Test:
    if word not in STATUSES | CONCLUSIONS:
        raise BadParameter(f"{word} is not a status or conclusion")
    return lambda run, version: word in (version.status, version.conclusion)


def by_check_suite(text: str) -> Test:
    def test(run: Run, _: RunVersion) -> bool:
        given = (run.payload or {}).get("check_suite_id")
        return str(given or check_suite_id(run)) == text

    return test


def by_created(text: str) -> Test:
    start, end = created_range(text)
    return lambda run, _: start <= run.created_at < end


MAKERS: dict[str, Callable[[str], Test]] = {
    "actor": by_actor,
    "branch": by_equality("head_branch"),
    "check_suite_id": by_check_suite,
    "created": by_created,
    "event": by_equality("event"),
    "head_sha": by_equality("head_sha"),
    "status": by_status,
}

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


def created_range(text: str) -> tuple[datetime, datetime]:
    """Search syntax as a half-open range: `>=A`, `>A`, `<=B`, `<B`, `A..B`, a day.

    https://docs.github.com/en/search-github/getting-started-with-searching-on-github/understanding-the-search-syntax#query-for-dates
    """
    if ".." in text:
        low, _, high = text.partition("..")
        start = EARLIEST if low == "*" else moment(low)[0]
        return start, LATEST if high == "*" else moment(high)[1]
    for sign in (">=", "<=", ">", "<"):
        if text.startswith(sign):
            return one_sided(sign, *moment(text.removeprefix(sign)))
    return moment(text)


def one_sided(sign: str, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    ranges = {
        ">=": (start, LATEST),
        ">": (end, LATEST),
        "<=": (EARLIEST, end),
        "<": (EARLIEST, start),
    }
    return ranges[sign]


def moment(text: str) -> tuple[datetime, datetime]:
    """The day or the second a text names, as a half-open range; UTC unless said."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadParameter(f"{text} is not a date for created") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    is_day = "T" not in text and " " not in text.strip()
    return at, at + (timedelta(days=1) if is_day else timedelta(seconds=1))
