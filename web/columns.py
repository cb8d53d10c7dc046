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
)

# Without stale_at, expires_at and rank: they change at every poll, the ETag must not.
TILE_COLUMNS = (
    "repo",
    "workflow",
    "workflow_name",
    "workflow_state",
    "branch",
    "is_default_branch",
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
    "last_result_display_title",
    "last_result_actor",
    "last_result_started_at",
    "last_result_duration_seconds",
    "last_result_html_url",
    "failed_job",
    "failed_step",
    "failed_jobs",
    "lost_run_id",
    "lost_at",
    "lost_html_url",
    "phantom_failures",
    "phantom_run_id",
    "phantom_html_url",
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
    "success_rate",
    "is_flaky",
    "strip",
    "overdue_at",
    "stuck_at",
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

_JSON_VALUES = {
    "is_default_branch": "json(iif(is_default_branch, 'true', 'false'))",
    "is_flaky": "json(iif(is_flaky, 'true', 'false'))",
    "strip": "json(strip)",
    "raw_json": "json(raw_json)",
}


def json_object_sql(columns: tuple[str, ...]) -> str:
    """The SQL of a JSON object with these columns of a row."""
    pairs = (f"'{name}', {_JSON_VALUES.get(name, name)}" for name in columns)
    return f"json_object({', '.join(pairs)})"


def run_columns(*, raw: bool) -> tuple[str, ...]:
    """The columns of a run in a response, with `raw_json` if `raw`."""
    return (*RUN_COLUMNS, "raw_json") if raw else RUN_COLUMNS
