"""Writes what is watched: the feeds, what GitHub says of them, how fresh they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sqlite_utils import Database

from ci_observer.ingest.github.windows import Window
from ci_observer.ingest.store.instance import bump_revision, transaction
from ci_observer.ingest.store.responses import Seen, save_seen
from ci_observer.ingest.times import utc


@dataclass(frozen=True)
class Feed:
    """One watched (repo, workflow) pair, as the table `feeds` holds it."""

    repo: str
    workflow: str
    workflow_state: str | None
    default_branch: str | None
    described_at: str | None
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


def save_watched_of(db: Database, repo: str, workflows: Sequence[str]) -> None:
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


def watched_feeds(db: Database, repo: str | None = None) -> list[Feed]:
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


def feeds_behind(db: Database) -> list[Feed]:
    """The watched feeds that have older pages to fetch."""
    return [
        Feed(*row)
        for row in db.execute(
            f"select {COLUMNS} from feeds where is_watched"
            " and backfill_until is not null order by repo, workflow"
        )
    ]


def quiet_feeds(db: Database, *, since: datetime) -> set[str]:
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


def feed_of(db: Database, repo: str, workflow: str) -> Feed:
    """The feed of a repository and workflow, watched or not."""
    [row] = db.execute(
        f"select {COLUMNS} from feeds where repo = ? and workflow = ?",
        [repo, workflow],
    )
    return Feed(*row)


def save_description(
    db: Database,
    repo: str,
    *,
    default_branch: str | None,
    workflows: Mapping[str, tuple[str | None, str | None]] | None,
    now: datetime,
    seen: Iterable[Seen] = (),
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
            " described_at = ? where repo = ?",
            [default_branch, utc(now), repo],
        )
        db.conn.executemany(
            "update feeds set workflow_name = ?, workflow_state = ?"
            " where repo = ? and workflow = ?",
            described,
        )
        for answer in seen:
            save_seen(db, answer)
        if _descriptions(db, repo) != before:
            bump_revision(db)


def save_checked(db: Database, feed: Feed, now: datetime) -> None:
    """Note that GitHub has just answered for this feed: its data are fresh."""
    with transaction(db):
        set_checked(db, feed, now)


def save_feed_error(
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
        set_feed(
            db,
            feed,
            error=error,
            error_kind=kind,
            error_at=feed.error_at or utc(now),
            retry_at=utc(retry_at) if retry_at else None,
        )
        if (feed.error, feed.error_kind) != (error, kind):
            bump_revision(db)


def save_walk(
    db: Database, *, due: datetime, early: datetime, share: float, back_to: datetime
) -> None:
    """Mark feeds to catch up anew, by when their history was last complete.

    All of those of before `due`, and of those between that and `early` the oldest: as
    many as `share` of all watched feeds, rounded up.
    """
    complete = "is_watched and backfill_until is null and error is null"
    with transaction(db):
        [[watched]] = db.execute("select count(*) from feeds where is_watched")
        db.execute(
            "update feeds set backfill_until = :back_to, backfill_next_url = null"
            f" where {complete} and (backfilled_at <= :due"
            " or (repo, workflow) in (select repo, workflow from feeds"
            f" where {complete} and backfilled_at <= :early"
            " order by backfilled_at, repo, workflow limit :number))",
            {
                "back_to": utc(back_to),
                "due": utc(due),
                "early": utc(early),
                "number": ceil(share * watched),
            },
        )


def save_first_page_next(db: Database, feed: Feed) -> None:
    """Go on with a feed's first page, of its list or of what is asked by time."""
    with transaction(db):
        set_feed(db, feed, backfill_next_url=None)


def save_backfill(
    db: Database, feeds: Iterable[Feed], *, since: datetime, horizon: datetime
) -> None:
    """Mark feeds to catch up back to `since`, or further where they do already.

    What is under way goes on from where it is. A feed that was never complete goes back
    to `horizon` at least, as without this. Windows of time that GitHub did not answer
    whole are asked anew.
    """
    with transaction(db):
        db.conn.executemany(
            "update feeds set backfill_until = min(:since, coalesce("
            "backfill_until, iif(backfilled_at is null, :horizon, :since))),"
            " windows_short = iif(backfill_until is null, 0, windows_short)"
            " where repo = :repo and workflow = :workflow and (backfill_until"
            " is not null or backfilled_to is null or backfilled_to > :since"
            " or windows_short)",
            [
                {
                    "repo": feed.repo,
                    "workflow": feed.workflow,
                    "since": utc(since),
                    "horizon": utc(horizon),
                }
                for feed in feeds
            ],
        )


def backfill_until(db: Database, feed: Feed) -> str | None:
    """How far back a feed is to catch up, as it stands now.

    Another process may have set it since `feed` was read.
    """
    [[until]] = db.execute(
        "select backfill_until from feeds where repo = ? and workflow = ?",
        [feed.repo, feed.workflow],
    )
    return str(until) if until else None


# Catching up that is done, or that begins anew from the first page.
NO_PROGRESS: dict[str, str | int | None] = {
    "backfill_next_url": None,
    "backfill_from": None,
    "window_from": None,
    "window_to": None,
    "window_total": 0,
    "window_doubts": 0,
}


def set_feed(db: Database, feed: Feed, **columns: str | int | None) -> None:
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
    set_feed(
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
