"""A commit over all workflows of its repository: is it good everywhere?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from ci_observer.web.pages.commit_results import (
    ACTIVITIES,
    FAILING,
    LEFT_OUT,
    NOT_RUN,
    ORDER,
    PASSING,
    UNTESTED,
    WORDS,
    Outcome,
    Run,
    outcome_of,
)
from ci_observer.web.vocabulary import label_of

# These do not keep a commit from being good: the run was not meant to test it.
HARMLESS = ("skipped", "neutral")
# Alarms of a tile that say that newer runs may be missing.
UNPROVED = ("stale", "no_access")
# State of the page's box → its word.
HEADS = {
    FAILING: "failing",
    "running": "not finished",
    UNTESTED: "not proved everywhere",
    PASSING: "good everywhere",
    "stale": "good when last fetched",
}


@dataclass(frozen=True)
class Verdict:
    """A commit over all workflows: the state of the page's box, and the sentence."""

    state: str
    word: str
    sentence: str
    passed: int
    total: int
    unproved: tuple[str, ...] = field(default=())


def outcomes(runs: Iterable[Run], wall: Iterable[Run]) -> dict[str, Outcome]:
    """The outcome by workflow file: of all that ran, and of all of the wall."""
    ran: dict[str, list[Run]] = {}
    for run in runs:
        ran.setdefault(run["workflow"], []).append(run)
    found = {workflow: outcome_of(group) for workflow, group in ran.items()}
    for tile in wall:
        found.setdefault(tile["workflow"], _missing(tile))
    return found


def _missing(tile: Run) -> Outcome:
    """The outcome of a workflow of the wall that has no run of the commit."""
    if tile["is_triggered"]:
        detail = "runs after other workflows; GitHub does not say for which commit"
        return Outcome(LEFT_OUT, detail=detail)
    if tile["alarm"] in UNPROVED:
        return Outcome(NOT_RUN, detail=f"as far as known: {label_of(tile['alarm'])}")
    workflow_state = tile["workflow_state"] or "active"
    is_off = workflow_state != "active"
    return Outcome(NOT_RUN, detail=label_of(workflow_state) if is_off else "")


def verdict_of(found: dict[str, Outcome], alarms: dict[str, str | None]) -> Verdict:
    """The commit over all workflows. `alarms` are those of their tiles."""
    states = sorted((o.state for o in found.values()), key=ORDER.index)
    counts = {state: len(list(group)) for state, group in groupby(states)}
    passed, total = counts.get(PASSING, 0), len(found)
    unproved = tuple(
        workflow
        for workflow, outcome in found.items()
        if outcome.state == PASSING and alarms.get(workflow) in UNPROVED
    )
    state = _state(counts, is_proved=not unproved)
    return Verdict(
        state, HEADS[state], _sentence(counts, found, total), passed, total, unproved
    )


def _state(counts: dict[str, int], *, is_proved: bool) -> str:
    if counts.get(FAILING):
        return FAILING
    if any(counts.get(activity) for activity in ACTIVITIES):
        return "running"
    if counts.get(PASSING) and not counts.keys() - {PASSING, *HARMLESS}:
        return PASSING if is_proved else "stale"
    return UNTESTED


def _sentence(counts: dict[str, int], found: dict[str, Outcome], total: int) -> str:
    passed = counts.get(PASSING, 0)
    noun = "workflow" if total == 1 else "workflows"
    of_all = f"all {total}" if passed == total > 1 else f"{passed} of {total}"
    parts = [f"Passed in {of_all} {noun}"]
    parts += [
        f"{count} {WORDS[state]}" for state, count in counts.items() if state != PASSING
    ]
    newer = [o for o in found.values() if o.activity not in (None, o.state)]
    ending = f"; {len(newer)} with a newer run that is not finished" if newer else ""
    return ", ".join(parts) + ending
