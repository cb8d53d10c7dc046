"""Writes the table `refs`: which pushed refs are tags.

A workflow that never ran on the default branch may run on tags. The head branch of a
push does not say whether it is one, so each ref is requested once.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.pending import add_jobs
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc

# The refs of a feed that matter to its tile: as many as the runs that its strip shows.
REFS_PER_FEED = 20

_UNKNOWN = """
select repo, branch from (
    select
        t.repo, t.branch, r.created_at,
        row_number() over (
            partition by t.repo, t.workflow order by r.created_at desc
        ) as n
    from feed_tiles f
    join feeds using (repo, workflow)
    cross join tiles t on t.repo = f.repo and t.workflow = f.workflow
    join runs r on r.run_id = t.newest_run_id
    -- A 404 of a repository that is gone says nothing about a tag.
    where feeds.error is null
        and f.repo not in (select value from json_each(?))
        and f.default_branch is not (
            select branch from tiles d where d.rowid = f.tile_id
        )
        and t.branch not in (f.default_branch, 'refs/tags')
        and exists (
            select 1 from runs p
            where p.repo = t.repo and p.workflow = t.workflow
                and p.head_branch = t.branch and p.event = 'push'
        )
) pushed
where n <= ? and not exists (
    select 1 from refs
    where refs.repo = pushed.repo and refs.name = pushed.branch
)
group by repo, branch
order by max(created_at) desc
limit ?
"""


@dataclass(frozen=True)
class PushedRef:
    """A branch or a tag of a repository, by the name that runs have for it."""

    repo: str
    name: str

    def __str__(self) -> str:
        return f"{self.repo} ref {self.name!r}"


def unknown(
    db: Database, limit: int, *, refused: Collection[str] = ()
) -> list[PushedRef]:
    """Pushed refs of feeds without a run on the default branch, newest first.

    None of the `refused` repositories: the others must not wait for them.
    """
    rows = db.execute(
        _UNKNOWN,
        [json.dumps(list(refused)), REFS_PER_FEED, limit],
    )
    return [PushedRef(*row) for row in rows]


def save(db: Database, ref: PushedRef, *, is_tag: bool, now: datetime) -> None:
    """Write whether a ref is a tag. All pushes of a tag count for one tile."""
    with transaction(db):
        db.execute(
            "insert or replace into refs (repo, name, is_tag, checked_at)"
            " values (?, ?, ?, ?)",
            [ref.repo, ref.name, is_tag, utc(now)],
        )
        changed = db.execute(
            "update runs set is_tag = ? where repo = ? and head_branch = ?"
            " and event = 'push' and is_tag <> ? returning run_id",
            [is_tag, ref.repo, ref.name, is_tag],
        ).fetchall()
        if ids := [run_id for (run_id,) in changed]:
            update_tiles(db, ids)
            # The tile of the name as a branch, on which no run is left.
            db.execute(
                "delete from tiles where repo = ? and branch = ?"
                " and newest_run_id is null",
                [ref.repo, ref.name],
            )
            add_jobs(db, ids)
            bump_revision(db)
