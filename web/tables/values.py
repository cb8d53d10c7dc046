"""Values as HTML: times, durations, percentages, and results.

Values repeat from cell to cell and from page to page, so they are cached.
"""

from functools import lru_cache
from zoneinfo import ZoneInfo

from markupsafe import Markup

from ci_observer.web.pages.times import SPACE, duration, local_time, percent
from ci_observer.web.vocabulary import (
    ACTIVITIES,
    ALARMS,
    FAILING_ALARM,
    STATUSES,
    Result,
    label_of,
    result_of,
)

MAX_PERCENT = 100
CACHE_SIZE = 5000
# In percent; a smaller part is not shown as none.
LEAST = 0.1
_STATE_LOOKS = {
    **dict.fromkeys(ALARMS, "alarm"),
    **dict.fromkeys(ACTIVITIES, "active"),
    **{"failing": "bad", FAILING_ALARM: "bad", "held": "held", "passing": "good"},
}


@lru_cache(CACHE_SIZE)
def moment(instant: str, zone: ZoneInfo) -> Markup:
    """An instant in the time zone, with the stored text as its title."""
    try:
        shown = local_time(instant, zone)
    except OverflowError:  # At the ends of the calendar.
        shown = instant
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(instant, shown)


@lru_cache(CACHE_SIZE)
def percentage(value: float) -> str:
    """A number of percent as text: `95 %`, `8.4 %`; only nothing is `0 %`."""
    size = abs(value)
    if 0 < size < LEAST:
        return f"< {LEAST}{SPACE}%"
    return f"{'-' if value < 0 else ''}{percent(size / MAX_PERCENT)}"


def result_mark(result: Result, exact: str) -> Markup:
    """A result as colour, symbol and word; the stored word as title if it differs."""
    title = "" if result.label == exact else Markup(' title="{}"').format(exact)
    return _MARK.format(result.css_class, title, result.symbol, result.label)


_MARK = Markup(
    '<span class="result" data-look="{}"{}><svg class="symbol" viewBox="0 0 24 24"'
    ' aria-hidden="true"><use href="#symbol-{}"/></svg> {}</span>'
)


@lru_cache(CACHE_SIZE)
def duration_mark(value: float, unit: int, name: str) -> Markup:
    """A duration as text, with the exact value and the name of its unit as title."""
    names = name if unit > 1 or value == 1 else f"{name}s"
    return Markup('<span title="{} {}">{}</span>').format(
        value, names, duration(value * unit)
    )


@lru_cache(CACHE_SIZE)
def conclusion_mark(conclusion: str) -> Markup:
    """A conclusion as mark; a word that is new is its own label."""
    run = {"status": "completed", "conclusion": conclusion}
    return result_mark(result_of(run), conclusion)


@lru_cache(CACHE_SIZE)
def status_mark(status: str) -> Markup:
    """The status of an unfinished run as mark."""
    return result_mark(STATUSES[status], status)


@lru_cache(CACHE_SIZE)
def state_mark(state: str) -> Markup:
    """A tile's state as mark."""
    look = _STATE_LOOKS.get(state, "other")
    return result_mark(Result(label_of(state), look, state), state)
