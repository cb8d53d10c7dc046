"""The newest runs, from the list of one workflow or of a whole repository.

`run_lists` chooses the list, `backfill` fetches older runs.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from sqlite_utils import Database

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.feeds.workflows import api_id_of
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.pages import RunPage
from ci_observer.ingest.github.rows import created_at
from ci_observer.ingest.github.windows import is_surely_last
from ci_observer.ingest.polling.own_lists import OwnLists
from ci_observer.ingest.polling.run_lists import (
    ListChooser,
    PageSizes,
    RepoList,
    RunList,
    feeds_of,
)
from ci_observer.ingest.polling.unchanged_lists import UnchangedLists
from ci_observer.ingest.polling.unclaimed_runs import UnclaimedRuns
from ci_observer.ingest.store import repo_pages, responses, runs
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.responses import CachedResponse, ResponseKey
from ci_observer.ingest.store.unchanged_lists import follow_unlisted
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

FEED_PAGE_SIZE = 30
REPO_PAGE_SIZE = 50


class RunPages:
    """Fetches and saves the first page of run lists.

    `unchanged` gets the lists that respond with 304. `on_runs_saved` receives a feed
    and the number of its runs that a page changed.
    """

    def __init__(
        self,
        db: Database,
        github: GitHub,
        discovery: FeedDiscovery,
        clock: Clock,
        *,
        sizes: PageSizes,
        history: timedelta,
        unchanged: UnchangedLists,
        on_runs_saved: Callable[[Feed, int], None],
    ) -> None:
        self._db = db
        self._github = github
        self._discovery = discovery
        self._clock = clock
        self._sizes = sizes
        self._history = history
        self._unchanged = unchanged
        self._on_runs_saved = on_runs_saved
        self._chooser = ListChooser(clock, partial(repo_pages.watched_share, db))
        self._unclaimed = UnclaimedRuns(db)
        self._own_lists = OwnLists(db, github, clock)

    def choose_lists(self, watched: Sequence[Feed]) -> list[RunList]:
        """The lists to poll for these feeds."""
        own, repo_lists = self._chooser.choose(watched)
        return [*own, *repo_lists]

    def without_etag(self, polled: Sequence[RunList]) -> list[RepoList]:
        """The repository lists to poll from the next pass on that have no ETag yet.

        Fetched once in this pass, they respond with 304 in the next.
        """
        repos = {run_list.repo for run_list in polled}
        watched = [feed for feed in self._discovery.feeds() if feed.repo in repos]
        _, repo_lists = self._chooser.choose(watched)
        return [
            repo_list
            for repo_list in repo_lists
            if responses.get_cached(self._db, self._repo_key(repo_list)) is None
        ]

    def take_unclear_feeds(self, polled: Sequence[RunList]) -> list[Feed]:
        """The feeds of which a repository's page does not tell enough.

        A run on it that is unclaimed or cannot be stored may be theirs, or their runs
        may be gone from GitHub.
        """
        polled_alone = {feed.key for feed in polled if isinstance(feed, Feed)}
        due = self._own_lists.take_due(self._stored_pages(polled))
        unclear = due - polled_alone
        return [
            feed
            for feed in self._discovery.feeds()
            if self._unclaimed.is_open(feed) or feed.key in unclear
        ]

    def follow_unlisted(self) -> None:
        """Follow the runs that an older page has made a tile's, or shown unfinished."""
        with transaction(self._db):
            for run_list in self.choose_lists(self._discovery.feeds()):
                workflow = "" if isinstance(run_list, RepoList) else run_list.workflow
                follow_unlisted(self._db, feeds_of(run_list), workflow=workflow)

    async def fetch(self, run_list: RunList) -> None:
        """Fetch and save the newest runs of a list."""
        if isinstance(run_list, RepoList):
            await self.fetch_repo(run_list)
        else:
            await self.fetch_feed(run_list)

    async def fetch_unclear(self, feed: Feed) -> None:
        """Fetch the own list of a feed that is polled with its repository's list.

        That list decides which runs are followed by their ids, with ETags: a 304 for
        this one must not end that.
        """
        await self.fetch_feed(feed, follows=False)

    async def fetch_feed(self, feed: Feed, *, follows: bool = True) -> None:
        """Fetch a feed's newest runs; a 304 proves that the stored ones are fresh.

        After a 304 the runs that the list lacks are followed, if it `follows`.
        """
        page = await self._github.fetch_runs(
            feed.repo,
            api_id_of(self._db, feed),
            per_page=self._sizes.of(feed, FEED_PAGE_SIZE),
            etag=feed.etag,
        )
        now = self._clock()
        if feed.error:
            log.info("%s: no error any more", feed)
        if page.is_not_modified:
            self._unchanged.add(feed, now, follows=follows)
            self._unclaimed.settle(feed)
            return
        self._discovery.reject_runs_of_other_repo(feed.repo, page.runs)
        saved = runs.save_page(
            self._db,
            feed,
            page.runs,
            etag=page.etag,
            has_more=page.next_url is not None,
            is_whole=not page.refused,
            horizon=now - self._history,
            now=now,
        )
        self._unchanged.record_changed([feed])
        self._on_runs_saved(feed, saved.written)
        _raise_if_refused(page)
        self._unclaimed.settle(feed)

    async def fetch_repo(self, repo_list: RepoList) -> None:
        """Fetch the newest runs of several feeds; a 304 proves that all are fresh."""
        key = self._repo_key(repo_list)
        cached = responses.get_cached(self._db, key)
        page = await self._github.fetch_page(
            repo_list.repo, key.url, etag=cached.etag if cached else None
        )
        now = self._clock()
        if page.is_not_modified:
            self._unchanged.add(repo_list, now)
            return
        assigned = self._discovery.assign_runs(repo_list.repo, page.runs)
        self._chooser.record_page(repo_list, assigned)
        self._unclaimed.record(repo_list.repo, repo_list.feeds, assigned.strangers)
        if page.refused:
            self._unclaimed.record_refused(repo_list.feeds)
        written = runs.save_repo_page(
            self._db,
            repo_list.feeds,
            assigned,
            page=cached_page(key, page),
            unclear=list(filter(self._unclaimed.is_open, repo_list.feeds)),
            now=now,
        )
        self._unchanged.record_changed(repo_list.feeds)
        for feed, count in written.items():
            self._on_runs_saved(feed, count)

    def _stored_pages(self, polled: Sequence[RunList]) -> list[CachedResponse]:
        """The newest page of each repository whose list was polled."""
        keys = [self._repo_key(r) for r in polled if isinstance(r, RepoList)]
        pages = [responses.get_cached(self._db, key) for key in keys]
        return [page for page in pages if page is not None]

    def _repo_key(self, repo_list: RepoList) -> ResponseKey:
        size = self._sizes.of(repo_list.feeds[0], REPO_PAGE_SIZE)
        url = self._github.repo_runs_path(repo_list.repo, per_page=size)
        return ResponseKey("runs", repo_list.repo, url)


def _raise_if_refused(page: RunPage) -> None:
    """Raise `InvalidResponse` if a page has runs that could not be stored.

    One of them may be the newest: the stored ones do not prove that a tile is green.
    """
    if page.refused:
        raise InvalidResponse(f"{page.refusal} The others are stored.")


def cached_page(key: ResponseKey, page: RunPage) -> CachedResponse:
    """The parts of a page that a later 304 does not repeat.

    An empty page ends the list, even with a link to a next one.
    """
    created = [text for run in page.runs if (text := created_at(run))]
    return CachedResponse(
        key,
        page.etag or "",
        page.next_url if page.runs else None,
        oldest_at=min(created, default=None),
        newest_at=max(created, default=None),
        is_last=is_surely_last(
            key.url,
            runs=len(page.runs) + page.refused,
            total=page.total_count,
            has_next=page.next_url is not None,
        ),
    )
