"""GitHub's job objects for tests, and how they are stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.store import jobs
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import utc

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def job_object(
    job_id: int,
    name: str | None = "build",
    conclusion: str | None = "success",
    *,
    created: int = 0,
    queued: int = 10,
    ran: int = 60,
    start: datetime = NOON,
    **changes: Any,
) -> dict[str, Any]:
    """A job that was created some seconds after `start`, waited and ran."""

    def at(seconds: int) -> str:
        return utc(start + timedelta(seconds=seconds))

    began, ended = created + queued, created + queued + ran
    half = began + ran // 2
    payload: dict[str, Any] = {
        "id": job_id,
        "name": name,
        "status": "completed",
        "conclusion": conclusion,
        "created_at": at(created),
        "started_at": at(began),
        "completed_at": at(ended),
        "labels": ["ubuntu-latest"],
        "runner_name": "GitHub Actions 7",
        "runner_group_name": "GitHub Actions",
        "html_url": f"https://github.com/acme/api/actions/runs/1/job/{job_id}",
        "steps": [
            step(1, "Set up job", at(began), at(half)),
            step(2, f"Run {name}", at(half), at(ended), conclusion),
        ],
    }
    if conclusion == "skipped":
        payload |= {"steps": [], "runner_name": None, "labels": []}
    return payload | changes


def step(
    number: int, name: str, start: str, end: str, conclusion: str | None = "success"
) -> dict[str, Any]:
    return {
        "number": number,
        "name": name,
        "status": "completed",
        "conclusion": conclusion,
        "started_at": start,
        "completed_at": end,
    }


def save_jobs(
    db: Database, run_id: int, *objects: dict[str, Any], attempt: int = 1
) -> None:
    """Store the jobs of an attempt, as if ingest had just fetched them."""
    [[repo, workflow]] = db.execute(
        "select repo, workflow from runs where run_id = ?", [run_id]
    )
    item = PendingItem("jobs", run_id, attempt, None, repo, workflow)
    jobs.save_jobs(db, item, objects)


def save_error(db: Database, job_id: int, message: str) -> None:
    """Store the first error of a job, as if its annotations had just been fetched."""
    with transaction(db):
        db.execute(
            """
            insert into job_errors (job_id, run_id, repo, workflow, message)
            select job_id, run_id, repo, workflow, ?
            from jobs join runs using (run_id) where job_id = ?
            """,
            [message, job_id],
        )
        bump_revision(db)
