"""Writes the states of feeds: disabled or archived, and without any run on GitHub.

Triggers record each change in the table `feed_states`: see `sql/45_feed_states.sql`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.db.vocabulary import RETENTION_DAYS
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.times import utc

# GitHub's words for the state of a workflow, and our own one for archived repositories,
# whose workflows GitHub lists as active.
ACTIVE = "active"
DISABLED = "disabled_"
ARCHIVED = "archived"
RETENTION = timedelta(days=RETENTION_DAYS)
HAS_RECENT_RUN = """
    exists (
        select 1 from runs r where r.repo = feeds.repo
        and r.workflow = feeds.workflow and r.created_at > :since
    )
"""


def save_enabled(db: Database, key: FeedKey, state: str | None) -> bool:
    """Set a disabled workflow active if it has a run created since it was seen so.

    Returns whether it was set. The next metadata confirm or revert it.
    """
    if not (state or "").startswith((DISABLED, ARCHIVED)):
        return False
    with transaction(db):
        changed = db.execute(
            "update feeds set workflow_state = :active"
            " where repo = :repo and workflow = :workflow"
            " and workflow_state = :state and exists ("
            "  select 1 from runs r"
            "  where r.repo = feeds.repo and r.workflow = feeds.workflow"
            "  and r.started_at > feeds.metadata_at"
            "  and r.created_at > feeds.metadata_at)",
            vars(key) | {"active": ACTIVE, "state": state},
        )
        if changed.rowcount:
            bump_revision(db)
    return bool(changed.rowcount)


def set_listed(db: Database, key: FeedKey, *, has_runs: bool, now: datetime) -> None:
    """Record whether GitHub lists runs of a feed, within the caller's transaction.

    A second response without any run, in another pass, proves that none is left.
    Without stored runs that are younger than GitHub's retention, it proves nothing.
    """
    if has_runs:
        empty = "empty_at = null, no_runs_at = null where empty_at is not null"
        _update_empty(db, key, empty, now)
        return
    empty = "no_runs_at = :now where no_runs_at is null and empty_at is not null"
    _update_empty(db, key, f"{empty} and {HAS_RECENT_RUN}", now)
    set_seen_empty(db, key, now)


def set_seen_empty(db: Database, key: FeedKey, now: datetime) -> None:
    """Record that a response listed no run of a feed: its next newest page decides.

    Within the caller's transaction.
    """
    empty = f"empty_at = :now where empty_at is null and {HAS_RECENT_RUN}"
    _update_empty(db, key, empty, now)


def _update_empty(db: Database, key: FeedKey, change: str, now: datetime) -> None:
    changed = db.execute(
        f"update feeds set {change} and repo = :repo and workflow = :workflow",
        vars(key) | {"now": utc(now), "since": utc(now - RETENTION)},
    )
    if changed.rowcount:
        bump_revision(db)


def set_archived(db: Database, repo: str, *, is_archived: bool) -> None:
    """Set all feeds of a repository archived, or those active that were.

    Within the caller's transaction.
    """
    db.execute(
        "update feeds set workflow_state = iif(:is_archived, :archived, :active)"
        " where repo = :repo and (:is_archived or workflow_state = :archived)",
        {
            "repo": repo,
            "is_archived": is_archived,
            "archived": ARCHIVED,
            "active": ACTIVE,
        },
    )


def save_recorded(
    db: Database, rows: Iterable[tuple[str, str, datetime, str, str]]
) -> None:
    """Write states of watched feeds that were true before, for the demo.

    Each row has repository, workflow, from when, state of the workflow, default branch.
    """
    with transaction(db):
        db.conn.executemany(
            "insert into feed_states (repo, workflow, from_at, is_watched,"
            " workflow_state, default_branch, is_stale) values (?, ?, ?, 1, ?, ?, 0)",
            [
                (repo, workflow, utc(at), state, branch)
                for repo, workflow, at, state, branch in rows
            ],
        )


def join(db: Database, old: FeedKey, new: FeedKey) -> None:
    """Move the recorded states of a feed that are older than all of another one.

    Within the caller's transaction. The later ones are deleted: two feeds were one
    workflow then, and the other one is kept.
    """
    keys = {"old_repo": old.repo, "old_workflow": old.workflow} | vars(new)
    db.execute(
        """
        update feed_states set repo = :repo, workflow = :workflow
        where repo = :old_repo and workflow = :old_workflow and from_at < (
            select min(from_at) from feed_states
            where repo = :repo and workflow = :workflow
        )
        """,
        keys,
    )
    delete(db, old)


def delete(db: Database, key: FeedKey) -> None:
    """Delete the recorded states of a feed, and those of its branch.

    Within the caller's transaction.
    """
    for table in ("feed_states", "state_spans", "state_builds"):
        db.execute(
            f"delete from {table} where repo = :repo and workflow = :workflow",
            vars(key),
        )
