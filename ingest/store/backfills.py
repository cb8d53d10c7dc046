"""Writes which feeds have older pages to fetch, and how far back."""

from collections.abc import Iterable
from datetime import datetime
from math import ceil

from sqlite_utils import Database

from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import Feed, update
from ci_observer.ingest.times import utc

# Catching up that is done, or that begins anew from the first page.
NO_PROGRESS: dict[str, str | int | None] = {
    "backfill_next_url": None,
    "backfill_from": None,
    "window_from": None,
    "window_to": None,
    "window_total": 0,
    "window_doubts": 0,
}


def schedule_rescan(
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


def reset_page(db: Database, feed: Feed) -> None:
    """Go on with a feed's first page, of its list or of what is asked by time."""
    with transaction(db):
        update(db, feed, backfill_next_url=None)


def request(
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


def until(db: Database, feed: Feed) -> str | None:
    """How far back a feed is to catch up, as it stands now.

    Another process may have set it since `feed` was read.
    """
    [[value]] = db.execute(
        "select backfill_until from feeds where repo = ? and workflow = ?",
        [feed.repo, feed.workflow],
    )
    return str(value) if value else None
