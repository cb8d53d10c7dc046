"""Errors that concern one item only: where they are shown, and when to retry."""

import logging
from datetime import timedelta

from sqlite_utils import Database

from ci_observer.ingest.errors import (
    AccountStopped,
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    NotFound,
    TooLarge,
    TooSlow,
)
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.github.names import owner_of
from ci_observer.ingest.polling.run_lists import PageSizes, RepoList, feeds_of
from ci_observer.ingest.polling.schedule import NO_ACCESS_WAIT, STOPPED_WAIT
from ci_observer.ingest.store import backfills, feeds, pending, watch_errors
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.keys import FeedKey, Owner
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.refs import PushedRef
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

# Kinds of errors that a smaller page may not have.
BETTER_WITH_SMALLER_PAGES = (GitHubUnavailable.kind, TooLarge.kind, TooSlow.kind)

# The kind of a 403 or 404 of a feed that has worked, until a later pass confirms it.
# Meanwhile its tile keeps its state, and it does not rest.
UNCONFIRMED = "unconfirmed"
REFUSED = (NotFound.kind, Forbidden.kind, UNCONFIRMED)

# An item of a pass; a text is the name of a repository.
Item = Feed | PendingItem | PushedRef | RepoList | Owner | str


class FeedErrors:
    """Records the errors of a pass.

    `failed` has the kinds of the errors, by feed, or by the owner or repository that
    has no feed. `skipped` has the feeds whose account sends no requests. `is_temporary`
    is true if some of the errors may be over soon.
    """

    def __init__(
        self,
        db: Database,
        discovery: FeedDiscovery,
        sizes: PageSizes,
        clock: Clock,
    ) -> None:
        self.failed: dict[FeedKey | Owner | str, str] = {}
        self.skipped: set[FeedKey] = set()
        self.is_temporary = False
        self._db = db
        self._discovery = discovery
        self._sizes = sizes
        self._clock = clock
        self._failed_before: dict[FeedKey | Owner | str, str] = {}
        self._refused: set[Owner | str] = set()
        self._refused_before: set[Owner | str] = set()

    def reset(self) -> None:
        """Start again, for a new pass."""
        self._failed_before, self.failed = self.failed, {}
        self._refused_before, self._refused = self._refused, set()
        self.skipped = set()
        self.is_temporary = False

    def record(self, item: Item, error: GitHubError) -> None:
        """Save an error with its feed, its owner, or every feed of its repository."""
        if isinstance(error, AccountStopped):
            self._record_stopped(item, error)
        elif isinstance(item, PendingItem):
            # It concerns a single run. Other pending items come first in the next pass.
            log.warning("%s: %s", item, error)
            pending.save_requested(self._db, item, now=self._clock())
        elif isinstance(item, PushedRef):
            log.warning("%s: %s", item, error)
        elif isinstance(item, Feed | RepoList):
            for feed in feeds_of(item):
                self._save(feed, error, is_repeated=_is_refused(feed.error_kind))
            if isinstance(error, NotFound):
                self._discovery.schedule_refresh(item.repo)
        else:
            self._record_source(item, error)

    def _record_stopped(self, item: Item, error: AccountStopped) -> None:
        """Show why a feed is not polled, and leave the limits of a pass to others."""
        if isinstance(item, PendingItem):
            pending.save_requested(self._db, item, now=self._clock())
        elif isinstance(item, Feed | RepoList):
            for feed in feeds_of(item):
                self.skipped.add(feed.key)
                self._save_stopped(feed, error)
        elif isinstance(item, Owner | str):
            self._discovery.postpone(item, STOPPED_WAIT)
            if error.cause and not self._feeds_of(item):
                self._discovery.show_error(item, error.cause)
                self.failed[item] = error.cause.kind

    def _save_stopped(self, feed: Feed, error: AccountStopped) -> None:
        if error.cause is None:
            return
        self.is_temporary |= isinstance(error.cause, GitHubUnavailable)
        self.failed[feed.key] = error.cause.kind
        if feed.error != str(error):
            feeds.save_error(
                self._db,
                feed,
                error=str(error),
                kind=error.cause.kind,
                now=self._clock(),
                retry_at=None,
            )

    def _record_source(self, source: Owner | str, error: GitHubError) -> None:
        """Save the error of an owner or a repository if it is certain, or else alone.

        While an error may be over soon, its feeds are polled by the stored metadata.
        """
        its_feeds = self._feeds_of(source)
        is_certain = _is_refused(error.kind) and self._is_refused_again(source)
        if its_feeds and not is_certain:
            log.warning("%s: %s", source, error)
            self.is_temporary = True
        elif isinstance(source, Owner):
            self._discovery.record_owner_error(source, error, _wait(is_certain))
            self.failed[source] = error.kind
        elif self._discovery.record_repo_error(source, error, _wait(is_certain)):
            self.failed[source] = error.kind
        else:
            for feed in its_feeds:
                self._save(feed, error, is_repeated=True)
        if _is_refused(error.kind):
            self._refused.add(source)

    def _is_refused_again(self, source: Owner | str) -> bool:
        stored = [feed.error_kind for feed in self._feeds_of(source)]
        if shown := watch_errors.get(self._db, source):
            stored.append(shown.error_kind)
        return source in self._refused_before or any(map(_is_refused, stored))

    def _feeds_of(self, source: Owner | str) -> list[Feed]:
        if isinstance(source, str):
            return self._discovery.feeds_of(source)
        name = source.name.lower()
        return [
            feed
            for feed in self._discovery.feeds()
            if owner_of(feed.repo).lower() == name
        ]

    def _save(self, feed: Feed, error: GitHubError, *, is_repeated: bool) -> None:
        is_refused = _is_refused(error.kind)
        kind = error.kind
        if is_refused and not is_repeated and feed.checked_at:
            kind = UNCONFIRMED
        wait = NO_ACCESS_WAIT if is_refused and is_repeated else None
        now = self._clock()
        if feed.error != str(error):
            log.warning("%s: %s", feed, error)
        # The stored error of an older page is gone when the newest page succeeded, so
        # compare with the previous pass.
        before = self._failed_before.get(feed.key)
        is_too_large = before == error.kind and error.kind in BETTER_WITH_SMALLER_PAGES
        if is_too_large and self._sizes.halve(feed):
            # The stored URL of the next page has the former page size.
            backfills.reset_page(self._db, feed.key)
        self.failed[feed.key] = error.kind
        self.is_temporary |= wait is None
        feeds.save_error(
            self._db,
            feed,
            error=str(error),
            kind=kind,
            now=now,
            retry_at=now + wait if wait else None,
        )


def _is_refused(kind: str | None) -> bool:
    """Whether a repetition of the request would get the same response."""
    return kind in REFUSED


def _wait(is_certain: bool) -> timedelta:
    """How long a source rests: not at all before the error is certain."""
    return NO_ACCESS_WAIT if is_certain else timedelta(0)
