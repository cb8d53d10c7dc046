"""Writes that GitHub's lists of newest runs are unchanged, many in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.store import following, unlisted_feeds
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feed_states import set_listed
from ci_observer.ingest.store.feeds import Feed, set_all_checked
from ci_observer.ingest.store.following import FollowState
from ci_observer.ingest.store.keys import FeedKey


@dataclass(frozen=True)
class UnchangedList:
    """A list that responded with 304 at some time: its feeds were fresh then.

    `workflow` is empty for a repository's list. `follows`: the runs that it does not
    list are followed; otherwise another list of the feeds decides that.
    """

    feeds: tuple[Feed, ...]
    workflow: str
    at: datetime
    follows: bool = True


class UnchangedListWriter:
    """Writes unchanged lists.

    It remembers for which list, and in which state of the database, the runs of each
    feed were followed last: in the same state, nothing is to be done.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._followed: dict[FeedKey, tuple[str, FollowState]] = {}

    def write(self, lists: Sequence[UnchangedList]) -> None:
        """Write that these lists were unchanged."""
        with transaction(self._db):
            set_all_checked(
                self._db, [(feed, one.at) for one in lists for feed in one.feeds]
            )
            seen_empty = unlisted_feeds.empty(self._db)
            for one in lists:
                self._set_listed(one, seen_empty)
            self._follow([one for one in lists if one.follows])

    def forget(self, feeds: Iterable[Feed]) -> None:
        """Follow the runs of these feeds again: a list of theirs has changed."""
        for feed in feeds:
            self._followed.pop(feed.key, None)

    def _set_listed(self, one: UnchangedList, seen_empty: set[FeedKey]) -> None:
        """Write whether a workflow's own list has runs, where that may be news."""
        if not one.workflow:
            return
        for feed in one.feeds:
            listed = following.on_page(self._db, feed.repo, one.workflow)
            if listed == [] or (listed and feed.key in seen_empty):
                set_listed(self._db, feed.key, has_runs=bool(listed), now=one.at)

    def _follow(self, lists: Sequence[UnchangedList]) -> None:
        before = following.state(self._db)
        for one in lists:
            to_follow = [
                feed
                for feed in one.feeds
                if self._followed.get(feed.key) != (one.workflow, before)
            ]
            follow_unlisted(self._db, to_follow, workflow=one.workflow)
        after = following.state(self._db)
        self._followed |= {
            feed.key: (one.workflow, after) for one in lists for feed in one.feeds
        }


def follow_unlisted(db: Database, feeds: Sequence[Feed], *, workflow: str) -> None:
    """Follow the runs of some feeds that their stored newest page does not list.

    Since that page was stored, an older page may have changed what a tile speaks of, or
    made the backfill follow runs that the newest page lists.
    """
    with transaction(db):
        for feed in feeds:
            listed = following.on_page(db, feed.repo, workflow)
            following.follow_unlisted(db, feed.key, listed or [])
