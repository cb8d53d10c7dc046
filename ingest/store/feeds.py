"""Writes the table `feeds`: which workflows are watched, how fresh their data are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.alerts import outbox
from ci_observer.ingest.store import (
    backfills,
    feed_states,
    job_walk,
    pending,
    responses,
)
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feed_states import ARCHIVED, set_archived
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.times import CLOCK_TOLERANCE, parse_instant, utc


@dataclass(frozen=True)
class Feed:
    """A watched workflow of a repository: its identity and its freshness."""

    repo: str
    workflow: str
    workflow_state: str | None
    default_branch: str | None
    metadata_at: str | None
    etag: str | None
    checked_at: str | None
    error: str | None
    error_kind: str | None
    error_at: str | None
    retry_at: str | None

    def __str__(self) -> str:
        return str(self.key)

    @property
    def key(self) -> FeedKey:
        """Identifies the feed, however its row changes."""
        return FeedKey(self.repo, self.workflow)


NO_ERROR = dict.fromkeys(("error", "error_kind", "error_at", "retry_at"))
COLUMNS = ", ".join(f"feeds.{name}" for name in Feed.__dataclass_fields__)


def save_watched(db: Database, pairs: Sequence[tuple[str, str]]) -> None:
    """Watch exactly these (repo, workflow) pairs. Other feeds keep their history."""
    with transaction(db):
        _watch_only(db, pairs, watched(db))


def save_watched_in(db: Database, repo: str, workflows: Sequence[str]) -> None:
    """Watch exactly these workflows of a repository. Other repositories stay as is."""
    with transaction(db):
        pairs = [(repo, workflow) for workflow in workflows]
        _watch_only(db, pairs, watched(db, repo))


def add_unwatched(db: Database, repo: str, workflow: str) -> None:
    """Add a feed that only holds runs, within the caller's transaction."""
    db.execute(
        "insert or ignore into feeds (repo, workflow, is_watched) values (?, ?, 0)",
        [repo, workflow],
    )


def watched(db: Database, repo: str | None = None) -> list[Feed]:
    """The watched feeds, of one repository or of all, by name."""
    where = "true" if repo is None else "repo = :repo"
    return _select(db, f"where is_watched and {where}", {"repo": repo})


def to_backfill(db: Database) -> list[Feed]:
    """The watched feeds that have older pages to fetch."""
    return _select(
        db,
        "join feed_backfills using (repo, workflow)"
        " where is_watched and fetch_until is not null",
        {},
    )


def quiet(db: Database, *, since: datetime) -> set[FeedKey]:
    """Watched feeds with no error, no run since a time and no unfinished run."""
    run_exists = (
        "exists (select 1 from runs r where r.repo = f.repo and r.workflow = f.workflow"
    )
    return {
        FeedKey(repo, workflow)
        for repo, workflow in db.execute(
            "select repo, workflow from feeds f where is_watched and error is null"
            " and checked_at is not null"
            f" and not {run_exists} and r.started_at >= ?)"
            f" and not {run_exists} and r.status <> 'completed' and r.gone_at is null)",
            [utc(since)],
        )
    }


def stale_after(db: Database) -> timedelta:
    """How long a response proves that a feed's data are fresh."""
    [[seconds]] = db.execute("select stale_seconds from settings")
    return timedelta(seconds=seconds or 0)


def get(db: Database, repo: str, workflow: str) -> Feed:
    """The feed of a repository and a workflow, watched or not."""
    [feed] = _select(
        db,
        "where repo = :repo and workflow = :workflow",
        {"repo": repo, "workflow": workflow},
    )
    return feed


def save_metadata(
    db: Database,
    repo: str,
    *,
    default_branch: str | None,
    workflows: Mapping[str, tuple[str | None, str | None]] | None,
    now: datetime,
    is_archived: bool = False,
    cached: Iterable[CachedResponse] = (),
) -> None:
    """Write a repository's default branch, and the name and state of each workflow.

    None leaves the stored values. A watched workflow that GitHub does not list keeps
    its name and state. `cached` are the responses that the metadata come from. The jobs
    of the runs on a new default branch become pending.
    """
    with transaction(db):
        before = _metadata(db, repo)
        db.execute(
            "update feeds set default_branch = coalesce(?, default_branch),"
            " metadata_at = ? where repo = ?",
            [default_branch, utc(now), repo],
        )
        db.conn.executemany(
            "update feeds set workflow_name = ?, workflow_state = ?"
            " where repo = ? and workflow = ?",
            [
                # Set once: a trigger records each change.
                (name, ARCHIVED if is_archived else state, repo, workflow)
                for workflow, (name, state) in (workflows or {}).items()
            ],
        )
        set_archived(db, repo, is_archived=is_archived)
        for response in cached:
            responses.save(db, response)
        branches = {branch for *_, branch in before}
        if default_branch and branches != {default_branch}:
            pending.add_jobs_of_branch(db, repo, default_branch)
            job_walk.start_repo_again(db, repo)
        if _metadata(db, repo) != before:
            bump_revision(db)


def save_checked(db: Database, feed: Feed, now: datetime) -> None:
    """Record a good response for a feed: its data are fresh."""
    with transaction(db):
        set_checked(db, feed, now)


