"""Writes what GitHub says of repositories and of the workflow files in them.

A repository is known by GitHub's number, since its name may change hands. Its rows
stand under the watched name, also after GitHub gave it another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.db.derived import recount, remake_tiles
from ci_observer.ingest.github.names import every_repo_of, owner_of
from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.store import feeds, responses
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.responses import CachedResponse, ResponseKey
from ci_observer.ingest.times import utc


@dataclass(frozen=True)
class Repo:
    """A repository as the table `repos` holds it."""

    repo: str
    repo_id: int | None
    full_name: str | None
    default_branch: str | None
    metadata_at: str | None
    alias_of: str | None
    listed_in: str | None

    @property
    def is_renamed(self) -> bool:
        """Whether GitHub calls it by another name than we do."""
        return self.full_name is not None and not _same(self.full_name, self.repo)


@dataclass(frozen=True)
class ListedPage:
    """A page of an owner's repositories. `repos` is None on 304 Not Modified."""

    url: str
    repos: Sequence[Repository] | None
    etag: str | None
    next_url: str | None


COLUMNS = ", ".join(Repo.__dataclass_fields__)


def known(db: Database) -> list[Repo]:
    """Every repository that was ever asked for, by name."""
    rows = db.execute(f"select {COLUMNS} from repos order by repo")
    return [Repo(*row) for row in rows]


def get(db: Database, repo: str) -> Repo | None:
    """What is known of a repository, whatever the letter case of its name."""
    row = db.execute(f"select {COLUMNS} from repos where repo = ?", [repo]).fetchone()
    return Repo(*row) if row else None


def save(db: Database, repo: str, found: Repository) -> None:
    """Write which repository has this name, and what it is called now."""
    with transaction(db):
        db.execute(
            "insert into repos (repo, repo_id, full_name, default_branch)"
            " values (?, ?, ?, ?) on conflict do update set"
            " repo_id = excluded.repo_id, full_name = excluded.full_name,"
            " default_branch = coalesce(excluded.default_branch, default_branch),"
            " alias_of = null",
            [repo, found.repo_id, found.full_name, found.default_branch],
        )


def other_names(db: Database, repo_id: int, *, but: str) -> list[str]:
    """The other names under which rows of a repository are kept."""
    rows = db.execute(
        "select repo from repos where repo_id = ? and repo <> ? and alias_of is null"
        " order by repo",
        [repo_id, but],
    )
    return [name for (name,) in rows]


def save_alias(db: Database, repo: str, found: Repository, *, alias_of: str) -> None:
    """Note that a watched name is another one's repository, whose rows are kept there.

    It is not watched under this name, too.
    """
    with transaction(db):
        save(db, repo, found)
        db.execute("update repos set alias_of = ? where repo = ?", [alias_of, repo])
        db.execute("update feeds set is_watched = 0 where repo = ?", [repo])
        bump_revision(db)


def remove_alias(db: Database, repo: str) -> None:
    """Watch a name again that was another one's, which is watched no longer."""
    with transaction(db):
        db.execute(
            "update repos set alias_of = null, metadata_at = null where repo = ?",
            [repo],
        )


def rename(db: Database, old: str, new: str) -> None:
    """Move all rows of a repository to another name, and join them with its rows."""
    with transaction(db):
        files = db.execute(
            "select workflow from feeds where repo = ?", [old]
        ).fetchall()
        for (workflow,) in files:
            feeds.rename(db, (old, workflow), (new, workflow))
        db.execute(
            "update runs set head_repo = :new"
            " where repo = :old and head_repo = :old collate nocase",
            {"old": old, "new": new},
        )
        db.execute("update runs set repo = ? where repo = ?", [new, old])
        recount(db, "repo")
        _move_rows(db, "repos", old, new)
        _move_rows(db, "workflows", old, new)
        responses.delete(db, old)
        for name in (old, new):
            remake_tiles(db, name)
        bump_revision(db)


def save_listed(db: Database, owner: str, pages: Sequence[ListedPage]) -> None:
    """Write which live repositories an owner's list has, page by page, and the ETags.

    A page that is what it was keeps its repositories.
    """
    unchanged = {page.url for page in pages if page.repos is None}
    with transaction(db):
        for repo in listed(db, owner):
            if repo.listed_in not in unchanged:
                _set_listed_in(db, repo.repo, None)
        for page in pages:
            for found in page.repos or []:
                if found.is_live:
                    save(db, found.full_name, found)
                    _set_listed_in(db, found.full_name, page.url)
            if page.repos is not None and page.etag:
                key = ResponseKey("repositories", every_repo_of(owner), page.url)
                responses.save(db, CachedResponse(key, page.etag, page.next_url))


def listed(db: Database, owner: str) -> list[Repo]:
    """The live repositories that were in an owner's list."""
    return [
        repo
        for repo in known(db)
        if repo.listed_in and _same(owner_of(repo.repo), owner)
    ]


def save_metadata_at(db: Database, repo: str, now: datetime) -> None:
    """Note that all that is asked of a repository once a day was answered."""
    with transaction(db):
        db.execute("update repos set metadata_at = ? where repo = ?", [utc(now), repo])


def _set_listed_in(db: Database, repo: str, key: str | None) -> None:
    db.execute("update repos set listed_in = ? where repo = ?", [key, repo])


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _move_rows(db: Database, table: str, old: str, new: str) -> None:
    """Rename what the new name does not have yet, and drop the rest."""
    db.execute(f"update or ignore {table} set repo = ? where repo = ?", [new, old])
    db.execute(f"delete from {table} where repo = ?", [old])
