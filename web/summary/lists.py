"""The lists of a summary: days, triggers, queue times and reasons of waste."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ci_observer.web.summary.counts import (
    MEDIAN,
    P95,
    Counts,
    Numbers,
    minutes,
    percentile,
    total,
)
from ci_observer.web.summary.span import Spans
from ci_observer.web.summary.span_counts import Feed, SpanCounts

WASTE = {
    "failed": "Failed",
    "rerun": "Ran again",
    "cancelled": "Cancelled",
    "superseded": "Superseded by a newer run",
}


def days_of(spans: Spans, now: SpanCounts, before: SpanCounts) -> list[Numbers]:
    """The runs of each day of both spans, in order."""
    counts = before.days | now.days
    nothing = Counts()
    return [
        {
            "day": day,
            "runs": counts.get(day, nothing).runs,
            "decided_runs": counts.get(day, nothing).decided,
            "failed_runs": counts.get(day, nothing).failed,
        }
        for day in [*spans.before.all_days, *spans.span.all_days]
    ]


def triggers_of(now: SpanCounts, before: SpanCounts) -> Numbers:
    """What and who triggers most, and when, of the newest runs of the span."""
    found, former = now.triggers, before.triggers
    is_comparable = not found.is_cut and not former.is_cut
    return {
        "triggers_since": found.since,
        "triggers_are_cut": found.is_cut,
        "events": _ranked(
            "event", found.events, former.events if is_comparable else None
        ),
        "actors": _ranked(
            "actor", found.actors, former.actors if is_comparable else None
        ),
        "hours": [
            {"weekday": weekday + 1, "hour": hour, "runs": runs}
            for (weekday, hour), runs in sorted(found.hours.items())
        ],
    }


def _ranked(
    name: str, counts: Counter[str], before: Counter[str] | None
) -> list[Numbers]:
    return [
        {
            name: key or None,
            "runs": runs,
            "before": None if before is None else {"runs": before[key]},
        }
        for key, runs in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def queues_of(
    now: Mapping[Any, Counter[float]],
    before: Mapping[Any, Counter[float]],
    name: str,
) -> list[Numbers]:
    """The queue times of jobs by a key, the longest first."""
    rows = [
        {name: key, **_queue(values), "before": _queue(before.get(key, Counter()))}
        for key, values in now.items()
    ]
    return sorted(
        rows, key=lambda row: (-row["queue_p95_seconds"], -row["jobs"], row[name])
    )


def labels_of(text: str) -> list[str] | None:
    """The labels of a runner, stored as a JSON array; None if they are not known."""
    return [str(label) for label in json.loads(text)] if text else None


def _queue(values: Counter[float]) -> Numbers:
    return {
        "jobs": values.total(),
        "queue_p50_seconds": percentile(values, MEDIAN),
        "queue_p95_seconds": percentile(values, P95),
    }


def waste_of(now: SpanCounts, before: SpanCounts) -> list[Numbers]:
    counts, former = (total(span.workflows.values()) for span in (now, before))
    return [
        {
            "reason": reason,
            "minutes": minutes(counts.waste[reason]),
            "jobs": counts.waste_jobs[reason],
            "before": {
                "minutes": minutes(former.waste[reason]),
                "jobs": former.waste_jobs[reason],
            },
        }
        for reason in WASTE
        if counts.waste_jobs[reason] or former.waste_jobs[reason]
    ]


def busiest(now: SpanCounts, number: int) -> list[Feed]:
    """The workflows with most runs."""
    counts = sorted(now.workflows.items(), key=lambda item: (-item[1].runs, item[0]))
    return [feed for feed, found in counts[:number] if found.runs]
