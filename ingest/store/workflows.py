"""Writes the workflow files of repositories, as GitHub lists them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from ci_observer.ingest.db.derived import recount, remake_tiles
from ci_observer.ingest.store import feeds
from ci_observer.ingest.store.database import transaction, upsert
from ci_observer.ingest.store.instance import bump_revision

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
    """Write a repository's workflow files; those no longer listed are deleted ones.

    GitHub numbers a workflow by its path: a renamed file is a new workflow, and the
    former one's runs stay its own. Should a number be listed with another path after
    all, it is one workflow, with one history.
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
    """Make all rows of a workflow file those of another name in its repository."""
    feeds.rename(db, (repo, old), (repo, new))
    db.execute(
        "update runs set workflow = ? where repo = ? and workflow = ?", [new, repo, old]
    )
    recount(db, "workflow")
    db.execute("delete from workflows where repo = ? and workflow = ?", [repo, old])
    remake_tiles(db, repo)
