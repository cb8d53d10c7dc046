"""The columns of attempts, jobs, steps and statistics, and the SQL of their values."""

from ci_observer.web.vocabulary import CONCLUSIONS

# Key of an attempt → its SQL, from `run_attempts` as `a` and `runs` as `r`. The first
# ones are the columns of the view `run_history`, which the command `export` writes.
ATTEMPT_VALUES = {
    "run_id": "a.run_id",
    "run_attempt": "a.run_attempt",
    "repo": "r.repo",
    "workflow": "r.workflow",
    "workflow_name": "r.workflow_name",
    "run_number": "r.run_number",
    "event": "r.event",
    "display_title": "r.display_title",
    "status": "a.status",
    "conclusion": "a.conclusion",
    "head_branch": "r.head_branch",
    "head_sha": "r.head_sha",
    "head_repo": "r.head_repo",
    "actor": "r.actor",
    "triggering_actor": "a.triggering_actor",
    "pr_number": "r.pr_number",
    "created_at": "r.created_at",
    "started_at": "a.started_at",
    "updated_at": "a.updated_at",
    "duration_seconds": "a.duration_seconds",
    "is_latest_attempt": "a.run_attempt = r.run_attempt",
    "html_url": "r.html_url || '/attempts/' || a.run_attempt",
    "cancel_cause": "a.cancel_cause",
    "cancelled_by": "a.cancelled_by",
    "effective_conclusion": "a.effective_conclusion",
    "queue_seconds": "a.queue_seconds",
    "waited_for": "a.waited_for",
    "has_jobs": "a.has_jobs",
}
ATTEMPT_COLUMNS = tuple(ATTEMPT_VALUES)

# The same for a job, from `jobs` as `j` and `runs` as `r`.
JOB_VALUES = {
    "job_id": "j.job_id",
    "run_id": "j.run_id",
    "run_number": "r.run_number",
    "run_attempt": "j.run_attempt",
    "last_attempt": "coalesce(j.last_attempt, j.run_attempt)",
    "repo": "r.repo",
    "workflow": "r.workflow",
    "workflow_name": "r.workflow_name",
    "event": "r.event",
    "head_branch": "r.head_branch",
    "head_sha": "r.head_sha",
    "name": "j.name",
    "status": "j.status",
    "conclusion": "j.conclusion",
    "effective_conclusion": "iif(j.is_timed_out, 'timed_out', j.conclusion)",
    "created_at": "j.created_at",
    "started_at": "j.started_at",
    "completed_at": "j.completed_at",
    "duration_seconds": "j.duration_seconds",
    "queue_seconds": "j.queue_seconds",
    "waited_for": "j.waited_for",
    "labels": "j.labels",
    "runner_name": "j.runner_name",
    "runner_group": "j.runner_group",
    "failed_step": "j.failed_step",
    "error_message": "(select message from job_errors e where e.job_id = j.job_id)",
    "html_url": "j.html_url",
}
JOB_COLUMNS = tuple(JOB_VALUES)

STEP_COLUMNS = (
    *("number", "name", "conclusion"),
    *("started_at", "completed_at", "duration_seconds"),
)

# Columns of `run_rollups`.
STATS_COUNTS = (
    *("runs", "unfinished", *CONCLUSIONS, "other"),
    *("reruns", "attempts", "timed_runs", "queued_runs"),
)
STATS_PERCENTILES = (
    *("duration_p50_seconds", "duration_p95_seconds"),
    *("queue_p50_seconds", "queue_p95_seconds"),
)
STATS_MINUTES = ("jobs", "run_minutes", "billed_minutes", "jobs_without_price")
# The same for the numbers of a workflow and day.
STATS_VALUES = {
    "day": "day",
    "repo": "repo",
    "workflow": "workflow",
    **{name: f"coalesce({name}, 0)" for name in STATS_COUNTS},
    **{name: name for name in STATS_PERCENTILES},
    "jobs": "coalesce(jobs, 0)",
    "run_minutes": "coalesce(run_minutes, 0.0)",
    "billed_minutes": "iif(jobs is null, 0.0, billed_minutes)",
    "jobs_without_price": "coalesce(jobs_without_price, 0)",
}
STATS_COLUMNS = tuple(STATS_VALUES)
