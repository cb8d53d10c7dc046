"""GitHub's `steps` of a job: those of the workflow file, and those that GitHub adds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from ci_observer.demo.seeded_random import stable_int
from ci_observer.demo.server.job_slots import Slot
from ci_observer.demo.server.model import JobSpec, Json
from ci_observer.demo.times import iso

SET_UP, CHECKOUT, COMPLETE = "Set up job", "Run actions/checkout@v5", "Complete job"
# Steps of the file by the beginning of their name → their share of the job's time.
SHARES = {"Install": 4, "Upload": 1, "Check health": 2}
USUAL_SHARE, ADDED_SHARE = 14, 1


def step_objects(slot: Slot, key: str, now: datetime) -> Iterator[Json]:
    """The steps of a job that runs or ran; `key` is the same for the job's failures.

    They follow each other. After a failed step the rest of the file is skipped. GitHub
    counts the steps that clean up from the double number of the others. While the job
    runs, so does the last step of the file.
    """
    own = [SET_UP, CHECKOUT, *slot.spec.steps]
    added = (2 * len(own), f"Post {CHECKOUT}"), (2 * len(own) + 1, COMPLETE)
    failed = len(own)
    if slot.conclusion not in ("success", None):
        failed = 1 + own.index(failed_step(slot.spec, key))
    end = slot.completed_at or max(now, slot.started_at)
    length = int((end - slot.started_at).total_seconds())
    steps = [*enumerate(own, start=1), *added]
    shares = [_share(name, slot.spec, number, failed, own) for number, name in steps]
    done, start = 0, slot.started_at
    for (number, name), share in zip(steps, shares, strict=True):
        done += share
        end = slot.started_at + timedelta(seconds=length * done // sum(shares))
        state = _state(slot, number, failed, len(own))
        yield {"name": name, "number": number, **state, **_times(state, start, end)}
        start = end


def failed_step(spec: JobSpec, key: str) -> str:
    """The step in which a job fails."""
    choices = spec.fails_in or spec.steps[-1:] or (CHECKOUT,)
    return choices[stable_int(f"failed step {key}", 0, len(choices))]


def _share(name: str, spec: JobSpec, number: int, failed: int, own: list[str]) -> int:
    """The step's part of the job's time; a skipped one has none."""
    if failed < number <= len(own):
        return 0
    if name not in spec.steps:
        return ADDED_SHARE
    found = (share for start, share in SHARES.items() if name.startswith(start))
    return next(found, USUAL_SHARE)


def _state(slot: Slot, number: int, failed: int, last: int) -> Json:
    """Status and conclusion; `last` is the number of the file's last step."""
    if slot.status == "in_progress" and number >= last:
        status = "in_progress" if number == last else "queued"
        return {"status": status, "conclusion": None}
    conclusion = "success"
    if failed < number <= last:
        conclusion = "skipped"
    elif number == failed and slot.conclusion:
        conclusion = slot.conclusion
    return {"status": "completed", "conclusion": conclusion}


def _times(state: Json, start: datetime, end: datetime) -> Json:
    status = state["status"]
    return {
        "started_at": None if status == "queued" else iso(start),
        "completed_at": iso(end) if status == "completed" else None,
    }
