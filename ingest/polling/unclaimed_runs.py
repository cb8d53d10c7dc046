"""Runs on a repository's page that belong to no known workflow, or cannot be stored.

A workflow's own list decides whose they are. Until that is fetched, the page does not
prove that the feeds are fresh which such a run may belong to.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.feeds.workflows import may_belong
from ci_observer.ingest.store import runs as stored_runs
from ci_observer.ingest.store import workflows
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.keys import FeedKey

log = logging.getLogger("ci_observer.ingest")

MAX_TEXT = 200


class UnclaimedRuns:
    """Remembers which feeds to poll by their own lists because of unclaimed runs."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # The id of a run of each unknown workflow, by feed.
        self._open: dict[FeedKey, dict[str, int]] = defaultdict(dict)
        self._foreign: dict[FeedKey, set[str]] = defaultdict(set)
        # The feeds to which a run that could not be stored may belong.
        self._refused: set[FeedKey] = set()
        self._logged: set[tuple[str, str]] = set()

    def record(
        self, repo: str, feeds: Iterable[Feed], runs: Iterable[dict[str, Any]]
    ) -> None:
        """Record the unclaimed runs of a page, and log each workflow of them once."""
        numbers = {w.workflow: w.workflow_id for w in workflows.known(self._db, repo)}
        for run in runs:
            workflow = _text(run)
            if (repo, workflow) not in self._logged:
                self._logged.add((repo, workflow))
                log.info("%s: a run belongs to no known workflow: %s", repo, workflow)
            for feed in feeds:
                number = numbers.get(feed.workflow)
                is_foreign = workflow in self._foreign[feed.key]
                if not is_foreign and may_belong(run, feed.workflow, number):
                    self._open[feed.key][workflow] = run["id"]

    def record_refused(self, feeds: Iterable[Feed]) -> None:
        """Record that a page has a run that could not be stored: whose, is unknown."""
        self._refused |= {feed.key for feed in feeds}

    def settle(self, feed: Feed) -> None:
        """Record that the feed's own list was fetched, which has the runs that are its.

        A later run of a workflow that has none is not looked for again.
        """
        self._refused.discard(feed.key)
        for workflow, run_id in self._open.pop(feed.key, {}).items():
            if not stored_runs.is_stored(self._db, feed, run_id):
                self._foreign[feed.key].add(workflow)

    def is_open(self, feed: Feed) -> bool:
        """Whether the feed's own list has to be fetched before the feed is fresh."""
        return feed.key in self._refused or bool(self._open.get(feed.key))


def _text(run: dict[str, Any]) -> str:
    text = f"number {run.get('workflow_id')!r}, path {run.get('path')!r}"
    return text[:MAX_TEXT]
