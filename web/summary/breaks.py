"""Which breaks made main red: the list of a summary, and the first to break."""

from typing import Any

from ci_observer.web.summary.counts import Numbers
from ci_observer.web.summary.rows import workflow_name
from ci_observer.web.summary.span import Spans
from ci_observer.web.summary.span_counts import Feed
from ci_observer.web.summary.states import DETAILED, States


def breaks_of(states: States, spans: Spans, muted: set[Feed]) -> Numbers:
    """The newest breaks of the span, and the first one of those that are still open.

    The first of the span if none is open now but of muted workflows, or if the span is
    over.
    """
    breaks = states.in_order()
    of_span = [found for found in breaks if found.concerns(spans.span)]
    still_open = [
        found for found in of_span if found.fixed_at is None and found.feed not in muted
    ]
    first = of_span if spans.is_over else still_open or of_span
    return {
        "first_break": next(iter(map(_break, states.details(first[:1]))), None),
        "breaks": [_break(row) for row in states.details(of_span[-DETAILED:])],
    }


def _break(row: dict[str, Any]) -> Numbers:
    # GitHub's actor of a scheduled run is whoever last changed the schedule.
    is_scheduled = row["event"] == "schedule" and row["run_attempt"] == 1
    kept = (
        *("repo", "workflow", "branch", "broken_at", "fixed_at", "seconds"),
        *("run_id", "run_number", "run_attempt", "head_sha", "display_title"),
        *("failed_job", "failed_step", "fixed_run_id", "html_url"),
    )
    return {name: row[name] for name in kept} | {
        "workflow_name": workflow_name(row, row["workflow"]),
        "actor": None if is_scheduled else row["actor"],
    }
