"""Carries the rows of a repository or a workflow file over to its new name.

Within the caller's transaction. GitHub's own words in the payloads stay as they came.
"""

from sqlite_utils import Database

from ci_observer.ingest.db.derived import recount, remake_tiles

Key = tuple[str, str]

# The descriptions' ETags stand under the repository's name.
NAMED_ETAGS = ("repository", "workflows", "in progress")


def rename_repo(db: Database, old: str, new: str) -> None:
    """Make all rows of a repository those of another name, joining what has it."""
    files = db.execute("select workflow from feeds where repo = ?", [old]).fetchall()
    for (workflow,) in files:
        _move_feed(db, (old, workflow), (new, workflow))
    db.execute(
        "update runs set head_repo = :new"
        " where repo = :old and head_repo = :old collate nocase",
        {"old": old, "new": new},
    )
    db.execute("update runs set repo = ? where repo = ?", [new, old])
    recount(db, "repo")
    _move_rows(db, "repos", old, new)
    _move_rows(db, "workflows", old, new)
    for what in NAMED_ETAGS:
        db.execute("delete from etags where url = ?", [f"{old} {what}"])
    for name in (old, new):
        remake_tiles(db, name)


def rename_workflow(db: Database, repo: str, old: str, new: str) -> None:
    """Make all rows of a workflow file those of another name in its repository."""
    _move_feed(db, (repo, old), (repo, new))
    db.execute(
        "update runs set workflow = ? where repo = ? and workflow = ?", [new, repo, old]
    )
    recount(db, "workflow")
    db.execute("delete from workflows where repo = ? and workflow = ?", [repo, old])
    remake_tiles(db, repo)


def _move_feed(db: Database, old: Key, new: Key) -> None:
    """Give a feed another name; what polled under that name already is joined.

    The gap of either is then caught up with.
    """
    polled = db.execute(
        "select checked_at from feeds where repo = ? and workflow = ?", new
    ).fetchone()
    if polled and polled[0]:
        db.execute(
            """
            update feeds set (
                backfill_until, backfill_next_url, window_from, backfilled_to,
                windows_short
            ) = (
                select
                    coalesce(
                        min(feeds.backfill_until, o.backfill_until),
                        feeds.backfill_until, o.backfill_until
                    ),
                    iif(o.backfill_until is null, feeds.backfill_next_url, null),
                    iif(o.backfill_until is null, feeds.window_from, null),
                    coalesce(
                        min(feeds.backfilled_to, o.backfilled_to),
                        feeds.backfilled_to, o.backfilled_to
                    ),
                    feeds.windows_short + o.windows_short
                from feeds o where o.repo = ? and o.workflow = ?
            ) where repo = ? and workflow = ?
            """,
            [*old, *new],
        )
        db.execute("delete from feeds where repo = ? and workflow = ?", old)
        return
    db.execute("delete from feeds where repo = ? and workflow = ?", new)
    db.execute(
        "update feeds set repo = ?, workflow = ?, error = null, error_kind = null,"
        " error_at = null, retry_at = null where repo = ? and workflow = ?",
        [*new, *old],
    )


def _move_rows(db: Database, table: str, old: str, new: str) -> None:
    """Rename what the new name does not have yet, and drop the rest."""
    db.execute(f"update or ignore {table} set repo = ? where repo = ?", [new, old])
    db.execute(f"delete from {table} where repo = ?", [old])
