"""Writes what GitHub says of repositories and of the workflow files in them.

A repository is known by GitHub's number, since its name may change hands. Its rows
stand under the watched name, also after GitHub gave it another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.store.instance import bump_revision, transaction, upsert
from ci_observer.ingest.store.renames import rename_repo, rename_workflow
from ci_observer.ingest.store.responses import Seen, save_seen
from ci_observer.ingest.times import utc

ACTIVE = "active"
DELETED = "deleted"


@dataclass(frozen=True)
class Repo:
    """A repository as the table `repos` holds it."""

    repo: str
    repo_id: int | None
    full_name: str | None
    default_branch: str | None
    described_at: str | None
    kept_as: str | None
    listed_on: str | None

    @property
    def is_renamed(self) -> bool:
        """Whether GitHub calls it by another name than we do."""
        return self.full_name is not None and not _same(self.full_name, self.repo)


@dataclass(frozen=True)
class Workflow:
    """A workflow file of a repository, as the table `workflows` holds it."""

    workflow: str
    workflow_id: int | None
    workflow_name: str | None
    workflow_state: str | None
    created_at: str | None
    replaced_by: str | None = None


@dataclass(frozen=True)
class ListedPage:
    """One page of an owner's list; no `repos` when it is what it was."""

    key: str
    repos: Sequence[Repository] | None
    etag: str | None
    next_url: str | None


WORKFLOW_COLUMNS = ", ".join(Workflow.__dataclass_fields__)
REPO_COLUMNS = ", ".join(Repo.__dataclass_fields__)


def repos(db: Database) -> list[Repo]:
    """Every repository that was ever asked for, by name."""
    rows = db.execute(f"select {REPO_COLUMNS} from repos order by repo")
    return [Repo(*row) for row in rows]


def repo_of(db: Database, repo: str) -> Repo | None:
    """What is known of a repository, whatever the letter case of its name."""
    row = db.execute(
        f"select {REPO_COLUMNS} from repos where repo = ?", [repo]
    ).fetchone()
    return Repo(*row) if row else None


def save_repo(db: Database, repo: str, found: Repository) -> None:
    """Write which repository has this name, and what it is called now."""
    with transaction(db):
        db.execute(
            "insert into repos (repo, repo_id, full_name, default_branch)"
            " values (?, ?, ?, ?) on conflict do update set"
            " repo_id = excluded.repo_id, full_name = excluded.full_name,"
            " default_branch = coalesce(excluded.default_branch, default_branch),"
            " kept_as = null",
            [repo, found.repo_id, found.full_name, found.default_branch],
        )


def names_of(db: Database, repo_id: int, *, but: str) -> list[str]:
    """The other names under which rows of a repository are kept."""
    rows = db.execute(
        "select repo from repos where repo_id = ? and repo <> ? and kept_as is null"
        " order by repo",
        [repo_id, but],
    )
    return [name for (name,) in rows]


def save_alias(db: Database, repo: str, found: Repository, *, kept_as: str) -> None:
    """Note that a watched name is another one's repository, whose rows are kept there.

    It is not watched under this name, too.
    """
    with transaction(db):
        save_repo(db, repo, found)
        db.execute("update repos set kept_as = ? where repo = ?", [kept_as, repo])
        db.execute("update feeds set is_watched = 0 where repo = ?", [repo])
        bump_revision(db)


def save_name_back(db: Database, repo: str) -> None:
    """Watch a name again that was another one's, which is watched no longer."""
    with transaction(db):
        db.execute(
            "update repos set kept_as = null, described_at = null where repo = ?",
            [repo],
        )


def save_moved(db: Database, old: str, new: str) -> None:
    """Make all rows of the name `old` those of `new`: one history, one transaction."""
    with transaction(db):
        rename_repo(db, old, new)
        bump_revision(db)


def save_listed(db: Database, owner: str, pages: Sequence[ListedPage]) -> None:
    """Write which live repositories an owner's list has, page by page, and the ETags.

    A page that is what it was keeps its repositories.
    """
    kept = {page.key for page in pages if page.repos is None}
    with transaction(db):
        for repo in listed_repos(db, owner):
            if repo.listed_on not in kept:
                _set_listed_on(db, repo.repo, None)
        for page in pages:
            for found in page.repos or []:
                if found.is_live:
                    save_repo(db, found.full_name, found)
                    _set_listed_on(db, found.full_name, page.key)
            if page.repos is not None and page.etag:
                save_seen(db, Seen(page.key, page.etag, page.next_url))


def listed_repos(db: Database, owner: str) -> list[Repo]:
    """The live repositories that were in an owner's list."""
    return [
        repo
        for repo in repos(db)
        if repo.listed_on and _same(repo.repo.partition("/")[0], owner)
    ]


def workflows_of(db: Database, repo: str) -> list[Workflow]:
    """The workflow files of a repository, as GitHub last listed them."""
    return [
        Workflow(*row)
        for row in db.execute(
            f"select {WORKFLOW_COLUMNS} from workflows where repo = ?"
            " order by workflow",
            [repo],
        )
    ]


def save_workflows(db: Database, repo: str, listed: Sequence[Workflow]) -> None:
    """Write a repository's workflow files; those no longer listed are deleted ones.

    GitHub numbers a workflow by its path: a renamed file is a new workflow, and the
    former one's runs stay its own. Should a number be listed with another path after
    all, it is one workflow, with one history.
    """
    with transaction(db):
        names = {workflow.workflow for workflow in listed}
        ids = {w.workflow_id: w.workflow for w in listed if w.workflow_id is not None}
        for known in workflows_of(db, repo):
            if known.workflow in names:
                continue
            if known.workflow_id in ids:
                rename_workflow(db, repo, known.workflow, ids[known.workflow_id])
                bump_revision(db)
            else:
                db.execute(
                    "update workflows set workflow_state = ?"
                    " where repo = ? and workflow = ?",
                    [DELETED, repo, known.workflow],
                )
        for workflow in listed:
            row = vars(workflow) | {"repo": repo}
            upsert(db, "workflows", row, ["repo", "workflow"])


def save_described(db: Database, repo: str, now: datetime) -> None:
    """Note that all that is asked of a repository once a day was answered."""
    with transaction(db):
        db.execute("update repos set described_at = ? where repo = ?", [utc(now), repo])


def _set_listed_on(db: Database, repo: str, key: str | None) -> None:
    db.execute("update repos set listed_on = ? where repo = ?", [key, repo])


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()
