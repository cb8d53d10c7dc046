"""Writes the table `repos`: names, ids and metadata of repositories.

GitHub's id identifies a repository, since its name may pass to another one. Its rows
stay under the watched name after a rename on GitHub.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.db.counting import counting_paused
from ci_observer.ingest.db.derived import rebuild_tiles
from ci_observer.ingest.db.moves import Move, move_runs
from ci_observer.ingest.github.names import every_repo_of, owner_of
from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.store import feeds, responses, watch_errors
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.keys import FeedKey
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
    is_archived: int
    topics: str | None

    @property
    def topic_list(self) -> list[str]:
        """The topics on GitHub, as far as they are known."""
        return list(json.loads(self.topics)) if self.topics else []

    @property
    def is_renamed(self) -> bool:
        """Whether GitHub has another name for it than the watched one."""
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
    """Every stored repository, by name."""
    rows = db.execute(f"select {COLUMNS} from repos order by repo")
    return [Repo(*row) for row in rows]


def get(db: Database, repo: str) -> Repo | None:
    """A stored repository. The letter case of its name does not matter."""
    row = db.execute(f"select {COLUMNS} from repos where repo = ?", [repo]).fetchone()
    return Repo(*row) if row else None


def save(db: Database, repo: str, found: Repository) -> None:
    """Write which repository has this name, and its current name on GitHub."""
    with transaction(db):
        db.execute(
            "insert into repos"
            " (repo, repo_id, full_name, default_branch, is_archived, topics)"
            " values (?, ?, ?, ?, ?, ?) on conflict do update set"
            " repo_id = excluded.repo_id, full_name = excluded.full_name,"
            " default_branch = coalesce(excluded.default_branch, default_branch),"
            " is_archived = excluded.is_archived, alias_of = null,"
            " topics = coalesce(excluded.topics, topics)",
            [
                repo,
                found.repo_id,
                found.full_name,
                found.default_branch,
                found.is_archived,
                None if found.topics is None else json.dumps(found.topics),
            ],
        )


def other_names(db: Database, repo_id: int, *, exclude: str) -> list[str]:
    """The other names under which rows of a repository are kept."""
    rows = db.execute(
        "select repo from repos where repo_id = ? and repo <> ? and alias_of is null"
        " order by repo",
        [repo_id, exclude],
    )
    return [name for (name,) in rows]


def save_alias(db: Database, repo: str, found: Repository, *, alias_of: str) -> None:
    """Record `repo` as an alias of `alias_of`, and stop watching it."""
    with transaction(db):
        save(db, repo, found)
        db.execute("update repos set alias_of = ? where repo = ?", [alias_of, repo])
        db.execute("update feeds set is_watched = 0 where repo = ?", [repo])
        watch_errors.delete(db, repo)
        bump_revision(db)


def remove_alias(db: Database, repo: str) -> None:
    """Make an alias a name of its own again, whose metadata are due."""
    with transaction(db):
        db.execute(
            "update repos set alias_of = null, metadata_at = null where repo = ?",
            [repo],
        )


def rename(db: Database, old: str, new: str) -> None:
    """Move all rows of a repository to another name, and join both histories.

    The payloads keep GitHub's names of their time.
    """
    with transaction(db):
        with counting_paused(db):
            _rename_feeds(db, old, new)
        move_runs(db, Move(old, new))
        _move_rows(db, "repos", old, new)
        _move_rows(db, "workflows", old, new)
        _move_rows(db, "refs", old, new)
        responses.delete(db, old)
        _move_rows(db, "newest_pages", old, new)
        watch_errors.delete(db, old)
        _move_rows(db, "feed_states", old, new)
        # The settings of the new name are written when it is watched.
        for table in ("feed_settings", "tile_branches"):
            db.execute(f"delete from {table} where repo = ? and repo <> ?", [old, new])
        for name in (old, new):
            rebuild_tiles(db, name)
        bump_revision(db)


def save_listed(db: Database, owner: str, pages: Sequence[ListedPage]) -> None:
    """Write the live repositories of an owner's list, and the ETags of its pages.

    An unchanged page keeps its repositories.
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
    """The live repositories of an owner, as last listed."""
    return [
        repo
        for repo in known(db)
        if repo.listed_in and _same(owner_of(repo.repo), owner)
    ]


def save_metadata_at(db: Database, repo: str, now: datetime) -> None:
    """Record that all metadata of a repository was fetched."""
    with transaction(db):
        db.execute("update repos set metadata_at = ? where repo = ?", [utc(now), repo])


def save_blocked(db: Database, repo: str, run_id: int) -> None:
    """Record the newest run that GitHub refused because the repository is blocked.

    Unless a run of a workflow is stored that is newer: then the run is old news. Within
    the caller's transaction.
    """
    db.execute("insert or ignore into repos (repo) values (?)", [repo])
    changed = db.execute(
        """
        update repos set blocked_run_id = :run_id
        where repo = :repo and blocked_run_id is not :run_id and not exists (
            select 1 from runs b join runs r on r.repo = b.repo
            -- Lets SQLite find the newest runs by an index.
            where b.run_id = :run_id and r.started_at >= b.created_at
                and r.created_at >= b.created_at and r.workflow <> b.workflow
        )
        returning 1
        """,
        {"repo": repo, "run_id": run_id},
    ).fetchall()
    if changed:
        bump_revision(db)


def blocked(db: Database) -> set[str]:
    """The repositories that are blocked and have watched feeds."""
    rows = db.execute(
        "select repo from repos where blocked_run_id is not null"
        " and repo in (select repo from feeds where is_watched)"
    )
    return {repo for (repo,) in rows}


def clear_blocked(db: Database, repo: str, *, until: str | None = None) -> None:
    """Record that a repository is not blocked, within the caller's transaction.

    With `until`, when a workflow's run was created: unless a newer run says otherwise.
    """
    changed = db.execute(
        """
        update repos set blocked_run_id = null
        where repo = :repo and blocked_run_id is not null and (
            :until is null
            or :until >= (select created_at from runs where run_id = blocked_run_id)
        )
        returning 1
        """,
        {"repo": repo, "until": until},
    ).fetchall()
    if changed:
        bump_revision(db)


def _rename_feeds(db: Database, old: str, new: str) -> None:
    files = db.execute("select workflow from feeds where repo = ?", [old]).fetchall()
    for (workflow,) in files:
        feeds.rename(db, FeedKey(old, workflow), FeedKey(new, workflow))


def _set_listed_in(db: Database, repo: str, url: str | None) -> None:
    db.execute("update repos set listed_in = ? where repo = ?", [url, repo])


def _same(name: str, other: str) -> bool:
    return name.lower() == other.lower()


def _move_rows(db: Database, table: str, old: str, new: str) -> None:
    """Move the rows that the new name lacks, and delete the others."""
    db.execute(f"update or ignore {table} set repo = ? where repo = ?", [new, old])
    # Names that differ only in letter case identify the same row: do not delete it.
    db.execute(f"delete from {table} where repo = ? and repo <> ?", [old, new])
