"""The kind of value in a column, by its name: for typed exports and for JSON schemas.

Here, because `ingest` and `web` both write Parquet and do not import each other.
"""

import re

TIME, DAY, BOOLEAN, INTEGER, NUMBER = "time", "day", "boolean", "integer", "number"
# A word of a few different ones in many rows, and any other text.
WORD, TEXT = "word", "text"
# JSON: a list of texts, and a whole object.
TEXTS, OBJECT = "texts", "object"

_BY_NAME = {
    **dict.fromkeys(("day",), DAY),
    **dict.fromkeys(("labels",), TEXTS),
    **dict.fromkeys(("raw_json",), OBJECT),
    **dict.fromkeys(("success_rate", "run_minutes", "billed_minutes"), NUMBER),
    **dict.fromkeys(
        (
            *("streak", "failed_jobs", "error_other_tiles", "untested_runs"),
            *("phantom_failures", "number", "runs", "unfinished", "success", "failure"),
            *("timed_out", "startup_failure", "cancelled", "skipped", "neutral"),
            *("action_required", "stale", "other", "reruns", "attempts", "timed_runs"),
            *("queued_runs", "jobs", "jobs_without_price", "last_attempt"),
        ),
        INTEGER,
    ),
    **dict.fromkeys(
        (
            *("repo", "workflow", "workflow_name", "event", "status", "conclusion"),
            *("effective_conclusion", "head_branch", "head_repo", "actor"),
            *("triggering_actor", "cancel_cause", "cancelled_by", "waited_for", "name"),
            *("runner_name", "runner_group", "failed_step"),
        ),
        WORD,
    ),
}
_BY_PATTERN = (
    (re.compile(r"(?:is|has)_\w+"), BOOLEAN),
    (re.compile(r"\w+_at|muted_until|no_scheduled_run_since"), TIME),
    # Averages and percentiles are no whole seconds.
    (
        re.compile(r"(?:median|p95|usual|\w*_p\d\d)_\w*seconds|\w*_p\d\d_seconds"),
        NUMBER,
    ),
    (re.compile(r"\w+_(?:id|number|attempt|seconds)"), INTEGER),
)


def kind_of(column: str) -> str:
    """The kind of value in a column of runs, attempts, jobs, statistics or tiles."""
    if column in _BY_NAME:
        return _BY_NAME[column]
    found = (kind for pattern, kind in _BY_PATTERN if pattern.fullmatch(column))
    return next(found, TEXT)


def unit_of(column: str) -> str | None:
    """The unit of a number or a time; None for values without one."""
    if column.endswith("_seconds"):
        return "s"
    if column.endswith("_minutes"):
        return "min"
    return "UTC" if kind_of(column) == TIME else None
