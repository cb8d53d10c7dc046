"""Rebuilds the derived tables: each holds the rows of the view that defines it.

Every function runs within the caller's transaction.
"""
# ruff: noqa: S608 (own names, and no value)

import re
from collections.abc import Mapping, Sequence

from sqlite_utils import Database

from ci_observer.ingest.db import rollups
from ci_observer.ingest.db.vocabulary import TEST_FAILURES, sql_list
from ci_observer.ingest.progress import Progress, no_progress
from ci_observer.ingest.states import updates

# The tables that are rebuilt branch by branch, and the views that define them.
BRANCH_TABLES = {
    "tiles": "tile_facts",
    "decisions": "run_decisions",
    "branch_events": "timed_events",
}
VALUES, COUNTED_VALUES = "run_values", "counted_values"
FLAKY_SHAS = "flaky_shas"
# The view from which the background computes the states of feeds over time.
STATE_ATTEMPTS = "state_attempts"
# The columns of `runs` whose values are counted.
COUNTED_COLUMNS = (
    "repo",
    "workflow",
    "head_branch",
    "event",
    "actor",
    "status",
    "conclusion",
)

_BRANCH = "where repo = ? and workflow = ? and branch = ?"


def rebuild_changed(
    db: Database, before: Mapping[str, str], now: Mapping[str, str], progress: Progress
) -> None:
    """Rebuild the tables whose defining views changed.

    `before` and `now` are the `create view` statements by name.
    """

    def has_changed(view: str) -> bool:
        return definition(view, before) != definition(view, now)

    if any(
        has_changed(BRANCH_TABLES[table]) for table in ("decisions", "branch_events")
    ):
        rebuild_tiles(db, progress=progress)
    elif has_changed(BRANCH_TABLES["tiles"]):
        for key in progress(_branches(db), "rebuilding tiles"):
            refresh_tile(db, *key)
    if has_changed(COUNTED_VALUES):
        for name in progress(COUNTED_COLUMNS, "counting runs"):
            recount(db, name)
    if any(has_changed(f"counted_{table}") for table in (*rollups.TABLES, FLAKY_SHAS)):
        rollups.restart(db)
        # After the restart, no trigger counts them.
        db.execute(f"delete from {FLAKY_SHAS}")
    if has_changed(STATE_ATTEMPTS):
        updates.mark(db)


def definition(view: str, views: Mapping[str, str]) -> dict[str, str]:
    """The text of a view and of all views that it uses, without their comments."""
    found: dict[str, str] = {}
    names = [view]
    for name in names:
        if name in views and name not in found:
            found[name] = re.sub(r"(?m)^ *--.*\n", "", views[name])
            names += re.findall(r"\w+", found[name])
    return found


def recount(db: Database, name: str) -> None:
    """Count the runs again by their values of one column."""
    db.execute(f"delete from {VALUES} where name = ?", [name])
    columns = ", ".join(_columns(db, COUNTED_VALUES))
    db.execute(
        f"insert into {VALUES} ({columns})"
        f" select {columns} from {COUNTED_VALUES} where name = ?",
        [name],
    )


def add_to_values(db: Database, changes: Mapping[tuple[str, str], int]) -> None:
    """Add to the numbers of runs, by column and value."""
    changed = {key: runs for key, runs in changes.items() if runs}
    db.conn.executemany(
        "insert into run_values (name, value, runs) values (?, ?, ?)"
        " on conflict do update set runs = runs + excluded.runs",
        [(*key, runs) for key, runs in changed.items()],
    )
    db.conn.executemany(
        "delete from run_values where name = ? and value = ? and runs = 0",
        [key for key, runs in changed.items() if runs < 0],
    )


def recount_flaky_shas(db: Database, from_run_id: int, to_run_id: int) -> None:
    """Compute the flaky commits again that failed in a run of a span of ids.

    `to_run_id` is not in the span. Starts with the failed attempts, which are few;
    triggers do the rest.
    """
    db.execute(
        f"""
        insert into changed_shas
        select distinct r.repo, r.workflow, r.head_branch, r.head_sha
        from run_attempts a cross join runs r using (run_id)
        where a.run_id >= ? and a.run_id < ? and a.status = 'completed'
            and a.effective_conclusion in {sql_list(TEST_FAILURES)}
            and r.event <> 'workflow_run'
        """,
        [from_run_id, to_run_id],
    )


def rebuild_tiles(
    db: Database, repo: str | None = None, *, progress: Progress = no_progress
) -> None:
    """Rebuild the derived tables of all branches, or of one repository's.

    The states over time are left to the background.
    """
    for table in BRANCH_TABLES:
        db.execute(
            f"delete from {table} where :repo is null or repo = :repo", {"repo": repo}
        )
    for key in progress(_branches(db, repo), "rebuilding tiles"):
        _insert_branch(db, *key)
    updates.mark(db, repo)


def rebuild_branch(db: Database, repo: str, workflow: str, branch: str) -> None:
    """Rebuild the decisions, events and tile of one branch."""
    for table in BRANCH_TABLES:
        db.execute(f"delete from {table} {_BRANCH}", [repo, workflow, branch])
    _insert_branch(db, repo, workflow, branch)


def _branches(db: Database, repo: str | None = None) -> list[tuple[str, str, str]]:
    """The repository, workflow and branch of each tile that is needed."""
    return db.execute(
        "select distinct repo, workflow, tile_branch from branch_runs"
        " where :repo is null or repo = :repo",
        {"repo": repo},
    ).fetchall()


def _insert_branch(db: Database, repo: str, workflow: str, branch: str) -> None:
    save_decisions(db, _BRANCH, [repo, workflow, branch])
    refresh_tile(db, repo, workflow, branch)


def save_decisions(db: Database, where: str, params: Sequence[str | int]) -> None:
    """Insert the decisions and the events of the runs that `where` selects.

    An event is deleted only when its branch is rebuilt.
    """
    columns = ", ".join(_columns(db, "run_decisions"))
    db.execute(
        f"insert into decisions ({columns})"
        f" select {columns} from run_decisions {where}",
        params,
    )
    columns = "repo, workflow, branch, event"
    db.execute(
        f"insert or ignore into branch_events ({columns})"
        f" select {columns} from timed_events {where}",
        params,
    )


def refresh_tile(db: Database, repo: str, workflow: str, branch: str) -> None:
    """Update one row of `tiles` to that of the view `tile_facts`."""
    key = [repo, workflow, branch]
    db.execute(
        "insert or ignore into tiles (repo, workflow, branch) values (?, ?, ?)", key
    )
    names = _columns(db, "tile_facts")
    columns = ", ".join(names)
    # Not `replace`, which would clear a column that a user has added.
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    db.execute(
        f"insert into tiles ({columns}) select {columns} from tile_facts {_BRANCH}"
        f" on conflict (repo, workflow, branch) do update set {changes}",
        key,
    )


# Compiling a large view only for its columns takes a millisecond, so it is done once.
_columns_of_views: dict[str, list[str]] = {}


def _columns(db: Database, view: str) -> list[str]:
    """The columns of a view. Its table has the same ones, and perhaps a user's."""
    if view not in _columns_of_views:
        empty = db.execute(f"select * from {view} limit 0")
        _columns_of_views[view] = [name for name, *_ in empty.description]
    return _columns_of_views[view]
