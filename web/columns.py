"""The columns of runs and tiles in responses, and their JSON in SQL."""

# In the order of the JSON keys and of the CSV header.
RUN_COLUMNS = (
    "run_id",
    "repo",
    "workflow",
    "workflow_name",
    "run_number",
    "run_attempt",
    "event",
    "display_title",
    "status",
    "conclusion",
    "head_branch",
    "head_sha",
    "head_repo",
    "actor",
    "triggering_actor",
    "pr_number",
    "created_at",
    "started_at",
    "updated_at",
    "duration_seconds",
    "html_url",
    "cancel_cause",
    "cancelled_by",
    "gone_at",
    "is_tag",
    "queue_seconds",
    "waited_for",
)

# The tables and views that have the descriptions of these columns, the best first.
DESCRIBED_IN = {
    "runs": ("runs", "runs_full"),
    "attempts": ("run_history", "run_attempts"),
    "jobs": ("job_history", "jobs", "runs", "tiles"),
    "steps": ("steps",),
    "stats": ("run_rollups", "minutes_daily"),
    "tiles": ("wall", "tiles", "runs"),
}

# Without stale_at, expires_at and rank: they change at every poll, the ETag must not.
# `is_on_wall` says what the view `wall` has.
TILE_COLUMNS = (
    "repo",
    "workflow",
    "workflow_name",
    "workflow_state",
    "branch",
    "is_default_branch",
    "tag",
    "team",
    "muted_reason",
    "muted_until",
    "tile_state",
    "last_result",
    "activity",
    "alarm",
    "error",
    "since_at",
    "streak",
    "last_result_run_id",
    "last_result_run_number",
    "last_result_run_attempt",
    "last_result_conclusion",
    "last_result_cancel_cause",
    "last_result_display_title",
    "last_result_actor",
    "last_result_started_at",
    "last_result_duration_seconds",
    "last_result_html_url",
    "failed_job",
    "failed_step",
    "failed_jobs",
    "timed_out_seconds",
    "error_message",
    "error_id",
    "error_other_tiles",
    "error_since_at",
    "broken_run_id",
    "broken_run_number",
    "broken_run_attempt",
    "broken_event",
    "broken_actor",
    "broken_head_sha",
    "broken_at",
    "broken_html_url",
    "usual_fix_seconds",
    "fixed_run_id",
    "fixed_run_number",
    "fixed_run_attempt",
    "fixed_event",
    "fixed_actor",
    "fixed_at",
    "fixed_html_url",
    "red_seconds",
    "untested_reason",
    "untested_runs",
    "untested_run_id",
    "untested_run_number",
    "untested_conclusion",
    "untested_at",
    "untested_html_url",
    "cancelled_by",
    "lost_run_id",
    "lost_at",
    "lost_html_url",
    "phantom_failures",
    "phantom_run_id",
    "phantom_html_url",
    "unknown_reason",
    "run_id",
    "run_number",
    "run_attempt",
    "status",
    "conclusion",
    "event",
    "display_title",
    "head_sha",
    "actor",
    "triggering_actor",
    "pr_number",
    "created_at",
    "started_at",
    "duration_seconds",
    "html_url",
    "median_duration_seconds",
    "p95_duration_seconds",
    "usual_queue_seconds",
    "success_rate",
    "is_flaky",
    "strip",
    "overdue_at",
    "no_scheduled_run_since",
    "stuck_at",
    "stuck_run_id",
    "stuck_run_number",
    "stuck_started_at",
    "stuck_activity",
    "stuck_html_url",
    "blocked_html_url",
)

# The strips are most of a wall's bytes.
TILE_COLUMNS_WITHOUT_STRIP = tuple(name for name in TILE_COLUMNS if name != "strip")

# Key of /api/filters → column of `runs`.
FILTER_COLUMNS = {
    "repos": "repo",
    "workflows": "workflow",
    "branches": "head_branch",
    "events": "event",
    "actors": "actor",
    "statuses": "status",
    "conclusions": "conclusion",
}

# SQLite allows 127 arguments of a function, two for each column.
# https://www.sqlite.org/limits.html#max_function_arg
_COLUMNS_PER_OBJECT = 60

# Columns of numbers 1 and 0; null is neither.
BOOLEANS = ("is_latest_attempt", "has_jobs")

_JSON_VALUES = {
    "is_default_branch": "json(iif(is_default_branch, 'true', 'false'))",
    "is_flaky": "json(iif(is_flaky, 'true', 'false'))",
    "is_tag": "json(iif(is_tag, 'true', 'false'))",
    "strip": "json(strip)",
    "raw_json": "json(raw_json)",
}

# Texts of a tile that come from GitHub. `web/texts.py` has the functions.
_TILE_TEXTS = {
    **{
        name: f"display_text({name})"
        for name in (
            "workflow_state",
            "error",
            "last_result_conclusion",
            "last_result_actor",
            "failed_job",
            "failed_step",
            "error_message",
            "broken_event",
            "broken_actor",
            "fixed_event",
            "fixed_actor",
            "untested_conclusion",
            "cancelled_by",
            "tag",
            "status",
            "conclusion",
            "event",
            "actor",
            "triggering_actor",
        )
    },
    **{
        name: f"iif({name} is null, null, display_title({name}))"
        for name in ("display_title", "last_result_display_title")
    },
    "workflow_name": "display_name(workflow_name, workflow)",
    # Part of the address of the workflow's page: only cut, and not cleaned.
    "branch": "iif(length(branch) > 300, display_text(branch), branch)",
}


def json_object_sql(columns: tuple[str, ...]) -> str:
    """The SQL of a JSON object with these columns of a row."""
    return _object_sql({name: _JSON_VALUES.get(name, name) for name in columns})


def json_values_sql(values: dict[str, str]) -> str:
    """The SQL of a JSON object; each key has the SQL of its value."""
    return _object_sql(
        {name: _json_value(name, value) for name, value in values.items()}
    )


def _json_value(name: str, value: str) -> str:
    if name in BOOLEANS:
        return f"json(case {value} when 1 then 'true' when 0 then 'false' end)"
    return f"json({value})" if name == "labels" else value


def tile_json_sql(columns: tuple[str, ...]) -> str:
    """The same for a tile, whose texts are cut for display."""
    values = _JSON_VALUES | _TILE_TEXTS
    return _object_sql({name: values.get(name, name) for name in columns})


def _object_sql(values: dict[str, str]) -> str:
    pairs = [f"'{name}', {value}" for name, value in values.items()]
    objects = [
        f"json_object({', '.join(pairs[start : start + _COLUMNS_PER_OBJECT])})"
        for start in range(0, len(pairs), _COLUMNS_PER_OBJECT)
    ]
    # No value is an object, so each text begins and ends with one brace: characters 123
    # and 125, since some callers format this text.
    joined = objects[0]
    for other in objects[1:]:
        joined = f"rtrim({joined}, char(125)) || ',' || ltrim({other}, char(123))"
    return joined


def run_columns(*, raw: bool) -> tuple[str, ...]:
    """The columns of a run in a response, with `raw_json` if `raw`."""
    return (*RUN_COLUMNS, "raw_json") if raw else RUN_COLUMNS
