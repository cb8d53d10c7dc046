"""Why no jobs are stored for an attempt of a run, in words."""

from typing import Any

from ci_observer.web.vocabulary import FAILURES, STARTUP_FAILURE

Row = dict[str, Any]

# The values of FETCH_JOBS with which jobs say nothing of successful runs.
FAILED_ONLY = ("failed", "none")
# SQL: whether ingest has not yet looked for the jobs of all runs of the feed `f` since
# a time; `b` is its row of `feed_backfills`. It goes from the newest run to the oldest,
# and not through feeds without a successful response.
IS_FETCHING = """
f.is_watched and f.error is null and f.checked_at is not null
    and b.jobs_complete_at is null and coalesce(b.jobs_until, '~') > :since
    and exists (
      select 1 from runs r
      where r.repo = f.repo and r.workflow = f.workflow
        and r.started_at >= :since and r.started_at < :until
    )
"""

# What each value of FETCH_JOBS fetches.
FETCHED = {
    "none": "no jobs are fetched",
    "failed": "only the jobs of failed runs on a tile's branch are fetched",
    "default-branch": "only the jobs of runs on a tile's branch are fetched",
}
GONE = "GitHub no longer had the jobs of this run when they were requested."
NONE = "GitHub lists no jobs for this run."
TOO_OLD = "GitHub does not keep the jobs of runs as old as this one."
AGAIN = "The jobs could not be fetched yet; they are requested again."
LATER = (
    "The jobs have not been fetched yet. They come after those of newer runs, as far as"
    " the rate limit leaves room."
)


def why_missing(run: Row, attempt: Row, fetching: Row) -> str:
    """A sentence about an attempt without stored jobs.

    `fetching` is the row `fetching` of `run_page_queries`.
    """
    if attempt["status"] != "completed":
        return "Jobs are fetched when the run has finished."
    if attempt["conclusion"] == STARTUP_FAILURE:
        return (
            "GitHub could not start this run, so it has no jobs. The API's run does not"
            " say why; the run's page on GitHub may."
        )
    if fetching["gone_at"] or attempt["has_jobs"] is not None:
        return GONE if fetching["gone_at"] else NONE
    if run["gone_at"]:
        return "GitHub no longer has this run, and its jobs were never fetched."
    if fetching["is_pending"]:
        return AGAIN if fetching["requested_at"] else LATER
    return _unrequested(attempt, fetching)


def why_none(fetch_jobs: str, *, is_of_tile: bool) -> str:
    """A sentence about a branch of whose runs no jobs are stored."""
    if fetch_jobs in FETCHED and not (is_of_tile and fetch_jobs == "default-branch"):
        return f"FETCH_JOBS is {fetch_jobs}: {FETCHED[fetch_jobs]}."
    return (
        "Jobs are fetched from the newest run to the oldest, as far as the rate limit"
        " leaves room."
    )


def _unrequested(attempt: Row, fetching: Row) -> str:
    """Why nothing has asked for the jobs."""
    setting = fetching["fetch_jobs"]
    if setting in FETCHED and not _is_selected(setting, attempt, fetching):
        return f"FETCH_JOBS is {setting}: {FETCHED[setting]}."
    return TOO_OLD if fetching["is_too_old"] else LATER


def _is_selected(setting: str, attempt: Row, fetching: Row) -> bool:
    if setting == "none" or not fetching["is_of_tile"]:
        return False
    is_failed = attempt["conclusion"] in (*FAILURES, "cancelled")
    return is_failed or setting != "failed"
