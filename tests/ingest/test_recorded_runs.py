"""Recorded run objects of GitHub, from HTTP through ingest and SQLite to JSON.

The recordings are in a folder next to the project, not in it.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from ci_observer import ROOT
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection
from ci_observer.ingest.github.rows import LONGEST_RUN
from ci_observer.ingest.github.transport import open_http
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.polling.poller import Poller
from ci_observer.ingest.store import instance
from ci_observer.web.server import build_datasette

RECORDINGS = Path(__file__).parents[3] / "shared" / "github" / "recorded_runs.jsonl"
# After the newest recording, so that the history to fetch contains all of them.
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HISTORY_DAYS = 3650

pytestmark = pytest.mark.skipif(
    not RECORDINGS.exists(), reason="the recorded runs are not published"
)


def recorded() -> list[dict[str, Any]]:
    with RECORDINGS.open() as lines:
        return [json.loads(line)["run"] for line in lines]


def newest(runs: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The newest recording of each run; 5 runs were recorded twice."""
    in_order = sorted(
        runs, key=lambda run: (run.get("run_attempt") or 1, run["updated_at"])
    )
    return {run["id"]: run for run in in_order}


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Iterator[Database]:
    """The database after one complete poll of a GitHub with the recorded runs."""
    world = World(NOW)
    world.load_runs(recorded())
    db = schema.connect(tmp_path_factory.mktemp("recorded") / "ci_observer.db")
    schema.migrate(db)
    with GitHubServer(world) as server:
        config = Config(
            token=server.token,
            repos=tuple(repo.full_name for repo in world.repos.values()),
            workflows=("*",),
            api_url=server.url,
            history_days=HISTORY_DAYS,
        )
        instance.save_settings(db, config, version="test", now=NOW)
        asyncio.run(poll(config, db, server))
    yield db
    db.close()


async def poll(config: Config, db: Database, server: GitHubServer) -> None:
    async with open_http("test") as http:
        pool = RequestPool()
        connection = Connection(
            http,
            api_url=config.api_url,
            token=config.token,
            clock=server.clock,
            slot=pool.slot,
        )
        poller = Poller(config, db, GitHub(connection), pool, server.clock)
        poller.start()
        result = await poller.poll()
    assert (result.error, result.feeds_failed) == (None, 0)


def test_there_are_recordings_of_264_runs():
    assert len(recorded()) == 269
    assert len(newest(recorded())) == 264


def test_every_run_is_there_once(archive):
    ids = [row[0] for row in archive.execute("select run_id from runs")]

    assert sorted(ids) == sorted(newest(recorded()))


def test_every_run_is_kept_as_it_was_sent(archive):
    stored = {
        run_id: json.loads(raw_json)
        for run_id, raw_json in archive.execute(
            "select run_id, raw_json from runs_full"
        )
    }

    assert stored == newest(recorded())


def test_every_duration_is_that_of_the_attempt(archive):
    """`updated_at - run_started_at`, as in `gh`; no duration of 401 days."""
    durations = dict(archive.execute("select run_id, duration_seconds from runs"))

    assert durations == {
        run_id: expected_duration(run) for run_id, run in newest(recorded()).items()
    }
    assert max(filter(None, durations.values())) < 401 * 86_400


def expected_duration(run: dict[str, Any]) -> int | None:
    if run["status"] != "completed":
        return None
    start = datetime.fromisoformat(run.get("run_started_at") or run["created_at"])
    seconds = int((datetime.fromisoformat(run["updated_at"]) - start).total_seconds())
    return max(0, seconds) if seconds <= LONGEST_RUN.total_seconds() else None


def test_every_run_keeps_github_s_own_words(archive):
    stored = {
        row[0]: row[1:]
        for row in archive.execute(
            "select run_id, status, conclusion, event, head_branch, head_sha,"
            " run_number, run_attempt, workflow_name, html_url from runs"
        )
    }

    assert stored == {
        run_id: (
            run["status"],
            run["conclusion"],
            run["event"],
            run["head_branch"],
            run["head_sha"],
            run["run_number"],
            run.get("run_attempt") or 1,
            run["name"],
            run["html_url"],
        )
        for run_id, run in newest(recorded()).items()
    }


def test_runs_with_a_path_belong_to_its_file_name(archive):
    stored = dict(archive.execute("select run_id, workflow from runs"))
    names = {
        run_id: run["path"].rpartition("/")[2]
        for run_id, run in newest(recorded()).items()
        if run.get("path")
    }

    assert {run_id: stored[run_id] for run_id in names} == names


@pytest.mark.asyncio
async def test_every_run_is_in_the_api(archive):
    [_, _, path] = archive.execute("pragma database_list").fetchone()
    datasette = build_datasette(Path(path), root=ROOT)
    listed: dict[int, Any] = {}
    pages = 0
    cursor = ""
    while pages == 0 or cursor:
        response = (
            await datasette.client.get(f"/api/runs?raw=1&limit=100&cursor={cursor}")
        ).json()
        listed |= {run["run_id"]: run["raw_json"] for run in response["runs"]}
        cursor, pages = response["next"], pages + 1
    datasette.get_database("ci_observer").close()

    assert pages == 3
    assert listed == newest(recorded())


def test_there_is_a_tile_for_each_branch_that_has_runs_of_its_own(archive):
    expected = defaultdict(set)
    for run in newest(recorded()).values():
        is_own = run["head_repository"]["id"] == run["repository"]["id"]
        if is_own and not run["event"].startswith("pull_request"):
            expected[run["repository"]["full_name"]].add(run["head_branch"])

    stored = defaultdict(set)
    for repo, branch in archive.execute("select repo, branch from tiles"):
        stored[repo].add(branch)
    assert stored == expected