def save_error(
    db: Database,
    feed: Feed,
    *,
    error: str,
    kind: str,
    now: datetime,
    retry_at: datetime | None,
) -> None:
    """Record why a feed could not be fetched. Its runs and its freshness stay.

    `error_at` stays the time of the first of several errors.
    """
    with transaction(db):
        update(
            db,
            feed.key,
            error=error,
            error_kind=kind,
            error_at=feed.error_at or utc(now),
            retry_at=utc(retry_at) if retry_at else None,
        )
        if (feed.error, feed.error_kind) != (error, kind):
            bump_revision(db)


def rename(db: Database, old: FeedKey, new: FeedKey) -> None:
    """Give a feed another name, or join it with the feed that is polled under that.

    Within the caller's transaction.
    """
    outbox.move(db, old, new)
    # Names that differ only in letter case identify the same row: do not delete it.
    if not old.is_same_as(new):
        if _is_polled(db, new):
            backfills.join(db, old, new)
            feed_states.join(db, old, new)
            _delete(db, old)
            return
        backfills.delete(db, new)
        feed_states.delete(db, new)
        _delete(db, new)
    backfills.rename(db, old, new)
    db.execute(
        "update feeds set repo = ?, workflow = ?, error = null, error_kind = null,"
        " error_at = null, retry_at = null where repo = ? and workflow = ?",
        [new.repo, new.workflow, old.repo, old.workflow],
    )


def update(db: Database, key: FeedKey, **columns: str | int | None) -> None:
    """Set columns of a feed, within the caller's transaction."""
    settings = ", ".join(f"{name} = :{name}" for name in columns)
    db.execute(
        f"update feeds set {settings} where repo = :repo and workflow = :workflow",
        columns | vars(key),
    )


def set_checked(
    db: Database, feed: Feed, now: datetime, **columns: str | int | None
) -> None:
    """Set a feed fresh and without an error, within the caller's transaction."""
    update(db, feed.key, checked_at=utc(now), **NO_ERROR, **columns)
    _bump_if_news(db, [(feed, now)])


def set_all_checked(db: Database, checked: Sequence[tuple[Feed, datetime]]) -> None:
    """Set feeds fresh, each since a time, within the caller's transaction."""
    no_error = ", ".join(f"{name} = null" for name in NO_ERROR)
    db.conn.executemany(
        f"update feeds set checked_at = ?, {no_error} where repo = ? and workflow = ?",
        [(utc(at), feed.repo, feed.workflow) for feed, at in checked],
    )
    _bump_if_news(db, checked)


def _bump_if_news(db: Database, checked: Sequence[tuple[Feed, datetime]]) -> None:
    """Increase the revision if a tile showed an error, stale data or no data so far."""
    after = stale_after(db)
    if any(feed.error or _is_stale(feed, at, after) for feed, at in checked):
        bump_revision(db)


def set_changed(db: Database, feed: Feed, written: int, now: datetime) -> None:
    """Record that a page had new runs, within the caller's transaction."""
    if written:
        update(db, feed.key, changed_at=utc(now))
        bump_revision(db)


def _is_polled(db: Database, key: FeedKey) -> bool:
    row = db.execute(
        "select 1 from feeds where repo = :repo and workflow = :workflow"
        " and checked_at is not null",
        vars(key),
    ).fetchone()
    return row is not None


def _is_stale(feed: Feed, now: datetime, after: timedelta) -> bool:
    checked_at = parse_instant(feed.checked_at or "")
    # A time in the future, from before the clock was set back, proves nothing.
    return checked_at is None or not -CLOCK_TOLERANCE <= now - checked_at < after


def _select(db: Database, clauses: str, params: Mapping[str, str | None]) -> list[Feed]:
    rows = db.execute(
        f"select {COLUMNS} from feeds {clauses} order by feeds.repo, feeds.workflow",
        dict(params),
    )
    return [Feed(*row) for row in rows]


def _watch_only(
    db: Database, pairs: Sequence[tuple[str, str]], before: Sequence[Feed]
) -> None:
    """Watch these pairs, and of the feeds watched before no others.

    A feed that stays watched is not written: a trigger records each change.
    """
    wanted = {(repo.lower(), workflow): (repo, workflow) for repo, workflow in pairs}
    kept = {(feed.repo.lower(), feed.workflow) for feed in before}
    added = [pair for key, pair in wanted.items() if key not in kept]
    removed = [
        (feed.repo, feed.workflow)
        for feed in before
        if (feed.repo.lower(), feed.workflow) not in wanted
    ]
    db.conn.executemany(
        "insert into feeds (repo, workflow) values (?, ?)"
        " on conflict do update set is_watched = 1",
        added,
    )
    db.conn.executemany(
        "update feeds set is_watched = 0 where repo = ? and workflow = ?", removed
    )
    if added or removed:
        bump_revision(db)


def _metadata(db: Database, repo: str) -> set[tuple[str | None, ...]]:
    return set(
        db.execute(
            "select workflow, workflow_name, workflow_state, default_branch from feeds"
            " where repo = ?",
            [repo],
        )
    )


def _delete(db: Database, key: FeedKey) -> None:
    db.execute(
        "delete from feeds where repo = :repo and workflow = :workflow", vars(key)
    )
