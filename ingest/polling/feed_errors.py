"""Errors that concern one item only: where they are shown, and when to retry."""

import logging
from datetime import timedelta

from sqlite_utils import Database

from ci_observer.ingest.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    NotFound,
    TooLarge,
    TooSlow,
)
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.polling.run_pages import PageSizes, RepoList, feeds_of
from ci_observer.ingest.polling.schedule import NO_ACCESS_WAIT
from ci_observer.ingest.store import backfills, feeds, pending
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.keys import FeedKey, Owner
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

# Kinds of errors that a smaller page may not have.
BETTER_WITH_SMALLER_PAGES = (GitHubUnavailable.kind, TooLarge.kind, TooSlow.kind)

# An item of a pass; a text is the name of a repository.
Item = Feed | PendingItem | RepoList | Owner | str


class FeedErrors:
    """Records the errors of a pass.

    `failed` has the kinds of the errors, by feed, or by the owner or repository that
    has no feed. `is_temporary` is true if some of the errors may be over soon.
    """

    def __init__(
        self,
        db: Database,
        discovery: FeedDiscovery,
        sizes: PageSizes,
        clock: Clock,
    ) -> None:
        self.failed: dict[FeedKey | Owner | str, str] = {}
        self.is_temporary = False
        self._db = db
        self._discovery = discovery
        self._sizes = sizes
        self._clock = clock
        self._failed_before: dict[FeedKey | Owner | str, str] = {}

    def reset(self) -> None:
        """Start again, for a new pass."""
        self._failed_before, self.failed = self.failed, {}
        self.is_temporary = False

    def record(self, item: Item, error: GitHubError) -> None:
        """Save an error with its feed, its owner, or every feed of its repository."""
        wait = NO_ACCESS_WAIT if isinstance(error, NotFound | Forbidden) else None
        if isinstance(item, PendingItem):
            # It concerns a single run. Other pending items come first in the next pass.
            log.warning("%s: %s", item, error)
            pending.save_requested(self._db, item, now=self._clock())
        elif isinstance(item, Feed | RepoList):
            for feed in feeds_of(item):
                self._save(feed, error, wait)
            if isinstance(error, NotFound):
                self._discovery.schedule_refresh(item.repo)
        elif wait is None:
            # The feeds are polled by the stored metadata.
            log.warning("%s: %s", item, error)
        elif isinstance(item, Owner):
            self._discovery.record_owner_error(item, error, wait)
            self.failed[item] = error.kind
        elif self._discovery.record_repo_error(item, error, wait):
            self.failed[item] = error.kind
        else:
            for feed in self._discovery.feeds_of(item):
                self._save(feed, error, wait)

    def _save(self, feed: Feed, error: GitHubError, wait: timedelta | None) -> None:
        now = self._clock()
        if feed.error != str(error):
            log.warning("%s: %s", feed, error)
        # The stored error of an older page is gone when the newest page succeeded, so
        # compare with the previous pass.
        before = self._failed_before.get(feed.key)
        is_repeated = before == error.kind and error.kind in BETTER_WITH_SMALLER_PAGES
        if is_repeated and self._sizes.halve(feed):
            # The stored URL of the next page has the former page size.
            backfills.reset_page(self._db, feed.key)
        self.failed[feed.key] = error.kind
        self.is_temporary |= wait is None
        feeds.save_error(
            self._db,
            feed,
            error=str(error),
            kind=error.kind,
            now=now,
            retry_at=now + wait if wait else None,
        )
