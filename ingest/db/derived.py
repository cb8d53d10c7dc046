"""The tables that are made of the runs, each equal to the view that defines it.

All of these functions are part of the caller's transaction.
"""
# ruff: noqa: S608 (own names, and no value)

import re
from collections.abc import Mapping, Sequence

from sqlite_utils import Database

from ci_observer.ingest.progress import Progress, no_progress

# What is made anew branch by branch, and the views that define it.
OF_BRANCHES = {
    "tiles": "tile_facts",
    "decisions": "run_decisions",
    "branch_events": "timed_events",
}
VALUES, COUNTED_VALUES = "run_values", "counted_values"
# The columns of `runs` by whose values runs are counted.
COUNTED = (
    "repo",
    "workflow",
    "head_branch",
    "event",
    "actor",
    "status",
    "conclusion",
)

_BRANCH = "where repo = ? and workflow = ? and branch = ?"


def remake(
    db: Database, before: Mapping[str, str], now: Mapping[str, str], progress: Progress
) -> None:
    """Make anew what other views define now; both are `create view` texts by name."""

    def has_changed(view: str) -> bool:
        return definition(view, before) != definition(view, now)

    if any(has_changed(OF_BRANCHES[table]) for table in ("decisions", "branch_events")):
        remake_tiles(db, progress=progress)
    elif has_changed(OF_BRANCHES["tiles"]):
        for key in progress(_branches(db), "making tiles"):
            refresh_tile(db, *key)
    if has_changed(COUNTED_VALUES):
        for name in progress(COUNTED, "counting runs"):
            recount(db, name)


def definition(view: str, views: Mapping[str, str]) -> dict[str, str]:
    """A view's text and those of the views that it names, without their comments."""
    found: dict[str, str] = {}
    names = [view]
    for name in names:
        if name in views and name not in found:
            found[name] = re.sub(r"(?m)^ *--.*\n", "", views[name])
            names += re.findall(r"\w+", found[name])
    return found


def recount(db: Database, name: str) -> None:
    """Count anew the runs by their values of one column."""
    db.execute(f"delete from {VALUES} where name = ?", [name])
    db.execute(
        f"insert into {VALUES} select * from {COUNTED_VALUES} where name = ?", [name]
    )


def remake_tiles(
    db: Database, repo: str | None = None, *, progress: Progress = no_progress
) -> None:
    """Make all tiles anew, or those of one repository."""
    for table in OF_BRANCHES:
        db.execute(
            f"delete from {table} where :repo is null or repo = :repo", {"repo": repo}
        )
    for key in progress(_branches(db, repo), "making tiles"):
        _make_tile(db, *key)


def remake_tile(db: Database, repo: str, workflow: str, branch: str) -> None:
    """Make what is derived of a branch's runs anew: their decisions and their tile."""
    for table in OF_BRANCHES:
        db.execute(f"delete from {table} {_BRANCH}", [repo, workflow, branch])
    _make_tile(db, repo, workflow, branch)


def _branches(db: Database, repo: str | None = None) -> list[tuple[str, str, str]]:
    """Repository, workflow and branch of every tile that there should be."""
    return db.execute(
        "select distinct repo, workflow, head_branch from branch_runs"
        " where :repo is null or repo = :repo",
        {"repo": repo},
    ).fetchall()


def _make_tile(db: Database, repo: str, workflow: str, branch: str) -> None:
    save_decisions(db, _BRANCH, [repo, workflow, branch])
    refresh_tile(db, repo, workflow, branch)


def save_decisions(db: Database, where: str, params: Sequence[str | int]) -> None:
    """Write what runs decide, and of which events they are; `where` tells which.

    An event of which a run took time stays, until all of the branch is made anew.
    """
    db.execute(
        f"insert into decisions select * from run_decisions {where}",
        params,
    )
    db.execute(
        "insert or ignore into branch_events select repo, workflow, branch, event"
        f" from timed_events {where}",
        params,
    )


def refresh_tile(db: Database, repo: str, workflow: str, branch: str) -> None:
    """Make one row of `tiles` equal to the view `tile_facts`, which defines it."""
    key = [repo, workflow, branch]
    db.execute(
        "insert or ignore into tiles (repo, workflow, branch) values (?, ?, ?)", key
    )
    db.execute(f"replace into tiles select * from tile_facts {_BRANCH}", key)
