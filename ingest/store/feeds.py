"""Writes what is watched: the feeds, what GitHub says of them, how fresh they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.github.windows import Window
from ci_observer.ingest.store import responses
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.times import utc


@dataclass(frozen=True)
class Feed:
    """One watched (repo, workflow) pair, as the table `feeds` holds it."""

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
    backfill_until: str | None
    backfill_next_url: str | None
    backfilled_to: str | None
    backfilled_at: str | None
    backfill_from: str | None
    window_from: str | None
    window_to: str | None
    window_total: int
    window_doubts: int
    windows_short: int

    def __str__(self) -> str:
        return f"{self.repo} {self.workflow}"

    @property
    def window(self) -> Window | None:
        """What GitHub's search is being asked, None while its plain list goes on."""
        if not (self.window_from and self.backfill_from and self.window_to):
            return None
        return Window(
            self.window_from,
            self.backfill_from,
            self.window_to,
            total=self.window_total,
            incomplete_responses=self.window_doubts,
        )


COLUMNS = ", ".join(Feed.__dataclass_fields__)


def save_watched(db: Database, pairs: Sequence[tuple[str, str]]) -> None:
    """Make the (repo, workflow) pairs the watched feeds; the others keep their history.

    A tile thus leaves the wall when its pair leaves the settings.
    """
    with transaction(db):
        before = _watched(db)
        db.execute("update feeds set is_watched = 0 where is_watched")
        db.conn.executemany(
            "insert into feeds (repo, workflow) values (?, ?)"
            " on conflict do update set is_watched = 1",
            pairs,
        )
        if _watched(db) != before:
            bump_revision(db)


def save_watched_in(db: Database, repo: str, workflows: Sequence[str]) -> None:
    """Make these the watched feeds of one repository; the others stay as they are."""
    with transaction(db):
        before = _watched(db, repo)
        db.execute("update feeds set is_watched = 0 where repo = ?", [repo])
        db.conn.executemany(
            "insert into feeds (repo, workflow) values (?, ?)"
            " on conflict do update set is_watched = 1",
            [(repo, workflow) for workflow in workflows],
        )
        if _watched(db, repo) != before:
            bump_revision(db)


def watched(db: Database, repo: str | None = None) -> list[Feed]:
    """The feeds to poll, of one repository or of all, in the order of their names."""
    which = "true" if repo is None else "repo = :repo"
    return [
        Feed(*row)
        for row in db.execute(
            f"select {COLUMNS} from feeds where is_watched and {which}"
            " order by repo, workflow",
            {"repo": repo},
        )
    ]


def to_backfill(db: Database) -> list[Feed]:
    """The watched feeds that have older pages to fetch."""
    return [
        Feed(*row)
        for row in db.execute(
            f"select {COLUMNS} from feeds where is_watched"
            " and backfill_until is not null order by repo, workflow"
        )
    ]


def quiet(db: Database, *, since: datetime) -> set[str]:
    """The feeds that have answered without error, and where nothing runs since then.

    As the texts that stand for feeds.
    """
    of_feed = "select 1 from runs r where r.repo = f.repo and r.workflow = f.workflow"
    return {
        f"{repo} {workflow}"
        for repo, workflow in db.execute(
            "select repo, workflow from feeds f where is_watched and error is null"
            " and checked_at is not null"
            f" and not exists ({of_feed} and r.started_at >= ?)"
            f" and not exists ({of_feed} and r.status <> 'completed')",
            [utc(since)],
        )
    }


def stale_after(db: Database) -> timedelta:
    """How long an answer is proof that a feed's data are fresh."""
    [[seconds]] = db.execute("select stale_seconds from settings")
    return timedelta(seconds=seconds or 0)


def get(db: Database, repo: str, workflow: str) -> Feed:
    """The feed of a repository and workflow, watched or not."""
    [row] = db.execute(
        f"select {COLUMNS} from feeds where repo = ? and workflow = ?",
        [repo, workflow],
    )
    return Feed(*row)


def save_metadata(
    db: Database,
    repo: str,
    *,
    default_branch: str | None,
    workflows: Mapping[str, tuple[str | None, str | None]] | None,
    now: datetime,
    cached: Iterable[CachedResponse] = (),
) -> None:
    """Write a repository's default branch and each workflow's (name, state).

    None stands for what is as it was. A watched workflow that GitHub does not list
    keeps what was known of it. `seen` are the answers that said so.
    """
    described = [
        (name, state, repo, workflow)
        for workflow, (name, state) in (workflows or {}).items()
    ]
    with transaction(db):
        before = _descriptions(db, repo)
        db.execute(
            "update feeds set default_branch = coalesce(?, default_branch),"
            " metadata_at = ? where repo = ?",
            [default_branch, utc(now), repo],
        )
        db.conn.executemany(
            "update feeds set workflow_name = ?, workflow_state = ?"
            " where repo = ? and workflow = ?",
            described,
        )
        for response in cached:
            responses.save(db, response)
        if _descriptions(db, repo) != before:
            bump_revision(db)


def save_checked(db: Database, feed: Feed, now: datetime) -> None:
    """Note that GitHub has just answered for this feed: its data are fresh."""
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
    """Keep why a feed could not be fetched; its runs and its freshness stay.

    `error_at` is when it began to fail, whatever the errors since.
    """
    with transaction(db):
        update(
            db,
            feed,
            error=error,
            error_kind=kind,
            error_at=feed.error_at or utc(now),
            retry_at=utc(retry_at) if retry_at else None,
        )
        if (feed.error, feed.error_kind) != (error, kind):
            bump_revision(db)


def rename(db: Database, old: tuple[str, str], new: tuple[str, str]) -> None:
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


def update(db: Database, feed: Feed, **columns: str | int | None) -> None:
    """Set columns of a feed, within the caller's transaction."""
    if not columns:
        return
    settings = ", ".join(f"{name} = :{name}" for name in columns)
    db.execute(
        f"update feeds set {settings} where repo = :repo and workflow = :workflow",
        columns | {"repo": feed.repo, "workflow": feed.workflow},
    )


def set_checked(
    db: Database, feed: Feed, now: datetime, **columns: str | int | None
) -> None:
    """Set a feed fresh and free of errors, within the caller's transaction."""
    # A tile that was in error, old or never fetched looks different from now on.
    is_visible = bool(feed.error) or _is_stale(db, feed, now)
    update(
        db,
        feed,
        checked_at=utc(now),
        error=None,
        error_kind=None,
        error_at=None,
        retry_at=None,
        **columns,
    )
    if is_visible:
        bump_revision(db)


def set_changed(db: Database, feed: Feed, written: int, now: datetime) -> None:
    """Record that a page had new runs, within the caller's transaction."""
    if written:
        update(db, feed, changed_at=utc(now))
        bump_revision(db)


def _is_stale(db: Database, feed: Feed, now: datetime) -> bool:
    if feed.checked_at is None:
        return True
    return datetime.fromisoformat(feed.checked_at) + stale_after(db) <= now


def _watched(db: Database, repo: str | None = None) -> set[tuple[str, str]]:
    which = "true" if repo is None else "repo = :repo"
    return set(
        db.execute(
            f"select repo, workflow from feeds where is_watched and {which}",
            {"repo": repo},
        )
    )


def _descriptions(db: Database, repo: str) -> set[tuple[str | None, ...]]:
    return set(
        db.execute(
            "select workflow, workflow_name, workflow_state, default_branch from feeds"
            " where repo = ?",
            [repo],
        )
    )
