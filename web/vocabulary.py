"""The words for results and tile states: the one source for the web side.

`static/shared/vocabulary.js` repeats the part that the scripts need;
`tests/web/test_vocabulary.py` compares scripts, styles, symbols and queries with it.
"""

from dataclasses import dataclass, replace
from typing import Any

from ci_observer.web.pages.times import MINUTE, duration


@dataclass(frozen=True)
class Result:
    """How a page shows a result: in words, by a colour and by a shape.

    `css_class` is the value of `data-look`, `symbol` the id of an SVG symbol.
    """

    label: str
    css_class: str
    symbol: str


CONCLUSIONS = {
    "success": Result("success", "good", "passing"),
    "failure": Result("failure", "bad", "failing"),
    "timed_out": Result("timed out", "bad", "overdue"),
    "startup_failure": Result("could not start", "bad", "invalid_file"),
    "action_required": Result("needs approval", "held", "held"),
    "cancelled": Result("cancelled", "other", "cancelled"),
    "skipped": Result("skipped", "other", "skipped"),
    "neutral": Result("neutral", "other", "neutral"),
    "stale": Result("stale", "other", "neutral"),
}
# The statuses of an unfinished run.
STATUSES = {
    "in_progress": Result("running", "active", "running"),
    "queued": Result("queued", "active", "queued"),
    "requested": Result("queued", "active", "queued"),
    "waiting": Result("waiting", "active", "waiting"),
    "pending": Result("waiting", "active", "waiting"),
}
UNFINISHED = tuple(STATUSES)

# GitHub's word for a run that ran into its time limit, and ours.
CANCELLED = "cancelled"
TIMED_OUT = "timed_out"
# The run failed before it had any job.
STARTUP_FAILURE = "startup_failure"

FAILURES = ("failure", "timed_out", "startup_failure")
# Conclusions that say whether the commit is good; the others change no tile.
DECISIVE = ("success", *FAILURES)
# A run that could not start tested nothing, so it makes no commit flaky.
FLAKY_FAILURES = ("failure", "timed_out")

# Tile states. Each has an SVG symbol of its name.
ALARMS = ("no_access", "blocked", "stale", "overdue", "stuck", "disabled")
# An alarm that counts as failing; its `tile_state` is "failing".
FAILING_ALARM = "invalid_file"
ACTIVITIES = ("held", "running", "waiting", "queued", "unfinished")
# In the order of the counts on the wall, most urgent first.
STATES = (
    *(*ALARMS, FAILING_ALARM, "failing", *ACTIVITIES),
    *("unknown", "untested", "passing"),
)


def result_of(run: dict[str, Any]) -> Result:
    """The result of a run or an attempt, by its `status` and `conclusion`.

    A word that GitHub adds later is its own label. The status counts first: an
    unfinished run may keep the conclusion of an earlier attempt. GitHub calls a run
    cancelled that ran into its time limit.
    """
    status, conclusion = run["status"], run["conclusion"]
    if status == "completed":
        if conclusion == CANCELLED:
            return _cancellation(run)
        return CONCLUSIONS.get(conclusion) or Result(
            label_of(conclusion or "no conclusion"), "other", "unknown"
        )
    return STATUSES.get(status) or Result(label_of(status), "active", "unfinished")


def _cancellation(run: dict[str, Any]) -> Result:
    """The result of a cancelled run, by the reason for which it was cancelled."""
    cause, seconds = run.get("cancel_cause"), run.get("duration_seconds")
    if cause == "timeout":
        # A time limit is a number of minutes.
        limit = seconds and (seconds - seconds % MINUTE or seconds)
        after = f" after {duration(limit)}" if limit else ""
        return replace(CONCLUSIONS[TIMED_OUT], label=f"timed out{after}")
    cancelled = CONCLUSIONS[CANCELLED]
    if cause == "person" and run.get("cancelled_by"):
        return replace(cancelled, label=f"cancelled by {run['cancelled_by']}")
    if cause == "superseded":
        return replace(cancelled, label="cancelled for a newer run")
    return cancelled


def state_of(tile: dict[str, Any]) -> str:
    """The state that a tile's colour shows: its alarm, else its `tile_state`."""
    return str(tile["alarm"] or tile["tile_state"])


def label_of(name: str | None) -> str:
    """A state or conclusion as text: `no_access` is "no access", None "unknown"."""
    return (name or "unknown").replace("_", " ")
