"""The first lines of a summary: is main green, and what got better or worse."""

from collections.abc import Callable
from typing import Any

from ci_observer.web.summary.changes import BETTER, WORSE, Change
from ci_observer.web.summary.counts import Numbers

# Number → its name in the line about the trend.
TREND = {
    "red_seconds": "red time",
    "breaks": "breaks",
    "fix_median_seconds": "time to fix",
    "default_branch_failure_rate_percent": "failures on main",
    "failure_rate_percent": "failures",
    "duration_p50_seconds": "duration",
    "queue_p50_seconds": "queue time",
    "flaky_commits": "flaky commits",
    "rerun_percent": "re-runs",
    "wasted_percent": "wasted minutes",
}
WORDS = {
    "green": "Main is green",
    "red": "Main is red",
    "unknown": "Main is not proved",
}
SYMBOLS = {"green": "passing", "red": "failing", "unknown": "unknown"}

Text = Callable[[str | None], str]


def state_words(main: Numbers) -> str:
    """Where main has its state: "in 2 of 11 repositories"."""
    repos, state = main["repositories"], main["state"]
    if not repos:
        return "no workflow here has a result on its default branch"
    if repos == 1:
        return _of_workflows(main)
    if state == "green":
        return f"in all {repos} repositories"
    number = main["red_repositories" if state == "red" else "unknown_repositories"]
    return f"in {number} of {repos} repositories"


def _of_workflows(main: Numbers) -> str:
    workflows, state = main["workflows"], main["state"]
    if workflows == 1:
        return "in the one workflow"
    if state == "green":
        return f"in all {workflows} workflows"
    return f"in {main[f'{state}_workflows']} of {workflows} workflows"


def trend(changes: dict[str, Change]) -> list[tuple[str, str]]:
    """The numbers that got better and those that got worse, as text."""
    found = []
    for verdict in (BETTER, WORSE):
        parts = [
            f"{label} {changes[name].text}"
            for name, label in TREND.items()
            if name in changes and changes[name].verdict == verdict
        ]
        if parts:
            found.append((verdict, ", ".join(parts)))
    return found


def icon(main: Numbers) -> str:
    """The name of the page's icon."""
    return SYMBOLS[main["state"]]


def word_of(data: Numbers) -> str:
    """What main is: "now", if the days of the summary have ended."""
    main = data["main"]
    if not main["workflows"]:
        return "No state:"
    return f"{WORDS[main['state']]}{' now' if data['span']['is_over'] else ''}"


def headline(data: Numbers, total: Numbers) -> dict[str, Any]:
    """The lines for the template."""
    main = data["main"]
    return {
        "state": main["state"],
        "symbol": SYMBOLS[main["state"]],
        "word": word_of(data),
        "where": state_words(main),
        "trend": trend(total["changes"]),
    }
