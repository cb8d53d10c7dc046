"""How each table is divided among shards: the only list of it.

A table of the schema that is in none of these groups fails a test. Within a group,
tables are in the order in which they are copied.
"""

# Rows of a repository, from the source that knows it best; those of other sources are
# added if their key is missing.
OF_REPO = (
    *("feeds", "repos", "workflows", "refs", "feed_backfills", "feed_settings"),
    *("alert_tiles", "alerts", "feed_states"),
)
# Rows of a repository, only from the source that knows it best: what they say holds
# together with the rest of that file.
OF_REPO_IN_BEST_SOURCE = (
    *("newest_pages", "responses", "watch_errors", "tile_branches"),
    *("state_builds", "default_branches"),
)
# The primary key, or another unique one by which a row is the same in two sources.
KEYS = {
    "runs": ("run_id",),
    "run_attempts": ("run_id", "run_attempt"),
    "jobs": ("job_id",),
}
# Rows of a run, by its `run_id`.
OF_RUN = ("runs", "run_attempts", "jobs", "waits", "pending")
# Rows of a job, by its `job_id`.
OF_JOB = ("job_steps", "job_errors")
# Texts with a number of their own in each file, which the rows above refer to.
TEXTS = ("payload_parts", "errors", "step_names")
# Whole run objects, whose parts are such texts.
PAYLOADS = "run_payloads"
# Rows of an alert, by its `alert_id`.
OF_ALERT = ("alert_deliveries",)
# Equal to a view over the rows of a repository, and copied with it.
DERIVED = ("tiles", "decisions", "branch_events", "flaky_shas", "state_spans")
# Sums over all repositories, which each file has of its own.
SUMMED = (
    *("run_rollups", "run_bucket_rollups", "job_rollups", "actor_rollups"),
    *("queue_rollups", "queue_hour_rollups", "flaky_rollups"),
)
REBUILT = ("run_values", "rollup_progress")
# Settings, which the next start of ingest writes again.
SETTINGS = ("instance", "timezone_offsets", "minute_multipliers", "screens")
# Settings whose former rows are history: those of all sources.
COPIED_TO_ALL = ("muted_tiles",)
# The log of passes, and marks that no transaction leaves behind.
EMPTY = ("polls", "changed_tiles", "changed_states", "run_changes")
OF_SCHEMA = ("schema_objects", "duration_buckets", "_sqlite_migrations")

# The settings in `instance`; the other keys are about the process of ingest.
INSTANCE_KEYS = (
    *("title", "refresh_seconds", "timezone", "fetch_jobs", "minute_multipliers"),
    *("repos", "workflows", "version", "why_not_polling", "alerts"),
)
# Keys that hold for the rows of a file; kept if all sources agree.
INSTANCE_KEYS_OF_ROWS = ("jobs_walk_of",)
