"""Re-runs of old runs, which appear on no newest page.

GitHub keeps a re-run at its run's place in the lists, for up to 30 days. Running ones
are noticed by a list of what is in progress, the others by a walk back once a day.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.errors import Forbidden, InvalidResponse, NotFound
from ci_observer.ingest.feeds.discovery import FeedDiscovery
from ci_observer.ingest.feeds.workflows import runs_by_file
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.store import backfills, responses, runs
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.responses import CachedResponse, ResponseKey

log = logging.getLogger("ci_observer.ingest")

HINT_EVERY = timedelta(minutes=10)
WALK_EVERY = timedelta(days=1)
# All feeds fall due at once a day after the first start: the walks begin so much before
# and are spread over it, and stay so.
WALKS_TAKE = timedelta(hours=1)
# https://docs.github.com/en/actions/how-tos/manage-workflow-runs/re-run-workflows-and-jobs
RERUN_DAYS = timedelta(days=30)


class Reruns:
    """Looks for runs that have started anew far below their feed's newest page.

    `wrote` is told how many runs a list changed.
    """

    def __init__(
        self,
        db: Database,
        github: GitHub,
        watch: FeedDiscovery,
        clock: Callable[[], datetime],
        wrote: Callable[[Feed, int], None],
    ) -> None:
        self._db = db
        self._github = github
        self._watch = watch
        self._clock = clock
        self._wrote = wrote
        self._walked_at = clock()
        # What is fetched for the first time needs no second look soon after.
        self._ask_at = {feed.repo: clock() for feed in watch.feeds() if feed.checked_at}

    def repos_to_ask(self) -> list[str]:
        """The repositories whose runs in progress were not listed lately.

        None without a token: that costs a request each time, of 60 an hour.
        """
        if not self._github.connection.has_token:
            return []
        now = self._clock()
        repos = {feed.repo for feed in self._watch.feeds() if feed.checked_at}
        return sorted(
            repo
            for repo in repos
            if self._ask_at.setdefault(repo, now + HINT_EVERY) <= now
        )

    async def ask(self, repo: str) -> None:
        """List what is in progress, and keep what was not known of it.

        The list comes from a search index that may lag or lack runs: what it says is
        taken when it is newer, what it does not say means nothing.
        """
        self._ask_at[repo] = self._clock() + HINT_EVERY
        key = ResponseKey("runs_in_progress", repo)
        known = responses.get_cached(self._db, key)
        try:
            page = await self._github.fetch_runs_in_progress(
                repo, etag=known.etag if known else None
            )
            self._watch.reject_runs_of_other_repo(repo, page.runs)
        except (Forbidden, InvalidResponse, NotFound) as error:
            # No feed's trouble: their own lists say what may be seen.
            log.warning("%s: what is in progress is not known. %s", repo, error)
            return
        by_file = runs_by_file(self._db, repo, page.runs)
        for feed in self._watch.feeds_of(repo):
            for run in by_file.get(feed.workflow, []):
                saved = runs.save_and_follow(self._db, feed, run, now=self._clock())
                self._wrote(feed, saved.written)
        if page.etag and not page.is_not_modified:
            responses.save(self._db, CachedResponse(key, page.etag))

    def walk_daily(self) -> None:
        """Have feeds catch up anew with what may still be re-run, each once a day."""
        now = self._clock()
        since_last = max(now - self._walked_at, timedelta(0))
        self._walked_at = now
        due = now - WALK_EVERY
        backfills.schedule_rescan(
            self._db,
            due=due,
            early=due + WALKS_TAKE,
            share=min(1, since_last / WALKS_TAKE),
            back_to=now - RERUN_DAYS,
        )
