"""Pages of runs: fetched from GitHub's lists and handed to the store."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.errors import Unprocessable
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.feeds.workflows import api_id_of, runs_by_file
from ci_observer.ingest.github.client import GitHub, RunPage
from ci_observer.ingest.github.windows import Window, is_surely_last
from ci_observer.ingest.polling.repo_pages import (
    REPO_PAGE,
    Question,
    RepoList,
    RepoLists,
)
from ci_observer.ingest.store import backfills, feeds, older_runs, responses, runs
from ci_observer.ingest.store.backfills import Backfill
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.responses import CachedResponse, ResponseKey
from ci_observer.ingest.store.run_rows import Saved

log = logging.getLogger("ci_observer.ingest")

LIVE_PAGE = 30
CATCH_UP_PAGE = 100
# Some repositories' lists answer 502 for days unless the pages are smaller.
MOST_HALVINGS = 3


class Lists:
    """Fetches the newest and the older runs of feeds, one page a call.

    `wrote` is told how many runs a page of news changed, `wrote_older` how many one of
    older runs.
    """

    def __init__(
        self,
        db: Database,
        github: GitHub,
        watch: FeedDiscovery,
        clock: Callable[[], datetime],
        *,
        history: timedelta,
        wrote: Callable[[Feed, int], None],
        wrote_older: Callable[[int], None],
    ) -> None:
        self._db = db
        self._github = github
        self._watch = watch
        self._clock = clock
        self._history = history
        self._wrote = wrote
        self._wrote_older = wrote_older
        self._repo_lists = RepoLists(clock)
        self._halvings: dict[FeedKey, int] = {}

    def split(self, feeds: Sequence[Feed]) -> tuple[list[Feed], list[RepoList]]:
        """The feeds to ask by their own lists, the repositories to ask for all."""
        return self._repo_lists.split(feeds)

    def unprimed(self, asked: Sequence[Question]) -> list[RepoList]:
        """The repositories whose list is to be asked from the next pass on.

        Asked now as well, it is 304 then.
        """
        repos = {question.repo for question in asked}
        feeds = [feed for feed in self._watch.feeds() if feed.repo in repos]
        return [
            repo_list
            for repo_list in self._repo_lists.split(feeds)[1]
            if responses.get_cached(self._db, self._repo_key(repo_list)) is None
        ]

    async def poll(self, question: Question) -> None:
        """Fetch the newest runs of a feed, or those of several feeds at once."""
        if isinstance(question, RepoList):
            await self.poll_repo(question)
        else:
            await self.poll_feed(question)

    async def poll_feed(self, feed: Feed) -> None:
        """Fetch a feed's newest runs; a 304 proves that the stored ones are fresh."""
        page = await self._github.fetch_runs(
            feed.repo,
            api_id_of(self._db, feed),
            per_page=self._page_size(feed, LIVE_PAGE),
            etag=feed.etag,
        )
        now = self._clock()
        if feed.error:
            log.info("%s: answers again", feed)
        if page.is_not_modified:
            feeds.save_checked(self._db, feed, now)
            return
        self._watch.reject_runs_of_other_repo(feed.repo, page.runs)
        saved = runs.save_page(
            self._db,
            feed,
            page.runs,
            etag=page.etag,
            has_more=page.next_url is not None,
            horizon=now - self._history,
            now=now,
        )
        self._wrote(feed, saved.written)

    async def poll_repo(self, asked: RepoList) -> None:
        """Fetch the newest runs of several feeds; a 304 proves that all are fresh."""
        key = self._repo_key(asked)
        known = responses.get_cached(self._db, key)
        page = await self._github.fetch_page(
            key.url, etag=known.etag if known else None
        )
        now = self._clock()
        if page.is_not_modified:
            for feed in asked.feeds:
                feeds.save_checked(self._db, feed, now)
            return
        self._watch.reject_runs_of_other_repo(asked.repo, page.runs)
        self._repo_lists.learn(asked, page)
        by_file = runs_by_file(self._db, asked.repo, page.runs)
        written = runs.save_repo_page(
            self._db, asked.feeds, by_file, page=_cached(key, page), now=now
        )
        for feed, count in written.items():
            self._wrote(feed, count)

    async def fetch_older(self, feed: Feed) -> None:
        """Fetch the next page of what a feed has to catch up with."""
        backfill = backfills.get(self._db, feed.key)
        if backfill.window:
            await self._fetch_window(feed, backfill, backfill.window)
        else:
            await self._fetch_listed(feed, backfill)

    async def _fetch_listed(self, feed: Feed, backfill: Backfill) -> None:
        """The next page of GitHub's plain list; a refused one is where that ends."""
        url = backfill.next_url or self._github.runs_url(
            feed.repo,
            api_id_of(self._db, feed),
            per_page=self._page_size(feed, CATCH_UP_PAGE),
        )
        key = ResponseKey("runs", feed.repo, url)
        known = responses.get_cached(self._db, key)
        try:
            page = await self._github.fetch_page(
                url, etag=known.etag if known else None
            )
        except Unprocessable:
            if not backfill.next_url:
                raise
            page = RunPage()
        self._watch.reject_runs_of_other_repo(feed.repo, page.runs)
        saved = older_runs.save_page(
            self._db,
            feed,
            backfill,
            page.runs,
            page=known if known and page.is_not_modified else _cached(key, page),
            now=self._clock(),
        )
        self._note_older(feed, backfill, saved)

    async def _fetch_window(
        self, feed: Feed, backfill: Backfill, window: Window
    ) -> None:
        """The next page of what GitHub's search lists of a window of time."""
        url = backfill.next_url or self._github.runs_url(
            feed.repo,
            api_id_of(self._db, feed),
            per_page=self._page_size(feed, CATCH_UP_PAGE),
            created=window.created,
        )
        try:
            page = await self._github.fetch_page(url)
        except Unprocessable:
            page = RunPage()
        self._watch.reject_runs_of_other_repo(feed.repo, page.runs)
        saved, step = older_runs.save_window_page(
            self._db,
            feed,
            backfill,
            window,
            page.runs,
            page=_cached(ResponseKey("runs", feed.repo, url), page),
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
        self._note_older(feed, backfill, saved)

    def _note_older(self, feed: Feed, backfill: Backfill, saved: Saved) -> None:
        self._wrote_older(saved.written)
        if saved.is_complete and not backfill.completed_at:
            log.info("%s: history is complete", feed)

    def ask_for_smaller_pages(self, feed: Feed) -> None:
        """From now on halve the pages of a feed whose list keeps failing."""
        halvings = self._halvings.get(feed.key, 0)
        if halvings < MOST_HALVINGS:
            self._halvings[feed.key] = halvings + 1
            # Its link to the next page has the former size.
            backfills.reset_page(self._db, feed.key)

    def _page_size(self, feed: Feed, usual: int) -> int:
        return usual >> self._halvings.get(feed.key, 0)

    def _repo_key(self, asked: RepoList) -> ResponseKey:
        size = self._page_size(asked.feeds[0], REPO_PAGE)
        url = self._github.repo_runs_url(asked.repo, per_page=size)
        return ResponseKey("runs", asked.repo, url)


def _cached(key: ResponseKey, page: RunPage) -> CachedResponse:
    created = [str(run.get("created_at") or "") for run in page.runs]
    return CachedResponse(
        key,
        page.etag or "",
        page.next_url,
        oldest_at=min(created, default=None),
        newest_at=max(created, default=None),
        is_last=is_surely_last(
            key.url,
            runs=len(page.runs),
            total=page.total_count,
            has_next=page.next_url is not None,
        ),
    )
