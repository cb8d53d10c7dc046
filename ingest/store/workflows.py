"""Writes the workflow files of repositories, as GitHub lists them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from ci_observer.ingest.db.derived import rebuild_tiles, recount
from ci_observer.ingest.store import feeds
from ci_observer.ingest.store.database import transaction, upsert
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.keys import FeedKey

ACTIVE = "active"
DELETED = "deleted"


@dataclass(frozen=True)
class Workflow:
    """A workflow file of a repository, as the table `workflows` holds it."""

    workflow: str
    workflow_id: int | None
    workflow_name: str | None
    workflow_state: str | None
    created_at: str | None
    replaced_by: str | None = None


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
    db.execute(
        "update runs set workflow = ? where repo = ? and workflow = ?", [new, repo, old]
    )
    recount(db, "workflow")
    db.execute("delete from workflows where repo = ? and workflow = ?", [repo, old])
    rebuild_tiles(db, repo)
