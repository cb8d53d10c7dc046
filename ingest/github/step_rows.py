"""The steps of a job as two compact JSON texts: their names, and how each one went.

Most jobs of a workflow have the same names, which are stored once. The view `steps`
gives back what GitHub sent.
"""

import json
from collections.abc import Mapping
from typing import Any

from ci_observer.ingest.github.values import integer, seconds_between, text, time_text

# The times of a job without a start count from here.
EPOCH = "1970-01-01T00:00:00Z"


def step_texts(payload: Mapping[str, Any]) -> tuple[str, str] | None:
    """The names and the results of a job's steps; None if GitHub sends no steps.

    Names: a text each, or `[number, name]` if the number is not the place in the list.
    Results: the seconds from the job's start to the end of a step that succeeded and
    began at the end of the one before (the first: with the job); otherwise
    `[conclusion, start, end]`, with null for a time that is missing.
    """
    steps = payload.get("steps")
    if not isinstance(steps, list):
        return None
    found = [step for step in steps if isinstance(step, Mapping)]
    if not found:
        return None
    names = [_name(step, place) for place, step in enumerate(found, start=1)]
    results = _results(found, time_text(payload.get("started_at")) or EPOCH)
    return _json(names), _json(results)


def _name(step: Mapping[str, Any], place: int) -> Any:
    name, number = text(step.get("name")), integer(step.get("number"))
    return name if number in (place, None) else [number, name]


def _results(steps: list[Mapping[str, Any]], base: str) -> list[Any]:
    results: list[Any] = []
    before: int | None = 0
    for step in steps:
        start = _offset(step.get("started_at"), base)
        end = _offset(step.get("completed_at"), base)
        conclusion = text(step.get("conclusion"))
        is_usual = conclusion == "success" and end is not None and start == before
        results.append(end if is_usual else [conclusion, start, end])
        before = end
    return results


def _offset(value: Any, base: str) -> int | None:
    """Whole seconds from `base` to a time; None without one."""
    time = time_text(value)
    return seconds_between(base, time) if time else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
