"""How often a workflow should run by its schedule. Pure functions.

A schedule is a word, a number of hours or days, or a cron text as in a workflow file:
https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

HOUR, DAY = 3600, 86_400
WORDS = {
    "hourly": HOUR,
    "daily": DAY,
    "weekly": 7 * DAY,
    "monthly": 31 * DAY,
    "yearly": 366 * DAY,
}
MAX_SECONDS = 366 * DAY
EXAMPLES = (
    'daily, weekly, every 6 hours, every 2 days, or a cron text such as "0 3 * * *"'
)
_WRONG = "no schedule"
_EVERY = re.compile(r"(?:every )?([1-9][0-9]{0,3}) ?(hours?|h|days?|d)", re.I)
_MONTHS = [*("jan", "feb", "mar", "apr", "may", "jun")]
_MONTHS += ["jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# The least and the greatest number of each field, and its names.
_FIELDS: tuple[tuple[int, int, list[str]], ...] = (
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
# From the first of these days on, two leap years and every order of weekdays.
_FIRST_DAY, _DAYS_TRIED = datetime(2023, 1, 1, tzinfo=UTC), 3 * 366


@lru_cache(maxsize=1000)
def longest_gap(schedules: tuple[str, ...]) -> int:
    """The longest time in seconds between two runs of one of the schedules.

    Raises `ValueError` for a text that is no schedule, and for one that never runs or
    less than once a year.
    """
    simple: list[int] = []
    minutes: set[int] = set()
    for text in schedules:
        plain = " ".join(text.split()).lower()
        if seconds := WORDS.get(plain):
            simple.append(seconds)
        elif every := _EVERY.fullmatch(plain):
            simple.append(int(every[1]) * (HOUR if every[2][0] == "h" else DAY))
        else:
            minutes.update(_minutes(plain))
    gaps = [min(simple)] if simple else []
    if minutes:
        gaps.append(_longest_gap(sorted(minutes)))
    gap = min(gaps, default=0)
    if not 0 < gap <= MAX_SECONDS:
        raise ValueError(_WRONG)
    return gap


def _longest_gap(minutes: list[int]) -> int:
    end = _DAYS_TRIED * 24 * 60
    return 60 * max(b - a for a, b in zip([*minutes], [*minutes[1:], end], strict=True))


def _minutes(text: str) -> Iterator[int]:
    """The minutes after `_FIRST_DAY` in which a cron text starts a run."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(_WRONG)
    sets = [_numbers(f, *spec) for f, spec in zip(fields, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = sets
    is_any_day = "*" in (fields[2][0], fields[4][0])
    for number in range(_DAYS_TRIED):
        day = _FIRST_DAY + timedelta(days=number)
        fits = (day.day in days, day.isoweekday() % 7 in weekdays)
        # Of two limited fields, one is enough.
        if day.month in months and (all(fits) if is_any_day else any(fits)):
            for hour in hours:
                yield from (number * 1440 + hour * 60 + minute for minute in minutes)


def _numbers(field: str, least: int, most: int, names: list[str]) -> set[int]:
    """The numbers of a field such as `1-5`, `*/10` or `mon,wed`."""
    found: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        if step and not re.fullmatch(r"[1-9][0-9]?", step):
            raise ValueError(_WRONG)
        if span == "*":
            first, last = least, most
        else:
            start, _, end = span.partition("-")
            first = _number(start, least, names)
            last = _number(end, least, names) if end else (most if step else first)
        if not least <= first <= last <= most + (not least and most == len(_DAYS) - 1):
            raise ValueError(_WRONG)
        found.update(range(first, last + 1, int(step or 1)))
    # 7 is Sunday, too, as on most systems.
    return {n % len(_DAYS) for n in found} if names is _DAYS else found


def _number(text: str, least: int, names: list[str]) -> int:
    if text in names:
        return names.index(text) + least
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise ValueError(_WRONG)
    return int(text)
