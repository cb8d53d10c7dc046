"""Re-runs of old runs, which no newest page lists.

GitHub lists a re-run at the place of its run, and allows it for 30 days. Re-runs in
progress are found every ten minutes, in a list of the runs in progress; those with
another unfinished status within 40 minutes; all others once a day, when the backfill
rescans 30 days. The runs that a tile speaks of are not left to this: `following`
requests them by their ids.
"""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.errors import Forbidden, InvalidResponse, NotFound
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.store import backfills, responses, runs
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.responses import CachedResponse, ResponseKey
from ci_observer.ingest.times import Clock, due_after

log = logging.getLogger("ci_observer.ingest")

LIST_EVERY = timedelta(minutes=10)
# The lists of runs in progress, and one of the other lists in turn.
IN_PROGRESS = "in_progress"
OTHER_STATUSES = ("queued", "waiting", "pending", "requested")
RESCAN_EVERY = timedelta(days=1)
# A day after the first start, all feeds are due at once. Their rescans begin early by
# this time and are spread over it; they stay spread.
SPREAD_OVER = timedelta(hours=1)
# https://docs.github.com/en/actions/how-tos/manage-workflow-runs/re-run-workflows-and-jobs
RERUN_DAYS = timedelta(days=30)


class Reruns:
    """Finds re-runs below the newest page of their feed.

    `on_runs_saved` receives a feed and the number of its runs that a list changed.
    """

    def __init__(
        self,
        db: Database,
        github: GitHub,
        discovery: FeedDiscovery,
        clock: Clock,
        on_runs_saved: Callable[[Feed, int], None],
    ) -> None:
        self._db = db
        self._github = github
        self._discovery = discovery
        self._clock = clock
        self._on_runs_saved = on_runs_saved
        self._rescanned_at = clock()
        self._due_at: dict[str, datetime] = {}
        self._times_listed: Counter[str] = Counter()

    def start(self) -> None:
        """Schedule the lists of an earlier process, as if it had not ended."""
        now = self._rescanned_at = self._clock()
        self._due_at = {
            repo: due_after(
                responses.requested_at(self._db, _key(repo, IN_PROGRESS)),
                LIST_EVERY,
                now=now,
            )
            for repo in self._polled_repos()
        }

    def take_due_repos(self) -> list[str]:
        """The repositories whose unfinished runs are due.

        New ones at once, so that the second pass of a process gets a 304. None is due
        without a token: each list would cost one of 60 requests an hour.
        """
        if not self._github.connection.has_token:
            return []
        now = self._clock()
        return sorted(
            repo for repo in self._polled_repos() if self._due_at.get(repo, now) <= now
        )

    async def list_unfinished(self, repo: str) -> None:
        """List a repository's unfinished runs, and save the ones that are newer.

        Those in progress, and from the second time on those with one other status.
        GitHub's search index may lag or miss runs: a run that it does not list proves
        nothing.
        """
        self._due_at[repo] = self._clock() + LIST_EVERY
        turn = self._times_listed[repo]
        self._times_listed[repo] += 1
        try:
            await self._list(repo, IN_PROGRESS)
            if turn:
                await self._list(repo, OTHER_STATUSES[turn % len(OTHER_STATUSES)])
        except (Forbidden, InvalidResponse, NotFound) as error:
            # Not an error of a feed: the feeds' own lists decide about access.
            log.warning("%s: cannot list the unfinished runs. %s", repo, error)

    async def _list(self, repo: str, status: str) -> None:
        key = _key(repo, status)
        cached = responses.get_cached(self._db, key)
        page = await self._github.fetch_runs_by_status(
            repo, status, etag=cached.etag if cached else None
        )
        by_file = self._discovery.assign_runs(repo, page.runs).by_file
        for feed in self._discovery.feeds_of(repo):
            for run in by_file.get(feed.workflow, []):
                saved = runs.save_and_follow(self._db, feed, run, now=self._clock())
                self._on_runs_saved(feed, saved.written)
        with transaction(self._db):
            if page.etag and not page.is_not_modified:
                responses.save(self._db, CachedResponse(key, page.etag))
            responses.save_requested(self._db, key, self._clock())

    def schedule_rescans(self) -> None:
        """Let each feed backfill the last 30 days once a day."""
        now = self._clock()
        elapsed = max(now - self._rescanned_at, timedelta(0))
        self._rescanned_at = now
        due = now - RESCAN_EVERY
        backfills.schedule_rescan(
            self._db,
            now=now,
            due=due,
            early=due + SPREAD_OVER,
            share=min(1, elapsed / SPREAD_OVER),
            back_to=now - RERUN_DAYS,
        )

    def _polled_repos(self) -> set[str]:
        return {feed.repo for feed in self._discovery.feeds() if feed.checked_at}


def _key(repo: str, status: str) -> ResponseKey:
    return ResponseKey(
        "runs_in_progress", repo, "" if status == IN_PROGRESS else status
    )
