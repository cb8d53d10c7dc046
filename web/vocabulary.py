"""What a run came to, in words and shapes: GitHub's status and conclusion together."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """`look` is the colour's name, `symbol` the shape's; neither is needed alone."""

    word: str
    look: str
    symbol: str


_CONCLUSIONS = {
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
_STATUSES = {
    "in_progress": Result("running", "active", "running"),
    "queued": Result("queued", "active", "queued"),
    "requested": Result("queued", "active", "queued"),
    "waiting": Result("waiting", "active", "waiting"),
    "pending": Result("waiting", "active", "waiting"),
}

# The conclusions that count as a failure, and those that are a result at all.
FAILURES = ("failure", "timed_out", "startup_failure")
DECISIVE = ("success", *FAILURES)
UNFINISHED = tuple(_STATUSES)


def result_of(run: dict[str, Any]) -> Result:
    """The result of a run or an attempt; a word that GitHub adds later stands itself.

    The status comes first: an unfinished run may keep the conclusion of before.
    """
    status, conclusion = run["status"], run["conclusion"]
    if status == "completed":
        return _CONCLUSIONS.get(conclusion) or Result(
            _plain(conclusion), "other", "unknown"
        )
    return _STATUSES.get(status) or Result(_plain(status), "active", "unfinished")


def state_word(state: str) -> str:
    """A tile's state in the word that the wall has for it."""
    return "stuck" if state == "stuck" else _plain(state)


def _plain(word: str | None) -> str:
    return (word or "unknown").replace("_", " ")
