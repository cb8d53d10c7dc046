"""Which list of runs is polled for a feed: its workflow's, or its repository's.

A repository with several watched workflows needs one request instead of several, as
long as most of its runs are watched. Otherwise the runs of other workflows would change
the response, and cost a request, at every poll.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.keys import FeedKey
from ci_observer.ingest.store.repo_pages import AssignedRuns
from ci_observer.ingest.times import Clock

MIN_FEEDS = 2
MIN_WATCHED_SHARE = 0.5
# How long a repository with many unwatched runs is polled workflow by workflow.
FEED_LISTS_FOR = timedelta(hours=1)
# Some lists respond with 502 for days unless the pages are smaller.
MAX_HALVINGS = 3


@dataclass(frozen=True)
class RepoList:
    """A repository's list of runs, polled for several of its feeds at once."""

    repo: str
    feeds: tuple[Feed, ...]

    def __str__(self) -> str:
        return self.repo

    @property
    def checked_at(self) -> str | None:
        """The oldest `checked_at` among the feeds."""
        return min((feed.checked_at or "" for feed in self.feeds), default="") or None


# A list of runs that one request polls: that of a feed's workflow, or a repository's.
RunList = Feed | RepoList


def feeds_of(run_list: RunList) -> tuple[Feed, ...]:
    """The feeds whose newest runs are in a list."""
    return run_list.feeds if isinstance(run_list, RepoList) else (run_list,)


class PageSizes:
    """Page sizes, halved for feeds whose list keeps failing."""

    def __init__(self) -> None:
        self._halvings: dict[FeedKey, int] = {}

    def of(self, feed: Feed, size: int) -> int:
        """The size to request instead of `size`."""
        return size >> self._halvings.get(feed.key, 0)

    def halve(self, feed: Feed) -> bool:
        """Halve a feed's pages from now on; return False at the minimum."""
        halvings = self._halvings.get(feed.key, 0)
        if halvings >= MAX_HALVINGS:
            return False
        self._halvings[feed.key] = halvings + 1
        return True


class ListChooser:
    """Chooses which list to poll for each feed.

    `stored_share` is the share of watched runs on a repository's stored page, for the
    first choice after a restart.
    """

    def __init__(
        self,
        clock: Clock,
        stored_share: Callable[[str, Sequence[str]], float | None] = lambda *_: None,
    ) -> None:
        self._clock = clock
        self._stored_share = stored_share
        self._feed_lists_until: dict[str, datetime] = {}

    def choose(self, watched: Sequence[Feed]) -> tuple[list[Feed], list[RepoList]]:
        """The feeds to poll by their own lists, and the repositories to poll at once.

        New and failing feeds are polled by their own lists: only a workflow's own list
        shows that the workflow does not exist.
        """
        by_repo: dict[str, list[Feed]] = defaultdict(list)
        for feed in watched:
            by_repo[feed.repo].append(feed)
        own: list[Feed] = []
        lists: list[RepoList] = []
        for repo, repo_feeds in by_repo.items():
            good = [feed for feed in repo_feeds if feed.checked_at and not feed.error]
            if len(good) < MIN_FEEDS or self._is_mostly_unwatched(repo, good):
                good = []
            else:
                lists.append(RepoList(repo, tuple(good)))
            own += [feed for feed in repo_feeds if feed not in good]
        return own, lists

    def record_page(self, repo_list: RepoList, assigned: AssignedRuns) -> None:
        """Fall back to per-workflow lists if most runs on the page are unwatched."""
        watched = [assigned.by_file.get(f.workflow, []) for f in repo_list.feeds]
        count = sum(map(len, watched))
        if count < MIN_WATCHED_SHARE * len(assigned.real):
            self._feed_lists_until[repo_list.repo] = self._clock() + FEED_LISTS_FOR

    def _is_mostly_unwatched(self, repo: str, watched: Sequence[Feed]) -> bool:
        if repo not in self._feed_lists_until:
            share = self._stored_share(repo, [feed.workflow for feed in watched])
            is_low = share is not None and share < MIN_WATCHED_SHARE
            wait = FEED_LISTS_FOR if is_low else timedelta(0)
            self._feed_lists_until[repo] = self._clock() + wait
        return self._feed_lists_until[repo] > self._clock()
