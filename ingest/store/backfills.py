"""Writes the table `feed_backfills`: how far back each feed's history is fetched.

A feed without a row has never fetched older pages, and has none to fetch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from sqlite_utils import Database

from ci_observer.ingest.github.windows import Window
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.times import utc


@dataclass(frozen=True)
class Backfill:
    """The progress of a feed's backfill, a row of `feed_backfills`.

    `fetch_until` is None while no backfill is under way. `next_url` is None for a first
    page. History is stored back to `fetched_to`.
    """

    fetch_until: str | None = None
    next_url: str | None = None
    missing_until: str | None = None
    window_start: str | None = None
    window_end: str | None = None
    window_total: int = 0
    incomplete_responses: int = 0
    windows_given_up: int = 0
    fetched_to: str | None = None
    completed_at: str | None = None

    @property
    def window(self) -> Window | None:
        """The window of GitHub's search. None while its plain list goes on."""
        if not (self.window_start and self.missing_until and self.window_end):
            return None
        return Window(
            self.window_start,
            self.missing_until,
            self.window_end,
            total=self.window_total,
            incomplete_responses=self.incomplete_responses,
        )


COLUMNS = ", ".join(Backfill.__dataclass_fields__)
# The columns of a backfill that is complete, or that restarts with the first page.
NO_PROGRESS: dict[str, str | int | None] = {
    "next_url": None,
    "missing_until": None,
    "window_start": None,
    "window_end": None,
    "window_total": 0,
    "incomplete_responses": 0,
}


def get(db: Database, key: FeedKey) -> Backfill:
    """The progress of a feed's backfill."""
    row = db.execute(
        f"select {COLUMNS} from feed_backfills"
        " where repo = :repo and workflow = :workflow",
        vars(key),
    ).fetchone()
    return Backfill(*row) if row else Backfill()


def get_value(db: Database, key: FeedKey, column: str) -> str | None:
    """One column of a feed's row; None without a row."""
    row = db.execute(
        f"select {column} from feed_backfills"
        " where repo = :repo and workflow = :workflow",
        vars(key),
    ).fetchone()
    return row[0] if row else None


def update(db: Database, key: FeedKey, **columns: str | int | None) -> None:
    """Set columns of a feed's backfill, within the caller's transaction."""
    _insert_missing(db, [key])
    settings = ", ".join(f"{name} = :{name}" for name in columns)
    db.execute(
        f"update feed_backfills set {settings}"
        " where repo = :repo and workflow = :workflow",
        columns | vars(key),
    )


def request(
    db: Database, keys: Iterable[FeedKey], *, since: datetime, horizon: datetime
) -> None:
    """Request backfills to `since`, unless a feed goes back further already.

    A backfill under way continues where it is. A feed whose history was never complete
    goes back to `horizon` at least. Windows that were given up are fetched again.
    """
    keys = list(keys)
    with transaction(db):
        _insert_missing(db, keys)
        db.conn.executemany(
            "update feed_backfills set fetch_until = min(:since, coalesce("
            "fetch_until, iif(completed_at is null, :horizon, :since))),"
            " windows_given_up = iif(fetch_until is null, 0, windows_given_up)"
            " where repo = :repo and workflow = :workflow and (fetch_until"
            " is not null or fetched_to is null or fetched_to > :since"
            " or windows_given_up)",
            [
                vars(key) | {"since": utc(since), "horizon": utc(horizon)}
                for key in keys
            ],
        )


def schedule_rescan(
    db: Database,
    *,
    now: datetime,
    due: datetime,
    early: datetime,
    share: float,
    back_to: datetime,
) -> None:
    """Start another backfill of feeds whose last one was completed long ago.

    All that were completed up to `due`, and the oldest of those completed up to
    `early`: at most `share` of all watched feeds, rounded up.
    """
    complete = (
        "select repo, workflow from feeds join feed_backfills using (repo, workflow)"
        " where is_watched and fetch_until is null and error is null"
    )
    with transaction(db):
        [[watched]] = db.execute("select count(*) from feeds where is_watched")
        db.execute(
            "update feed_backfills set fetch_until = :back_to, next_url = null"
            f" where (repo, workflow) in ({complete} and completed_at <= :due)"
            # A time in the future is that of a wrong clock.
            f" or (repo, workflow) in ({complete} and completed_at > :now)"
            " or (repo, workflow) in ("
            f"  {complete} and completed_at <= :early"
            "  order by completed_at, repo, workflow limit :number)",
            {
                "back_to": utc(back_to),
                "now": utc(now),
                "due": utc(due),
                "early": utc(early),
                "number": ceil(share * watched),
            },
        )


def reset_page(db: Database, key: FeedKey) -> None:
    """Continue a backfill with the first page of its list or of its window."""
    with transaction(db):
        update(db, key, next_url=None)


def join(db: Database, old: FeedKey, new: FeedKey) -> None:
    """Join the backfill of `old` with that of `new`, within the caller's transaction.

    Both gaps stay open. If `old` has one, the backfill restarts with the first page.
    """
    _insert_missing(db, [new])
    db.execute(
        """
        update feed_backfills set (
            fetch_until, next_url, window_start, fetched_to, windows_given_up
        ) = (
            select
                coalesce(
                    min(feed_backfills.fetch_until, o.fetch_until),
                    feed_backfills.fetch_until, o.fetch_until
                ),
                iif(o.fetch_until is null, feed_backfills.next_url, null),
                iif(o.fetch_until is null, feed_backfills.window_start, null),
                coalesce(
                    min(feed_backfills.fetched_to, o.fetched_to),
                    feed_backfills.fetched_to, o.fetched_to
                ),
                feed_backfills.windows_given_up + o.windows_given_up
            from feed_backfills o where o.repo = :old_repo and o.workflow = :old_file
        )
        where repo = :repo and workflow = :workflow and exists (
            select 1 from feed_backfills o
            where o.repo = :old_repo and o.workflow = :old_file
        )
        """,
        vars(new) | {"old_repo": old.repo, "old_file": old.workflow},
    )
    delete(db, old)


def rename(db: Database, old: FeedKey, new: FeedKey) -> None:
    """Give a backfill the key of another feed, which has none."""
    db.execute(
        "update feed_backfills set repo = ?, workflow = ?"
        " where repo = ? and workflow = ?",
        [new.repo, new.workflow, old.repo, old.workflow],
    )


def delete(db: Database, key: FeedKey) -> None:
    """Delete the progress of a feed's backfill, within the caller's transaction."""
    db.execute(
        "delete from feed_backfills where repo = :repo and workflow = :workflow",
        vars(key),
    )


def _insert_missing(db: Database, keys: Iterable[FeedKey]) -> None:
    db.conn.executemany(
        "insert or ignore into feed_backfills (repo, workflow)"
        " values (:repo, :workflow)",
        [vars(key) for key in keys],
    )
