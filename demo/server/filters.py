"""The filters of run lists: which runs a query selects.

https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ci_observer.demo.server.messages import BadParameter
from ci_observer.demo.server.model import Run, RunVersion, value_of
from ci_observer.demo.server.run_objects import check_suite_id
from ci_observer.demo.server.viewer import Viewer

# The documented values, and startup_failure, which `gh run list --status` offers.
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

Row = tuple[Run, RunVersion]
Test = Callable[[Run, RunVersion], bool]


def flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")


def is_filtered(query: Mapping[str, str]) -> bool:
    """True if the list comes from the search index, which has a cap and a lag."""
    return any(query.get(name) for name in TESTS)


def row_filter(query: Mapping[str, str]) -> Test | None:
    """All filters of the query combined. None if it has no filter.

    Raises BadParameter for a value that GitHub does not know.
    """
    tests = [TESTS[name](query[name]) for name in TESTS if query.get(name)]
    if not tests:
        return None
    return lambda run, version: all(test(run, version) for test in tests)


def select_runs(
    query: Mapping[str, str], viewer: Viewer, runs: Sequence[Run]
) -> tuple[list[Row], int]:
    """The visible runs that match the query, newest first, and their total count."""
    test = row_filter(query)
    rows = [
        (run, version)
        for run in reversed(runs)
        if (version := run.version_at(viewer.as_of)) is not None
    ]
    if test is None:
        return rows, len(rows)
    found = [row for row in rows if test(*row)]
    kept = found[len(found) - int(len(found) * viewer.keep) :]
    return kept, len(found if viewer.counts_all else kept)


def equals(name: str) -> Callable[[str], Test]:
    def make(wanted: str) -> Test:
        return lambda run, version: value_of(run, version, name) == wanted

    return make


def by_actor(login: str) -> Test:
    """`actor` is the person who pushed, not who re-ran; logins ignore case."""

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


TESTS: dict[str, Callable[[str], Test]] = {
    "actor": by_actor,
    "branch": equals("head_branch"),
    "check_suite_id": by_check_suite,
    "created": by_created,
    "event": equals("event"),
    "head_sha": equals("head_sha"),
    "status": by_status,
}

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


def created_range(text: str) -> tuple[datetime, datetime]:
    """A search expression as a half-open range: `>=A`, `>A`, `<B`, `A..B`, a day.

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
    """A day or a second as a half-open range; UTC if the text has no zone."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadParameter(f"{text} is not a date for created") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    is_day = "T" not in text and " " not in text.strip()
    return at, at + (timedelta(days=1) if is_day else timedelta(seconds=1))
