"""The result of a commit in each workflow, and over all of them, in words.

The rules are those of tiles, on the runs of one commit: the last run of a branch that
passed or failed decides; skipped and neutral runs decide nothing; a success is untested
when a newer run was cancelled. Runs for pull requests are judged apart from those of
their branch. The worst branch is the result of the workflow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ci_observer.web.vocabulary import (
    CONCLUSIONS,
    FAILURES,
    Result,
    label_of,
    result_of,
)

Run = dict[str, Any]

NOT_RUN = "not_run"
LEFT_OUT = "left_out"
PASSING = "passing"
FAILING = "failing"
UNTESTED = "untested"
HELD = "held"
IGNORED = ("phantom", "deleted")
# States of a workflow, the worst first, with their words in the headline.
WORDS = {
    FAILING: "failing",
    "running": "running",
    "queued": "queued",
    "waiting": "waiting",
    "unfinished": "unfinished",
    HELD: "held for approval",
    UNTESTED: "untested",
    "cancelled": "cancelled",
    "stale": "stale",
    "unknown": "without a known result",
    "phantom": "failed in 0 s without jobs",
    PASSING: "passed",
    "superseded": "cancelled for a newer run",
    "skipped": "skipped",
    "neutral": "neutral",
    "deleted": "deleted on GitHub",
    LEFT_OUT: "not tied to commits",
    NOT_RUN: "not run yet",
}
ORDER = list(WORDS)
ACTIVITIES = ("running", "queued", "waiting", "unfinished", HELD)

_NONE = Result(WORDS[NOT_RUN], "none", "")


@dataclass(frozen=True)
class Outcome:
    """What one workflow says about the commit.

    `run` is the run that decides, None if there is none; `activity` is that of a newer
    one. `detail` explains the state, and `others` are the other runs, newest first.
    """

    state: str
    run: Run | None = None
    activity: str | None = None
    detail: str = ""
    others: tuple[Run, ...] = ()
    runs: int = 0
    attempts: int = 0
    is_flaky: bool = False

    @property
    def result(self) -> Result:
        """How the page shows the state."""
        if self.run is None:
            return replace(_NONE, label=WORDS[self.state])
        if self.state in (PASSING, FAILING):
            return decided_result(self.run)
        if self.state == UNTESTED:
            return Result(WORDS[UNTESTED], "other", "untested")
        if self.state in ACTIVITIES:
            return _activity_result(self.run, self.state)
        if self.state in IGNORED or self.run["status"] != "completed":
            return Result(WORDS[self.state], "other", "unknown")
        return result_of(self.run)


def decided_result(run: Run) -> Result:
    """The result of a run's last decisive attempt, before any that decided nothing."""
    attempt = {
        "status": "completed",
        "conclusion": run["result_conclusion"],
        "cancel_cause": run["result_cancel_cause"],
        "duration_seconds": run["result_duration_seconds"],
    }
    shown = result_of(attempt)
    if run["result"] == FAILING and shown.css_class != "bad":
        # A failed job cancelled the rest of its run.
        return replace(CONCLUSIONS[FAILURES[0]], label="failure, then cancelled")
    return shown


def outcome_of(runs: Sequence[Run]) -> Outcome:
    """The outcome of one workflow, from its runs for the commit, the newest first."""
    branches = [_judge(group) for group in _by_branch(runs)]
    worst = min(branches, key=lambda outcome: ORDER.index(outcome.state))
    shown = worst.run
    return replace(
        worst,
        activity=next((o.activity for o in branches if o.activity), None),
        others=tuple(run for run in runs if run is not shown),
        runs=runs[0]["all_runs"],
        attempts=runs[0]["all_attempts"],
        is_flaky=any(run["is_flaky"] for run in runs),
    )


def _by_branch(runs: Iterable[Run]) -> Iterable[list[Run]]:
    """The runs by the branches that tiles tell apart, in the order of `runs`."""
    branches: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        place = (run["head_repo"], run["tile_branch"], run["is_pull_request"])
        branches.setdefault(place, []).append(run)
    return branches.values()


def _judge(runs: list[Run]) -> Outcome:
    """The outcome of the runs of one branch, the newest first."""
    counted = [run for run in runs if run["ignored_reason"] is None]
    last = next((run for run in counted if run["result"]), None)
    newer = runs[: runs.index(last) + 1] if last else runs
    active = next(
        (r for r in newer if r["activity"] and r["ignored_reason"] is None), None
    )
    activity = str(active["activity"]) if active else None
    if last is not None:
        doubt = _doubt(newer) if last["result"] == PASSING else ""
        state = UNTESTED if doubt else last["result"]
        return Outcome(state, last, activity, detail=doubt)
    if active and activity:
        return Outcome(activity, active, activity)
    run = counted[0] if counted else runs[0]
    return Outcome(_undecided_state(run), run)


def _doubt(newer: list[Run]) -> str:
    """Why a success is not proved by the newest run that finished; else empty."""
    for run in newer:
        if run["is_undecided"] and run["ignored_reason"] is None:
            return f"passed before, newest run {result_of(run).label}"
        if run["ignored_reason"] == "phantom":
            return "passed before, newest run failed in 0 s without jobs"
    return ""


def _undecided_state(run: Run) -> str:
    """The state of a commit whose runs all ended without a result."""
    if run["ignored_reason"]:
        return str(run["ignored_reason"])
    conclusion = run["conclusion"]
    if conclusion == "cancelled" and not run["is_undecided"]:
        return "superseded"
    return conclusion if conclusion in WORDS else "unknown"


def _activity_result(run: Run, activity: str) -> Result:
    if activity == HELD:
        return CONCLUSIONS["action_required"]
    shown = result_of(run)
    if shown.css_class == "active":
        return shown
    return Result(label_of(activity), "active", activity)
