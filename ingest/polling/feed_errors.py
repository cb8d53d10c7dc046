"""One item's error: with which feeds it is kept, and how long those rest."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    NotFound,
)
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.polling.concurrency import Item
from ci_observer.ingest.polling.pacing import NO_ACCESS_WAIT
from ci_observer.ingest.polling.repo_pages import RepoList, feeds_of
from ci_observer.ingest.polling.run_pages import Lists
from ci_observer.ingest.store import feeds, pending
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.pending import PendingItem

log = logging.getLogger("ci_observer.ingest")


class FeedErrors:
    """Notes the errors of one pass; they stop nothing else.

    `failed` has the feeds that have one by now and of what kind, `is_passing` says
    whether asking some of them again soon may help.
    """

    def __init__(
        self,
        db: Database,
        watch: FeedDiscovery,
        lists: Lists,
        clock: Callable[[], datetime],
    ) -> None:
        self.failed: dict[FeedKey, str] = {}
        self.is_passing = False
        self._db = db
        self._watch = watch
        self._lists = lists
        self._clock = clock
        self._failed_before: dict[FeedKey, str] = {}

    def begin(self) -> None:
        """Another pass begins, in which all may be well."""
        self._failed_before, self.failed = self.failed, {}
        self.is_passing = False

    def note(self, item: Item, error: GitHubError) -> None:
        """Keep an error with its feed, or with every feed of its repository."""
        wait = NO_ACCESS_WAIT if isinstance(error, NotFound | Forbidden) else None
        if isinstance(item, PendingItem):
            # One run's trouble; its feed is fine. It has its turn again.
            log.warning("%s: %s", item, error)
            pending.save_requested(self._db, item, now=self._clock())
        elif isinstance(item, Feed | RepoList):
            for feed in feeds_of(item):
                self._save(feed, error, wait)
            if isinstance(error, NotFound):
                self._watch.schedule_refresh(item.repo)
        elif wait is None:
            # What is known of the repository still serves to poll its feeds.
            log.warning("%s: %s", item, error)
        else:
            self._note_no_access(item, error, wait)

    def _note_no_access(self, item: str, error: GitHubError, wait: timedelta) -> None:
        self._watch.record_error(item, error, wait)
        for feed in self._watch.feeds_of(item):
            self._save(feed, error, wait)

    def _save(self, feed: Feed, error: GitHubError, wait: timedelta | None) -> None:
        now = self._clock()
        if feed.error != str(error):
            log.warning("%s: %s", feed, error)
        # Not the stored kind: a good newest page has cleared what an older one left.
        before = self._failed_before.get(feed.key)
        if before == error.kind == GitHubUnavailable.kind:
            self._lists.ask_for_smaller_pages(feed)
        self.failed[feed.key] = error.kind
        self.is_passing |= wait is None
        feeds.save_error(
            self._db,
            feed,
            error=str(error),
            kind=error.kind,
            now=now,
            retry_at=now + wait if wait else None,
        )
