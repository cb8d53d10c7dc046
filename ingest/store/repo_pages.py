"""Writes the facts about a repository that only a page of all its runs shows.

GitHub runs no workflow of a blocked account or repository. Each push then makes a run
of a workflow that has no file, `BuildFailed`. These runs are stored under a feed that
is never watched, and the newest one of them in `repos.blocked_run_id`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.github.names import BLOCKED_WORKFLOW
from ci_observer.ingest.store import feeds, repos, responses
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import set_changed
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.store.run_rows import write_runs

Payload = dict[str, Any]


@dataclass(frozen=True)
class AssignedRuns:
    """The runs on a page of a repository, by the workflow they belong to.

    `by_file` has the runs of each workflow, `blocked` those of a blocked repository.
    `strangers` belong to no known workflow, although one may be theirs. `new_files` are
    workflow files that GitHub's stored list does not have.
    """

    by_file: dict[str, list[Payload]] = field(default_factory=dict)
    blocked: list[Payload] = field(default_factory=list)
    strangers: list[Payload] = field(default_factory=list)
    new_files: set[str] = field(default_factory=set)

    def add(self, file: str, run: Payload) -> None:
        """Add a run of a workflow."""
        self.by_file.setdefault(file, []).append(run)

    @property
    def real(self) -> list[Payload]:
        """The runs that are not those of a blocked repository."""
        return [*chain(*self.by_file.values()), *self.strangers]


def stored_workflow(db: Database, repo: str, run: Payload) -> str | None:
    """The workflow under which a run is stored already, as from its own list."""
    row = db.execute(
        "select workflow from runs where run_id = ? and repo = ?", [run["id"], repo]
    ).fetchone()
    return str(row[0]) if row and row[0] != BLOCKED_WORKFLOW else None


def watched_share(db: Database, repo: str, workflows: Sequence[str]) -> float | None:
    """The share of these workflows' runs on a repository's stored newest page.

    None without such a page, or if it has no runs.
    """
    [[listed, watched]] = db.execute(
        "select count(*), count(r.run_id)"
        " from newest_pages n cross join json_each(n.run_ids) j"
        " left join runs r on r.run_id = j.value"
        "  and r.workflow in (select value from json_each(:workflows))"
        " where n.repo = :repo and n.workflow = ''",
        {"repo": repo, "workflows": json.dumps(workflows)},
    )
    return watched / listed if listed else None


def save(
    db: Database,
    repo: str,
    assigned: AssignedRuns,
    *,
    page: CachedResponse,
    now: datetime,
) -> None:
    """Write whether a repository is blocked, and the ETag of the page that says so."""
    with transaction(db):
        save_blocked(db, repo, assigned, now=now)
        responses.save(db, page)


def save_blocked(
    db: Database, repo: str, assigned: AssignedRuns, *, now: datetime
) -> None:
    """Write the runs of a blocked repository, and whether it is blocked still.

    The newest run on the page says so. A page without runs proves nothing.
    """
    if not assigned.blocked and not assigned.real:
        return
    newest_real_at = max(map(_created_at, assigned.real), default="")
    with transaction(db):
        if assigned.blocked:
            _write_runs(db, repo, assigned.blocked, now)
        newest = max(assigned.blocked, key=_order, default=None)
        if newest is not None and _created_at(newest) > newest_real_at:
            repos.save_blocked(db, repo, newest["id"])
        else:
            repos.clear_blocked(db, repo)


def _write_runs(
    db: Database, repo: str, payloads: Sequence[Payload], now: datetime
) -> None:
    feeds.add_unwatched(db, repo, BLOCKED_WORKFLOW)
    feed = feeds.get(db, repo, BLOCKED_WORKFLOW)
    saved = write_runs(db, feed, payloads)
    set_changed(db, feed, saved.written, now)


def _created_at(run: Mapping[str, Any]) -> str:
    return str(run.get("created_at") or "")


def _order(run: Mapping[str, Any]) -> tuple[str, int]:
    return _created_at(run), run["id"]
