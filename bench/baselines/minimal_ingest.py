"""A minimal ingest of runs: httpx, json, sqlite3 and nothing else.

It sends CI Observer's requests for the runs of a feed (30 live runs, then pages of 100
until the end), four at once, each with the ETag of the last response. It stores the
columns of `runs`, the raw JSON and the ETags. It has no error handling, limits,
retries, attempts, jobs, tiles or restarts, so its figures are a lower bound.
"""

import asyncio
import json
import os
import sqlite3
from datetime import datetime
from functools import partial
from typing import Any

import httpx

from bench.harness.pass_loop import run_passes

CONCURRENCY = 4
RUN_COLUMNS = 21
SCHEMA = """
    create table runs (
        run_id integer primary key, repo, workflow, workflow_name, run_number,
        run_attempt, event, display_title, status, conclusion, head_branch, head_sha,
        head_repo, actor, triggering_actor, pr_number, created_at, started_at,
        updated_at, duration_seconds, html_url
    );
    create table run_payloads (run_id integer primary key, raw_json text not null);
    create table etags (url text primary key, etag text not null);
"""


class MinimalIngest:
    """Stores the runs of every watched workflow in one file."""

    def __init__(self, http: httpx.AsyncClient, db: sqlite3.Connection) -> None:
        self._http = http
        self._db = db
        self._limit = asyncio.Semaphore(CONCURRENCY)
        self._etags: dict[str, str] = {}

    async def make_pass(self) -> None:
        """Fetch every feed, a few at once."""
        repos = os.environ["GH_REPOS"].split(",")
        files = os.environ["GH_WORKFLOWS"].split(",")
        await asyncio.gather(*(self._feed(r, f) for r in repos for f in files))

    async def _feed(self, repo: str, file: str) -> None:
        path = f"/repos/{repo}/actions/workflows/{file}/runs"
        is_first = f"{path}?per_page=30" not in self._etags
        url: str | None = await self._page(f"{path}?per_page=30", repo, file)
        if is_first and url:
            url = f"{path}?per_page=100"
            while url:
                url = await self._page(url, repo, file)

    async def _page(self, url: str, repo: str, file: str) -> str | None:
        async with self._limit:
            headers = {"if-none-match": self._etags.get(url, "")}
            response = await self._http.get(url, headers=headers)
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return None
        runs = response.raise_for_status().json()["workflow_runs"]
        self._etags[url] = response.headers["etag"]
        placeholders = ", ".join("?" * RUN_COLUMNS)
        with self._db as db:
            db.executemany(
                f"insert or replace into runs values ({placeholders})",  # noqa: S608
                [row(run, repo, file) for run in runs],
            )
            db.executemany(
                "insert or replace into run_payloads values (?, ?)",
                [(run["id"], json.dumps(run, separators=(",", ":"))) for run in runs],
            )
            db.execute(
                "insert or replace into etags values (?, ?)", (url, self._etags[url])
            )
        next_url: str | None = response.links.get("next", {}).get("url")
        return next_url


def row(run: dict[str, Any], repo: str, file: str) -> tuple[Any, ...]:
    """The columns of `runs`."""
    started, updated = run["run_started_at"], run["updated_at"]
    duration = datetime.fromisoformat(updated) - datetime.fromisoformat(started)
    head, pull_requests = run["head_repository"], run["pull_requests"]
    return (
        *(run["id"], repo, file, run["name"], run["run_number"], run["run_attempt"]),
        *(run["event"], run["display_title"], run["status"], run["conclusion"]),
        *(run["head_branch"], run["head_sha"], head and head["full_name"]),
        *(run["actor"]["login"], run["triggering_actor"]["login"]),
        *(pull_requests[0]["number"] if pull_requests else None, run["created_at"]),
        *(started, updated, duration.total_seconds(), run["html_url"]),
    )


def main() -> None:
    """Ingest with the settings in the environment."""
    db = sqlite3.connect(os.environ["CI_OBSERVER_DB"])
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")
    db.executescript(SCHEMA)
    with asyncio.Runner() as runner:
        http = httpx.AsyncClient(
            base_url=os.environ["GITHUB_API_URL"],
            headers={"authorization": f"Bearer {os.environ['GITHUB_TOKEN']}"},
            timeout=60,
        )
        run_passes(partial(_make_pass, runner, MinimalIngest(http, db)))
        runner.run(http.aclose())
    db.close()


def _make_pass(runner: asyncio.Runner, ingest: MinimalIngest) -> None:
    runner.run(ingest.make_pass())


if __name__ == "__main__":
    main()
