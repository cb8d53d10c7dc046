"""An archive of runs and jobs that differ in everything that a chart counts."""
# ruff: noqa: S311 (no secrets)

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from archive import NOW, set_clock, watch
from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.db import derived, schema
from ci_observer.ingest.store import instance
from ci_observer.ingest.times import utc

FEEDS = (
    *(("acme/api", "ci.yml"), ("acme/api", "lint.yml")),
    *(("Acme/web", "ci.yml"), ("acme/docs", "ci.yml")),
)
DAYS = 100
HOUR = timedelta(hours=1)
CONCLUSIONS = (
    *("success",) * 8,
    *("failure",) * 3,
    *("timed_out", "startup_failure", "cancelled", "cancelled", "skipped"),
    *("neutral", "action_required", "stale", "brand new", None),
)
LABELS = (
    '["ubuntu-latest"]',
    '["windows-2025"]',
    '["macos-15", "xlarge"]',
    '["self-hosted", "linux"]',
)
FACTORS = {"linux": 1, "windows": 2, "macos": 10}


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """No test writes to it."""
    path = tmp_path_factory.mktemp("varied") / "ci_observer.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        fill_varied(db)
        yield db


def fill_varied(db: Database, runs: int = 500) -> None:
    """Runs of 100 winter days in Zurich, at the time of the tests."""
    set_clock(db, NOW)
    watch(db, *FEEDS)
    repos, workflows = (tuple({feed[i] for feed in FEEDS}) for i in (0, 1))
    config = Config(repos=repos, workflows=workflows, timezone="Europe/Zurich")
    instance.save_settings(db, config, version="0.1.0", now=NOW)
    db.execute("update feeds set default_branch = 'trunk' where repo = 'acme/docs'")
    random = Random(14)
    with db.atomic():
        for os, factor in FACTORS.items():
            db["minute_multipliers"].upsert({"os": os, "factor": factor}, pk="os")
        for run_id in range(1, runs + 1):
            _save_run(db, random, run_id)
        derived.recount(db, "conclusion")


def _save_run(db: Database, random: Random, run_id: int) -> None:
    repo, workflow = random.choice(FEEDS)
    branch = random.choice(("main", "main", "trunk", "change", "v1", None))
    attempts = list(_attempts(random, run_id))
    columns = {
        "repo": repo,
        "workflow": workflow,
        "event": random.choice(("push", "push", "pull_request", "workflow_run")),
        "head_branch": branch,
        "is_tag": int(branch == "v1"),
        "head_sha": f"{run_id % (DAYS + 7):040}",
        "head_repo": random.choice((repo, repo, repo, "fork/api", None)),
        "created_at": attempts[0]["started_at"],
    }
    db["runs"].insert(attempts[-1] | columns)
    for attempt in attempts:
        db["run_attempts"].insert(attempt)
        db["jobs"].insert_all(_jobs(random, attempt))


def _attempts(random: Random, run_id: int) -> Iterator[dict[str, Any]]:
    start = NOW - timedelta(minutes=random.randrange(DAYS * 24 * 60))
    actor = random.choice(("ada", "grace", "<b>"))
    last = random.choice((1, 1, 1, 2, 3))
    for number in range(1, last + 1):
        is_open = number == last and random.random() < 1 / 20
        conclusion = None if is_open else random.choice(CONCLUSIONS)
        causes = ("timeout", "superseded", "person", None)
        started_at = utc(start - HOUR * (last - number))
        yield {
            "run_id": run_id,
            "run_attempt": number,
            "status": "queued" if is_open else "completed",
            "conclusion": conclusion,
            "cancel_cause": random.choice(causes)
            if conclusion == "cancelled"
            else None,
            "triggering_actor": actor,
            "started_at": started_at,
            "updated_at": started_at,
            "duration_seconds": random.choice((None, 0, *_seconds(random))),
            "queue_seconds": random.choice((None, 0, *_seconds(random))),
            "waited_for": random.choice((None, None, "approval")),
        }


def _jobs(random: Random, attempt: dict[str, Any]) -> Iterator[dict[str, Any]]:
    start = datetime.fromisoformat(attempt["started_at"]).astimezone(UTC)
    for number in range(random.randrange(3)):
        has_run = random.random() < 4 / 5
        started = utc(start + timedelta(seconds=_seconds(random)[0]))
        ended = utc(start + timedelta(seconds=2 * 2**14))
        yield {
            "job_id": 100 * attempt["run_id"] + 10 * attempt["run_attempt"] + number,
            "run_id": attempt["run_id"],
            "run_attempt": attempt["run_attempt"],
            "name": random.choice(("build", "test")),
            "status": "completed",
            "conclusion": random.choice(("success", "failure", "cancelled")),
            "started_at": started if has_run else None,
            "completed_at": ended,
            "duration_seconds": _seconds(random)[0] if has_run else None,
            "queue_seconds": random.choice(_seconds(random)) if has_run else None,
            "labels": random.choice(LABELS),
            "waited_for": random.choice((None, None, None, "approval")),
        }


def _seconds(random: Random) -> tuple[int, ...]:
    """Some durations from a second to some hours, most of them short."""
    return tuple(int(2 ** random.uniform(0, 14)) for _ in range(4))
