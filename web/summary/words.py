"""Days, numbers and labels of a summary as text."""

from collections.abc import Mapping
from typing import Any

from ci_observer.web.pages.counted_runs import day_text
from ci_observer.web.pages.times import (
    MINUTE,
    SPACE,
    epoch,
    exact_duration,
    percent,
)
from ci_observer.web.texts import display_text

UNKNOWN = "not known"


def span_text(span: Mapping[str, Any]) -> str:
    """The days as text: "23 to 29 Nov 2026"."""
    first, last = span["first_day"], span["last_day"]
    if first == last:
        return day_text(first)
    if first[:7] == last[:7]:
        return f"{int(first[8:])} to {day_text(last)}"
    return f"{day_text(first)} to {day_text(last)}"


STATE_WORDS = {"red": "red", "unknown": "not proved", "green": "green"}


def states_text(row: Mapping[str, Any]) -> str:
    """All of the recorded time: "red 5 h (3 %), not proved 0 s (0 %), green 6 d"."""
    recorded = row["recorded_seconds"]
    if not recorded:
        return "nothing is recorded"
    return ", ".join(
        f"{word} {exact_duration(seconds)} ({percent(seconds / recorded)})"
        for state, word in STATE_WORDS.items()
        if (seconds := row[f"{state}_seconds"]) or state != "unknown"
    )


def recorded_text(row: Mapping[str, Any], span: Mapping[str, Any]) -> str:
    """How much of the span is recorded, unless it is all."""
    ends = min(epoch(span["until"]) or 0, epoch(span["now"]) or 0)
    missing = ends - (epoch(span["since"]) or 0) - row["recorded_seconds"]
    if missing < MINUTE or not row["recorded_seconds"]:
        return ""
    return f"recorded {exact_duration(row['recorded_seconds'])}"


def number(value: float | None) -> str:
    """A number as text with one decimal at most, and a comma for thousands."""
    if value is None:
        return ""
    rounded = round(value, 1)
    return f"{rounded:,}" if rounded % 1 else f"{int(rounded):,}"


def minutes_text(minutes: float) -> str:
    """Minutes as text, as on the dashboards: `1,234 min`."""
    return f"{int(minutes + 0.5):,}{SPACE}min"


def label_text(labels: list[str] | None) -> str:
    """The labels of a runner, for display."""
    return display_text(", ".join(labels or ())) or UNKNOWN
