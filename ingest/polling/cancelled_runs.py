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
from ci_observer.ingest.github.error_texts import JobError, job_error
from ci_observer.ingest.store import cancellations, errors, refusals, timeouts
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.refusals import (
    ANNOTATIONS,
    REFUSED_FOR,
    UNCLEAR_FOR,
    Reader,
)
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
        return cancellations.next_items(self._db, MAX_ATTEMPTS, self._reader())

    async def fetch(self, item: PendingItem) -> None:
        """Save why an attempt was cancelled. Refused annotations are no error.

        Raises the `GitHubError` of any other failed request.
        """
        # One at a time in each repository: the first shows whether they can be read.
        async with self._locks[item.repo]:
            if refusals.is_refused(self._db, ANNOTATIONS, item.repo, self._reader()):
                cancellations.save_by_durations(self._db, item, now=self._clock())
                return
            try:
                found, error = await self._find_cause(item)
            except (Forbidden, NotFound, InvalidResponse) as refusal:
                self._save_refused(item, refusal)
                return
            with transaction(self._db):
                if found.timed_out_job_id is not None:
                    errors.save_job(self._db, found.timed_out_job_id, error)
                cancellations.save(self._db, item, found, now=self._clock())

    async def _find_cause(
        self, item: PendingItem
    ) -> tuple[Cancellation, JobError | None]:
        """Read the annotations of an attempt's cancelled jobs, until one timed out.

        The error is that of the job that timed out.
        """
        messages: list[str] = []
        for job_id in timeouts.cancelled_job_ids(self._db, item, MAX_JOBS):
            try:
                annotations = await self._github.fetch_annotations(item.repo, job_id)
            except NotFound:
                # The run was deleted, unless all annotations are hidden.
                if not cancellations.have_been_read(self._db, item.repo):
                    raise
                continue
            messages += [annotation.message for annotation in annotations]
            found = cancellation(messages)
            if found.cause == TIMEOUT:
                return replace(found, timed_out_job_id=job_id), job_error(annotations)
        return cancellation(messages), None

    def _reader(self) -> Reader:
        digest = self._github.connection.credentials.digest
        return Reader(digest, self._clock())

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
            self._reader(),
            refused_for=UNCLEAR_FOR if is_unclear else REFUSED_FOR,
        )
