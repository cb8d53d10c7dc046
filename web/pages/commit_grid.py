"""The page of a branch's newest commits: a grid of commits and workflows."""

import heapq
import json
import re
from collections.abc import Iterator
from typing import Any

from datasette.app import Datasette
from datasette.utils.sqlite import sqlite3

from ci_observer.web.api.run_queries import TAGS
from ci_observer.web.database import fetch, fetch_rows
from ci_observer.web.errors import BadRequest
from ci_observer.web.pages.commit_page import (
    about_commit,
    expires_at,
    watched,
    workflow_names,
)
from ci_observer.web.pages.commit_queries import (
    BRANCH_SQL,
    CREATED_SQL,
    GRID_RUNS_SQL,
    GRID_SNAPSHOT_SQL,
    IS_NEWER_SQL,
    WALK_SQL,
    WORKFLOWS_SQL,
)
from ci_observer.web.pages.commit_repo import find_repo, refuse_arguments
from ci_observer.web.pages.commit_results import LEFT_OUT, NOT_RUN, Outcome
from ci_observer.web.pages.commit_verdict import UNPROVED, outcomes, verdict_of
from ci_observer.web.pages.page import Content, PageParams
from ci_observer.web.texts import cut, display_row
from ci_observer.web.urls import commit_path
from ci_observer.web.vocabulary import label_of

ALLOWED = ("branch", "before")
COMMITS = 50
# A repository of very many workflows has fewer commits on a page.
MAX_CELLS = 3000
MIN_COMMITS = 10
# A commit may have thousands of scheduled runs: the page ends early.
MAX_RUNS_READ = 20_000
# After the last digit and letter, so after every time.
NOW_AND_LATER = "~"

Row = dict[str, Any]


async def fetch_commits(datasette: Datasette, params: PageParams, repo: str) -> Content:
    """The content of the grid, on the branch that the URL names.

    Raises `BadRequest` for an unknown argument, `NotFound` for an unknown repository.
    """
    arguments = refuse_arguments(params, ALLOWED)
    repo = await find_repo(datasette, repo)
    named = arguments.get("branch") or None
    found = await fetch_rows(datasette, BRANCH_SQL, {"repo": repo, "branch": named})
    is_of_tags = bool(named and found[0]["is_tag"])
    default = found[0]["default_branch"]
    branch = TAGS if is_of_tags else named or default
    start = await _start(datasette, repo, arguments.get("before"))
    rows = await fetch(
        datasette,
        lambda conn: read_grid(conn, repo, branch, start),
        key=GRID_RUNS_SQL,
    )
    return _content(rows, repo=repo, branch=branch, default=default, start=start)


async def _start(
    datasette: Datasette, repo: str, before: str | None
) -> tuple[str, int]:
    """The creation and number of the run before which the page begins."""
    if before is None:
        return NOW_AND_LATER, 0
    # SQLite's integers have up to 19 digits.
    number = int(before) if re.fullmatch("[0-9]{1,18}", before) else 0
    rows = await fetch_rows(datasette, CREATED_SQL, {"repo": repo, "before": number})
    if not rows:
        raise BadRequest(
            f"before={cut(before, 50)} is not the number of a run of {repo}."
        )
    return str(rows[0]["created_at"]), number


