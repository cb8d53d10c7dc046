"""Older runs, page by page: from GitHub's run list, and by time windows below its end.

`store.older_runs` decides how far a backfill has come; `github.windows` has the rules.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from sqlite_utils import Database

from ci_observer.ingest.errors import RepeatedPage, Unprocessable
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.feeds.workflows import api_id_of
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.pages import RunPage
from ci_observer.ingest.github.pagination import MAX_ITEMS, Walk, is_path
from ci_observer.ingest.github.windows import Window
from ci_observer.ingest.polling.run_lists import MAX_HALVINGS, PageSizes
from ci_observer.ingest.polling.run_pages import cached_page
from ci_observer.ingest.store import backfills, older_runs, responses
from ci_observer.ingest.store.backfills import Backfill
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.responses import CachedResponse, ResponseKey
from ci_observer.ingest.store.run_rows import Saved
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

PAGE_SIZE = 100
MAX_PAGES = MAX_ITEMS // (PAGE_SIZE >> MAX_HALVINGS)


class BackfillPages:
    """Fetches and saves the next older page of a feed.

    `on_older_saved` receives the number of runs that a page changed.
    """

    def __init__(
        self,
        db: Database,
        github: GitHub,
        discovery: FeedDiscovery,
        clock: Clock,
        *,
        sizes: PageSizes,
        on_older_saved: Callable[[int], None],
    ) -> None:
        self._db = db
        self._github = github
        self._discovery = discovery
        self._clock = clock
        self._sizes = sizes
        self._on_older_saved = on_older_saved
        self._walks: dict[FeedKey, Walk] = {}

    async def fetch_next(self, feed: Feed) -> None:
        """Fetch and save the next page of a feed with an incomplete backfill."""
        backfill = backfills.get(self._db, feed.key)
        if not is_path(backfill.next_url or "/"):
            # The request raises. The next pass fetches the former page's link again.
            backfills.reset_page(self._db, feed.key)
        if backfill.window:
            await self._fetch_window(feed, backfill, backfill.window)
        else:
            await self._fetch_list(feed, backfill)

    async def _fetch_list(self, feed: Feed, backfill: Backfill) -> None:
        url = backfill.next_url or self._first_url(feed)
        key = ResponseKey("runs", feed.repo, url)
        cached = responses.get_cached(self._db, key)
        try:
            page = await self._github.fetch_page(
                feed.repo, url, etag=cached.etag if cached else None
            )
        except Unprocessable:
            if not backfill.next_url:
                raise
            # GitHub refuses pages beyond the end of the list.
            page = RunPage()
        self._discovery.reject_runs_of_other_repo(feed.repo, page.runs)
        response = cached if cached and page.is_not_modified else cached_page(key, page)
        response, repeated = self._without_repetition(feed, backfill, response)
        if repeated:
            # An ETag does not depend on the link: a 304 could hide a corrected one.
            response = replace(response, etag="")
            responses.save(self._db, response)
        is_first = not backfill.next_url and not page.refused
        saved = older_runs.save_page(
            self._db,
            feed,
            backfill,
            page.runs,
            page=response,
            is_empty=is_first and not page.runs and not response.oldest_at,
            now=self._clock(),
        )
        self._record_saved(feed, backfill, saved)
        if repeated and not saved.is_complete:
            raise repeated

    async def _fetch_window(
        self, feed: Feed, backfill: Backfill, window: Window
    ) -> None:
        url = backfill.next_url or self._first_url(feed, created=window.created)
        try:
            page = await self._github.fetch_page(feed.repo, url)
        except Unprocessable:
            page = RunPage()
        self._discovery.reject_runs_of_other_repo(feed.repo, page.runs)
        response = cached_page(ResponseKey("runs", feed.repo, url), page)
        response, repeated = self._without_repetition(feed, backfill, response)
        saved, step = older_runs.save_window_page(
            self._db,
            feed,
            backfill,
            window,
            page.runs,
            page=response,
            total=page.total_count or 0,
            now=self._clock(),
        )
        if step.is_done and step.window.is_given_up:
            log.warning(
                "%s: GitHub's search has not listed all that it counts from %s to %s",
                feed,
                window.start,
                window.end,
            )
        self._record_saved(feed, backfill, saved)
        if repeated and not saved.is_complete:
            raise repeated

    def _first_url(self, feed: Feed, *, created: str | None = None) -> str:
        return self._github.runs_path(
            feed.repo,
            api_id_of(self._db, feed),
            per_page=self._sizes.of(feed, PAGE_SIZE),
            created=created,
        )

    def _without_repetition(
        self, feed: Feed, backfill: Backfill, page: CachedResponse
    ) -> tuple[CachedResponse, RepeatedPage | None]:
        """A page to save, and the error to raise afterwards if its link leads back.

        Such a page is saved as its own next one, so that the next pass tries again from
        there.
        """
        if backfill.next_url is None:
            self._walks.pop(feed.key, None)
        walk = self._walks.setdefault(feed.key, Walk(max_pages=MAX_PAGES))
        try:
            walk.next_url(page.key.url, page.next_url)
        except RepeatedPage as error:
            return replace(page, next_url=page.key.url), error
        return page, None

    def _record_saved(self, feed: Feed, backfill: Backfill, saved: Saved) -> None:
        self._on_older_saved(saved.written)
        if saved.is_complete:
            self._walks.pop(feed.key, None)
        if saved.is_complete and not backfill.completed_at:
            log.info("%s: history is complete", feed)
