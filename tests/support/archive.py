"""Databases with watched feeds and runs, stored by the functions that ingest uses."""

from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.github.annotations import Cancellation
from ci_observer.ingest.store import cancellations, feeds, instance, runs, watch_errors
from ci_observer.ingest.store.keys import Owner
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.runs import Saved
from ci_observer.ingest.times import utc

NOW = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)


def set_clock(db: Database, now: datetime) -> None:
    """Stop the clock of the views; the next `schema.migrate` restores it."""
    with db.atomic():
        db.execute("drop view clock")
        db.execute(f"create view clock as select '{utc(now)}' as now")


def watch(db: Database, *pairs: tuple[str, str], now: datetime = NOW) -> None:
    """Watch (repo, workflow) pairs, as if ingest had just polled them."""
    repos = tuple(dict.fromkeys(repo for repo, _ in pairs))
    workflows = tuple(dict.fromkeys(workflow for _, workflow in pairs))
    config = Config(repos=repos, workflows=workflows)
    instance.save_settings(db, config, version="0.1.0", now=now)
    feeds.save_watched(db, list(pairs))
    for repo in repos:
        feeds.save_metadata(
            db,
            repo,
            default_branch="main",
            workflows=dict.fromkeys(workflows, ("CI", "active")),
            now=now,
        )
    for feed in feeds.watched(db):
        feeds.save_checked(db, feed, now)
    instance.save_next_poll(db, now)


def save_owner_error(db: Database, owner: Owner, now: datetime = NOW) -> None:
    """Store that an owner is not found, as if ingest had just looked for it."""
    watch_errors.save(
        db, owner, error="No such owner.", kind="not_found", now=now, retry_at=None
    )


def save_poll_of_now(db: Database, *, repos: tuple[str, ...], now: datetime) -> None:
    """Store a pass of just now, which is fresh for as long as the tests take."""
    config = Config(repos=repos, workflows=("ci.yml",), refresh_seconds=86_400)
    instance.save_settings(db, config, version="0.1.0", now=now)
    counts = ("feeds", "feeds_failed", "requests", "not_modified", "runs_written")
    poll = dict.fromkeys(counts, 0) | {"started_at": utc(now), "finished_at": utc(now)}
    instance.save_poll(db, poll)


def save_runs(
    db: Database,
    *payloads: dict[str, Any],
    repo: str = "acme/api",
    workflow: str = "ci.yml",
    now: datetime = NOW,
) -> Saved:
    """Store runs of a watched feed, as if a live poll had found them."""
    [feed] = [
        feed
        for feed in feeds.watched(db)
        if (feed.repo, feed.workflow) == (repo, workflow)
    ]
    return runs.save_page(
        db, feed, payloads, etag=None, has_more=False, horizon=now, now=now
    )


def save(db: Database, *payloads: dict[str, Any], workflow: str = "ci.yml") -> None:
    """Store payloads, each in the feed of its repository."""
    for payload in payloads:
        repo = payload["repository"]["full_name"]
        [feed] = [
            feed
            for feed in feeds.watched(db)
            if (feed.repo, feed.workflow) == (repo, workflow)
        ]
        runs.save_page(
            db, feed, [payload], etag=None, has_more=False, horizon=NOW, now=NOW
        )


def of_repo(repo: str) -> dict[str, Any]:
    place = {"id": 1, "full_name": repo}
    return {"repository": place, "head_repository": place}


def save_cause(
    db: Database, run_id: int, cause: str, cancelled_by: str | None = None
) -> None:
    """Store why the latest attempt of a run was cancelled, as its annotations say."""
    [[repo, workflow, run_attempt]] = db.execute(
        "select repo, workflow, run_attempt from runs where run_id = ?", [run_id]
    )
    item = PendingItem("annotations", run_id, run_attempt, None, repo, workflow)
    cancellations.save(db, item, Cancellation(cause, cancelled_by), now=NOW)