def read_grid(
    conn: sqlite3.Connection, repo: str, branch: str | None, start: tuple[str, int]
) -> dict[str, list[Row]]:
    """The rows of the page, in one read transaction."""
    names = {"repo": repo, "branch": branch}
    workflows = [row["workflow"] for row in conn.execute(WORKFLOWS_SQL, names)]
    commits = max(MIN_COMMITS, min(COMMITS, MAX_CELLS // max(1, len(workflows))))
    walk = _newest_first(conn, names, workflows, start)
    shas, before = _walk(conn, names, walk, start, commits)
    params = names | {"shas": json.dumps(shas)}
    rows = {
        name: [dict(row) for row in conn.execute(sql, params)]
        for name, sql in GRID_SNAPSHOT_SQL.items()
    }
    more = [{"before": before}] if before else []
    return rows | {"shas": [{"head_sha": sha} for sha in shas], "more": more}


def _newest_first(
    conn: sqlite3.Connection, names: Row, workflows: list[str], start: tuple[str, int]
) -> Iterator[sqlite3.Row]:
    """The branch's runs of all workflows, the newest first, each read when needed."""
    created_at, before = start
    params = names | {"created_at": created_at, "before": before}
    cursors = [conn.execute(WALK_SQL, params | {"workflow": w}) for w in workflows]
    return heapq.merge(
        *cursors, key=lambda run: (run["created_at"], run["run_id"]), reverse=True
    )


def _walk(
    conn: sqlite3.Connection,
    names: Row,
    walk: Iterator[sqlite3.Row],
    start: tuple[str, int],
    commits: int,
) -> tuple[list[str], int | None]:
    """The newest commits, and the number of the run before which the next page begins.

    A commit that a page before this one has shown is left out.
    """
    created_at, before = start
    seen: dict[str, bool] = {}
    last = None
    for number, run in enumerate(walk):
        sha = run["head_sha"]
        is_full = sha not in seen and sum(seen.values()) == commits
        if is_full or number == MAX_RUNS_READ:
            return [sha for sha, is_new in seen.items() if is_new], last
        if sha not in seen:
            params = names | {"sha": sha, "created_at": created_at, "before": before}
            [is_shown] = conn.execute(IS_NEWER_SQL, params).fetchone()
            seen[sha] = not is_shown
        last = run["run_id"]
    return [sha for sha, is_new in seen.items() if is_new], None


def _content(
    rows: dict[str, list[Row]],
    *,
    repo: str,
    branch: str | None,
    default: str | None,
    start: tuple[str, int],
) -> Content:
    wall = watched(rows["wall"])
    alarms = {tile["workflow"]: tile["alarm"] for tile in wall}
    by_commit: dict[str, list[Row]] = {row["head_sha"]: [] for row in rows["shas"]}
    for run in rows["runs"]:
        by_commit[run["head_sha"]].append(run)
    names = workflow_names(rows["runs"], wall)
    columns = sorted(names, key=lambda file: (names[file].lower(), file))
    # A commit may have newer runs than the next one; the page shows its first.
    found = {
        sha: outcomes(runs, wall)
        for sha, runs in sorted(
            by_commit.items(), key=lambda item: _first_at(item[1]), reverse=True
        )
        if runs
    }
    branch_argument = None if branch == default else branch
    context = {
        "repo": repo,
        "branch": branch,
        "default_branch": default,
        "tags": TAGS,
        "branches": _branches(default, branch, rows["branches"]),
        "columns": [_column(file, names[file], alarms) for file in columns],
        "commits": [
            _commit(sha, by_commit[sha], outcome, columns, alarms)
            for sha, outcome in found.items()
        ],
        "is_first_page": start[0] == NOW_AND_LATER,
        "first_path": commit_path(repo, branch=branch_argument),
        "older_path": rows["more"]
        and commit_path(repo, branch=branch_argument, before=rows["more"][0]["before"]),
    }
    title = f"Commits of {cut(branch or 'no branch')} \N{MIDDLE DOT} {repo}"
    return Content(
        context,
        revision=int(rows["revision"][0]["revision"]),
        expires_at=expires_at(rows),
        title=title,
    )


def _first_at(runs: list[Row]) -> str:
    return str(runs[0]["first_at"]) if runs else ""


def _column(file: str, name: str, alarms: dict[str, str | None]) -> Row:
    alarm = alarms.get(file)
    return {
        "workflow": file,
        "name": name,
        "note": label_of(alarm) if alarm in UNPROVED else "",
        "is_watched": file in alarms,
    }


def _commit(
    sha: str,
    runs: list[Row],
    found: dict[str, Outcome],
    columns: list[str],
    alarms: dict[str, str | None],
) -> Row:
    missing = Outcome(NOT_RUN, detail="no longer watched")
    return {
        "sha": sha,
        "about": about_commit(runs),
        "verdict": verdict_of(found, alarms),
        "cells": [_cell(file, found.get(file, missing)) for file in columns],
    }


def _cell(file: str, outcome: Outcome) -> Row:
    return {
        "workflow": file,
        "outcome": outcome,
        "result": outcome.result,
        "run": outcome.run and display_row(outcome.run),
        "is_empty": outcome.state in (NOT_RUN, LEFT_OUT),
    }


def _branches(default: str | None, branch: str | None, rows: list[Row]) -> list[str]:
    names = [default, branch, *(row["branch"] for row in rows)]
    return [name for name in dict.fromkeys(names) if name]
