"""Cancelled runs: finds out why they were cancelled.

Fetches the annotations of their jobs. Where GitHub refuses those, durations decide.
"""

import asyncio
import logging
from collections import defaultdict
from dataclasses import replace

from sqlite_utils import Database

from ci_observer.ingest.errors import (
    Forbidden,
    GitHubError,
    InvalidResponse,
    NotFound,
)
from ci_observer.ingest.github.annotations import TIMEOUT, Cancellation, cancellation
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.store import cancellations, timeouts
from ci_observer.ingest.store.cancellations import REFUSED_FOR, UNCLEAR_FOR
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

# Limits of one pass; the rest is fetched in later passes.
MAX_ATTEMPTS = 20
# The jobs of one attempt whose annotations are fetched. A matrix may have hundreds.
MAX_JOBS = 20


class CancelledRuns:
    """Fetches annotations, and saves why runs were cancelled."""

    def __init__(self, db: Database, github: GitHub, clock: Clock) -> None:
        self._db = db
        self._github = github
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}

    def add_pending(self) -> None:
        """Make the annotations pending on which tiles depend, and their jobs."""
        cancellations.add_annotations(self._db)

    def next_attempts(self) -> list[PendingItem]:
        """Attempts whose annotations to fetch in this pass."""
        # A lock belongs to the event loop in which it was first waited for.
        self._locks = defaultdict(asyncio.Lock)
        return cancellations.next_items(
            self._db,
            MAX_ATTEMPTS,
            token_digest=self._github.connection.credentials.digest,
            now=self._clock(),
        )

    async def fetch(self, item: PendingItem) -> None:
        """Save why an attempt was cancelled. Refused annotations are no error.

        Raises the `GitHubError` of any other failed request.
        """
        # One at a time in each repository: the first shows whether they can be read.
        async with self._locks[item.repo]:
            if self._is_refused(item.repo):
                cancellations.save_by_durations(self._db, item, now=self._clock())
                return
            try:
                found = await self._find_cause(item)
            except (Forbidden, NotFound, InvalidResponse) as error:
                self._save_refused(item, error)
                return
            cancellations.save(self._db, item, found, now=self._clock())

    async def _find_cause(self, item: PendingItem) -> Cancellation:
        """Read the annotations of an attempt's cancelled jobs, until one timed out."""
        messages: list[str] = []
        for job_id in timeouts.cancelled_job_ids(self._db, item, MAX_JOBS):
            try:
                messages += await self._github.fetch_annotations(item.repo, job_id)
            except NotFound:
                # The run was deleted, unless all annotations are hidden.
                if not cancellations.have_been_read(self._db, item.repo):
                    raise
            found = cancellation(messages)
            if found.cause == TIMEOUT:
                return replace(found, timed_out_job_id=job_id)
        return cancellation(messages)

    def _is_refused(self, repo: str) -> bool:
        return cancellations.is_refused(
            self._db,
            repo,
            token_digest=self._github.connection.credentials.digest,
            now=self._clock(),
        )

    def _save_refused(self, item: PendingItem, error: GitHubError) -> None:
        log.warning(
            "%s: cannot read why runs were cancelled, so the durations of their jobs"
            " tell a timeout. %s",
            item.repo,
            error,
        )
        is_unclear = isinstance(error, InvalidResponse)
        cancellations.save_refused(
            self._db,
            item,
            token_digest=self._github.connection.credentials.digest,
            now=self._clock(),
            refused_for=UNCLEAR_FOR if is_unclear else REFUSED_FOR,
        )
