"""Fixtures and the report header; payloads are made by `factories` and `demo`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import stamina
from hypothesis import HealthCheck, settings
from polling import Ingest
from sqlite_utils import Database

from demo.server import GitHubServer
from demo.world import World
from ingest import schema, store
from ingest.config import Config

# Its failed asserts tell what was found, as those of the tests do.
pytest.register_assert_rewrite("truth")
# A property holds however slow the machine is; each example cleans up its own files.
settings.register_profile(
    "ci_observer",
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("ci_observer")

NOW = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)


def pytest_report_header() -> str:
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("datasette", "sqlite-utils", "httpx")
    )
    return f"sqlite {sqlite3.sqlite_version}, {packages}"


@pytest.fixture
def db_path(tmp_path: Path) -> Path:
    return tmp_path / "ci_observer.db"


@pytest.fixture
def db(db_path: Path) -> Iterator[Database]:
    """A migrated database whose clock stands at `NOW`."""
    db = schema.connect(db_path)
    schema.migrate(db)
    set_clock(db, NOW)
    yield db
    db.close()


def set_clock(db: Database, now: datetime) -> None:
    """Put the views' "now" at an instant; the next `schema.migrate` puts it back."""
    with db.atomic():
        db.execute("drop view clock")
        db.execute(f"create view clock as select '{store.utc(now)}' as now")


def watch(db: Database, *pairs: tuple[str, str], now: datetime = NOW) -> None:
    """Watch (repo, workflow) pairs as an ingest that has just polled them would."""
    repos = tuple(dict.fromkeys(repo for repo, _ in pairs))
    workflows = tuple(dict.fromkeys(workflow for _, workflow in pairs))
    config = Config(repos=repos, workflows=workflows)
    store.save_instance(db, config, version="0.1.0", now=now)
    store.save_watched(db, list(pairs))
    for repo in repos:
        store.save_description(
            db,
            repo,
            default_branch="main",
            workflows=dict.fromkeys(workflows, ("CI", "active")),
            now=now,
        )
    for feed in store.watched_feeds(db):
        store.save_checked(db, feed, now)
    store.save_next_poll(db, now)


def save_runs(
    db: Database,
    *payloads: dict[str, Any],
    repo: str = "acme/api",
    workflow: str = "ci.yml",
    now: datetime = NOW,
) -> store.Saved:
    """Store runs of a watched feed as a live poll that found them would."""
    [feed] = [
        feed
        for feed in store.watched_feeds(db)
        if (feed.repo, feed.workflow) == (repo, workflow)
    ]
    return store.save_live_page(
        db, feed, payloads, etag=None, has_more=False, horizon=now, now=now
    )


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Retries without their waits."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def world() -> World:
    return World("2026-03-02T09:00:00Z")


@pytest.fixture
def github(world: World) -> Iterator[GitHubServer]:
    with GitHubServer(world) as server:
        yield server


@pytest.fixture
def ingest(db: Database, github: GitHubServer) -> Iterator[Ingest]:
    with closing(Ingest(db, github)) as ingest:
        yield ingest
