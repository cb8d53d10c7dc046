"""Writes the workflow files of repositories, as GitHub lists them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from ci_observer.ingest.db.derived import rebuild_tiles
from ci_observer.ingest.db.moves import Move, move_runs
from ci_observer.ingest.store import feed_states, feeds
from ci_observer.ingest.store.database import transaction, upsert
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.keys import FeedKey

ACTIVE = feed_states.ACTIVE
DELETED = "deleted"
# The state of a fork's workflows until they are enabled there.
DISABLED_FORK = "disabled_fork"


@dataclass(frozen=True)
class Workflow:
    """A workflow file of a repository, as the table `workflows` holds it."""

    workflow: str
    workflow_id: int | None
    workflow_name: str | None
    workflow_state: str | None
    created_at: str | None


COLUMNS = ", ".join(Workflow.__dataclass_fields__)


def known(db: Database, repo: str) -> list[Workflow]:
    """The workflow files of a repository, as GitHub last listed them."""
    return [
        Workflow(*row)
        for row in db.execute(
            f"select {COLUMNS} from workflows where repo = ? order by workflow",
            [repo],
        )
    ]


def unused_since_next(db: Database, repo: str, files: Sequence[str]) -> list[str]:
    """Those of some polled workflows that have had no run since a later one began."""
    marks = ", ".join("?" * len(files))
    rows = db.execute(
        f"""
        select w.workflow from workflows w
        join feeds f on f.repo = w.repo and f.workflow = w.workflow
        where w.repo = ? and w.workflow in ({marks}) and coalesce((
            select max(r.created_at) from runs r
            where r.repo = w.repo and r.workflow = w.workflow
        ), '') < (
            select max(n.created_at) from workflows n
            where n.repo = w.repo and n.workflow in ({marks})
                and n.created_at > w.created_at and n.created_at < f.checked_at
        )
        order by w.workflow
        """,
        [repo, *files, *files],
    )
    return [workflow for (workflow,) in rows]


def save(db: Database, repo: str, listed: Sequence[Workflow]) -> None:
    """Write a repository's workflow files. Those no longer listed become `deleted`.

    For GitHub, a renamed file is a new workflow with a new id, and the former one keeps
    its runs. If an id is listed with another path all the same, the histories join.
    """
    with transaction(db):
        names = {workflow.workflow for workflow in listed}
        ids = {w.workflow_id: w.workflow for w in listed if w.workflow_id is not None}
        for old in known(db, repo):
            if old.workflow in names:
                continue
            if old.workflow_id in ids:
                rename(db, repo, old.workflow, ids[old.workflow_id])
                bump_revision(db)
            else:
                db.execute(
                    "update workflows set workflow_state = ?"
                    " where repo = ? and workflow = ?",
                    [DELETED, repo, old.workflow],
                )
        for workflow in listed:
            row = vars(workflow) | {"repo": repo}
            upsert(db, "workflows", row, ["repo", "workflow"])


def rename(db: Database, repo: str, old: str, new: str) -> None:
    """Move all rows of a workflow file to another name, in the caller's transaction."""
    feeds.rename(db, FeedKey(repo, old), FeedKey(repo, new))
    move_runs(db, Move(repo, repo, old, new))
    db.execute(
        "update or ignore newest_pages set workflow = ?"
        " where repo = ? and workflow = ?",
        [new, repo, old],
    )
    db.execute("delete from workflows where repo = ? and workflow = ?", [repo, old])
    rebuild_tiles(db, repo)
