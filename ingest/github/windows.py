"""Time windows: fetching history that is older than the end of GitHub's run list.

A workflow's run list ends after about 40,000 runs, users report. Older runs are listed
with the filter `created=FROM..TO`. GitHub serves filtered lists from a search index: it
lists at most 1,000 runs, lags, and sometimes responds with a part of them or with none.
So a window is halved until it fits. It overlaps with stored runs, and a response that
does not contain those, or fewer runs than its own count, is requested again.

Pure functions of GitHub's responses. Times are UTC texts as in the database.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from ci_observer.ingest.times import utc

# "up to 1,000 results for each search when using" a filter:
# https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
MAX_LISTED = 1000
# A window is left incomplete after this number of incomplete responses.
MAX_INCOMPLETE = 3
# Stored runs that a window overlaps with. Runs created in one second cannot be
# separated, so there may be more, up to the maximum.
OVERLAP_RUNS = 10
MAX_OVERLAP_RUNS = 20
# GitHub's limits of listing and counting have always been multiples of this.
ROUND = 100
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Window:
    """The runs created from `start` to `end`, both seconds included.

    Runs up to `missing_until` are to be fetched; later ones are stored already and show
    whether a response is complete. `total` is GitHub's largest count for the window.
    """

    start: str
    missing_until: str
    end: str
    total: int = 0
    incomplete_responses: int = 0

    @property
    def created(self) -> str:
        """The value of GitHub's parameter `created`."""
        return f"{self.start}..{self.end}"

    @property
    def is_given_up(self) -> bool:
        """Whether every response was incomplete, as often as is tried."""
        return self.incomplete_responses >= MAX_INCOMPLETE

    def upper_half(self) -> "Window":
        """A new window for the newer half of the missing part."""
        begin, middle = _parse(self.start), _parse(self.missing_until)
        seconds = int((middle - begin).total_seconds()) // 2
        start = utc(middle - timedelta(seconds=seconds))
        # A window of one second has no overlap: the second alone may hold MAX_LISTED.
        end = self.end if start < self.missing_until else self.missing_until
        return Window(start, self.missing_until, end)

    def without_overlap(self) -> "Window":
        """A new window for the missing part alone."""
        return Window(self.start, self.missing_until, self.missing_until)

    def next_below(self, until: str) -> tuple[str, str] | None:
        """`start` and `missing_until` of the next older window, None below `until`.

        It is as long as this window, or twice as long if this one held few runs.
        """
        if self.start <= until:
            return None
        start = _parse(self.start)
        length = _parse(self.missing_until) - start + SECOND
        if self.total < MAX_LISTED // 2:
            length *= 2
        return utc(start - min(length, start - _parse(until))), utc(start - SECOND)


@dataclass(frozen=True)
class WindowPage:
    """One page of a window's list, compared with the database.

    `total` is GitHub's count for the window, `stored` the number of its runs that are
    stored now. `misses_known_runs`: stored runs are missing on the page, and
    `sees_no_known_runs`: all of them are. `overflows`: stored runs fill the page, which
    happens below a window that was given up.
    """

    total: int
    stored: int
    is_first: bool
    misses_known_runs: bool
    sees_no_known_runs: bool
    overflows: bool
    next_url: str | None


@dataclass(frozen=True)
class Step:
    """The next request: a page of `window`, its first page if `next_url` is None.

    If `is_done`, the window needs no more requests.
    """

    window: Window
    next_url: str | None = None
    is_done: bool = False


def next_step(window: Window, page: WindowPage) -> Step:
    """The step that follows a page of a window."""
    window = replace(window, total=max(window.total, page.total))
    is_one_second = window.start >= window.missing_until
    if page.is_first and window.total >= MAX_LISTED and not is_one_second:
        # Halving the missing part does not help if the stored part is the full one.
        return Step(window.without_overlap() if page.overflows else window.upper_half())
    if page.is_first and page.misses_known_runs:
        window = _count_incomplete(window)
        if not window.is_given_up:
            return Step(window)
        if not page.sees_no_known_runs:
            # These runs were probably deleted on GitHub. The window's count decides.
            window = replace(window, incomplete_responses=MAX_INCOMPLETE - 1)
    if page.next_url:
        return Step(window, page.next_url)
    if page.stored < window.total:
        window = _count_incomplete(window)
        if not window.is_given_up:
            return Step(window)
    return Step(window, is_done=True)


def is_surely_last(url: str, *, runs: int, total: int | None, has_next: bool) -> bool:
    """Whether a page of the unfiltered list ends it because there are no more runs.

    `runs` is the number of runs on the page, `total` GitHub's count for the list. A
    full page or a round count may be GitHub's limit instead; an empty page that is not
    the first proves nothing.
    """
    if has_next or total is None:
        return False
    query = parse_qs(urlsplit(url).query)
    size, page = _integer(query.get("per_page")), _integer(query.get("page")) or 1
    if runs == 0:
        return page == 1 and total == 0
    is_cut = runs >= size or total % ROUND == 0
    return not is_cut and (page - 1) * size + runs >= total


def _count_incomplete(window: Window) -> Window:
    return replace(window, incomplete_responses=window.incomplete_responses + 1)


def _integer(values: list[str] | None) -> int:
    text = values[-1] if values else ""
    return int(text) if text.isdecimal() else 0


def _parse(text: str) -> datetime:
    """The time in a text of ours; GitHub's may be invalid."""
    return datetime.fromisoformat(text)
