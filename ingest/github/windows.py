"""Windows of time: how GitHub's search is asked for what its plain list leaves out.

The plain list of a workflow ends somewhere (after 40,000 runs, users report). What is
older is listed with a filter, `created=FROM..TO`, and filters are answered by a search
index, which lists 1,000 runs at most, lags, and now and then answers in part or not at
all. So windows are halved until they fit, each reaches up into what is known already,
and one whose answers do not agree with that, or with their own count, is asked again.

Pure functions of what GitHub answered; times are UTC texts as the database has them.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from ci_observer.ingest.times import utc

# "up to 1,000 results for each search when using" a filter:
# https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
MOST_LISTED = 1000
# Answers that do not agree before a window is left as it is.
MOST_DOUBTS = 3
# How many known runs a window reaches up to, and how many it bears: runs of one second
# cannot be parted.
KNOWN_RUNS = 10
MOST_KNOWN_RUNS = 20
# What GitHub lists and counts at most has always been a multiple of it.
ROUND = 100
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Window:
    """Runs created from `start` to `end`, both seconds included.

    What was created after `unknown_to` is known already, and shows whether the search
    sees anything. `total` is the most runs that GitHub has counted in it, `doubts` how
    many of its answers were not whole.
    """

    start: str
    unknown_to: str
    end: str
    total: int = 0
    doubts: int = 0

    @property
    def created(self) -> str:
        """The value of GitHub's parameter `created`."""
        return f"{self.start}..{self.end}"

    @property
    def is_short(self) -> bool:
        """Whether it was asked as often as it is, and never answered whole."""
        return self.doubts >= MOST_DOUBTS

    def upper_half(self) -> "Window":
        """The newer half of what is not known, as if it had not been asked yet."""
        begin, middle = _instant(self.start), _instant(self.unknown_to)
        seconds = int((middle - begin).total_seconds()) // 2
        start = utc(middle - timedelta(seconds=seconds))
        # A second by itself may hold as many runs as are listed at most.
        end = self.end if start < self.unknown_to else self.unknown_to
        return Window(start, self.unknown_to, end)

    def alone(self) -> "Window":
        """Only what is not known, as if it had not been asked yet."""
        return Window(self.start, self.unknown_to, self.unknown_to)

    def below(self, until: str) -> tuple[str, str] | None:
        """From when to when the next window asks, None when this one reached `until`.

        It is as long as this one, or twice as long when that held few runs.
        """
        if self.start <= until:
            return None
        start = _instant(self.start)
        length = _instant(self.unknown_to) - start + SECOND
        if self.total < MOST_LISTED // 2:
            length *= 2
        return utc(start - min(length, start - _instant(until))), utc(start - SECOND)


@dataclass(frozen=True)
class WindowPage:
    """What a page of a window's answer says.

    `total` is what GitHub counts in the whole window, `stored` how many runs of it are
    stored now. `lacks_known` tells whether runs that are known are missing on it, and
    `is_blind` whether all of them are; `is_crowded` whether it has no room for others,
    as where the windows above were left short.
    """

    total: int
    stored: int
    is_first: bool
    lacks_known: bool
    is_blind: bool
    is_crowded: bool
    next_url: str | None


@dataclass(frozen=True)
class Step:
    """What is to be asked next: a page of `window`, its first one without `next_url`.

    `is_done` when nothing more is to be asked of it.
    """

    window: Window
    next_url: str | None = None
    is_done: bool = False


def next_step(window: Window, page: WindowPage) -> Step:
    """What follows from a page of a window's answer."""
    window = replace(window, total=max(window.total, page.total))
    is_one_second = window.start >= window.unknown_to
    if page.is_first and window.total >= MOST_LISTED and not is_one_second:
        # Halving what is unknown cannot help when the known part is the full one.
        return Step(window.alone() if page.is_crowded else window.upper_half())
    if page.is_first and page.lacks_known:
        window = replace(window, doubts=window.doubts + 1)
        if not window.is_short:
            return Step(window)
        if not page.is_blind:
            # Rather these runs were deleted; its count has the last word.
            window = replace(window, doubts=MOST_DOUBTS - 1)
    if page.next_url:
        return Step(window, page.next_url)
    if page.stored < window.total:
        window = replace(window, doubts=window.doubts + 1)
        if not window.is_short:
            return Step(window)
    return Step(window, is_done=True)


def is_surely_last(url: str, *, runs: int, total: int | None, has_next: bool) -> bool:
    """Whether the plain list ends with this page because there are no more runs.

    `total` is what GitHub counts on it. A full page, or a round count, may be where
    GitHub cuts the list off, and its count with it; an empty page proves nothing.
    """
    if has_next or total is None:
        return False
    query = parse_qs(urlsplit(url).query)
    size, number = _number(query.get("per_page")), _number(query.get("page")) or 1
    if runs == 0:
        return number == 1 and total == 0
    is_cut = runs >= size or total % ROUND == 0
    return not is_cut and (number - 1) * size + runs >= total


def _number(values: list[str] | None) -> int:
    text = values[-1] if values else ""
    return int(text) if text.isdecimal() else 0


def _instant(text: str) -> datetime:
    """A time of ours, not one that GitHub sent."""
    return datetime.fromisoformat(text)
