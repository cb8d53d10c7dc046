"""The own lists of feeds that are polled with their repository's list.

Only its own list tells whether GitHub lists any run of a feed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.store import unlisted_feeds
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.times import NEVER, Clock

REQUEST_EVERY = timedelta(minutes=5)
# Without a token a 304 is one of 60 requests an hour.
REQUEST_EVERY_WITHOUT_TOKEN = timedelta(hours=1)


class OwnLists:
    """Decides which feeds need their own list because runs of theirs may be gone."""

    def __init__(self, db: Database, github: GitHub, clock: Clock) -> None:
        self._db = db
        self._github = github
        self._clock = clock
        self._due_at: dict[FeedKey, datetime] = {}

    def take_due(self, repo_pages: Iterable[CachedResponse]) -> set[FeedKey]:
        """The feeds whose own list to request now, after these pages of repositories.

        A feed that a page should list is requested at once, and then rarely while the
        page does not list it. So is a feed that has no run on GitHub.
        """
        now = self._clock()
        rare = unlisted_feeds.empty(self._db).union(
            *(
                unlisted_feeds.missing_on_page(self._db, page, now=now)
                for page in repo_pages
            )
        )
        due = {key for key in rare if self._due_at.get(key, NEVER) <= now}
        due |= unlisted_feeds.seen_empty_once(self._db, now=now)
        due |= unlisted_feeds.with_missing_run(self._db)
        self._due_at |= dict.fromkeys(due, now + self._wait())
        return due

    def _wait(self) -> timedelta:
        has_token = self._github.connection.has_token
        return REQUEST_EVERY if has_token else REQUEST_EVERY_WITHOUT_TOKEN
