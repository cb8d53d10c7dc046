"""Failed runs: finds the errors of their failed jobs, by annotations.

Where GitHub refuses those, a failed tile has no error text, and nothing else changes.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

from sqlite_utils import Database

from ci_observer.ingest.errors import (
    Forbidden,
    GitHubError,
    InvalidResponse,
    NotFound,
)
from ci_observer.ingest.github.annotations import Annotation
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.error_texts import JobError, job_error
from ci_observer.ingest.store import errors, instance, pending, refusals
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.store.refusals import (
    ERRORS,
    REFUSED_FOR,
    UNCLEAR_FOR,
    Reader,
)
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

# Limits of one pass; the rest is fetched in later passes.
MAX_ATTEMPTS = 20
# The failed jobs of one attempt whose annotations are fetched.
MAX_JOBS = 3
# Errors are only fetched while more than this share of the rate limit is left.
LEAST_SHARE = 0.5


class FailedRuns:
    """Fetches annotations, and saves the errors of failed jobs."""

    def __init__(self, db: Database, github: GitHub, clock: Clock) -> None:
        self._db = db
        self._github = github
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}
        self._seen: tuple[int, str] | None = None

    def add_pending(self) -> None:
        """Make the errors pending on which tiles depend, if anything has changed."""
        reader = self._reader()
        seen = (instance.revision(self._db), reader.token_digest)
        if seen != self._seen:
            errors.add_pending(self._db, reader)
            self._seen = seen

    def next_attempts(self) -> list[PendingItem]:
        """Attempts whose errors to fetch in this pass."""
        # A lock belongs to the event loop in which it was first waited for.
        self._locks = defaultdict(asyncio.Lock)
        if not self._may_spend():
            return []
        return errors.next_items(self._db, MAX_ATTEMPTS, self._reader())

    async def fetch(self, item: PendingItem) -> None:
        """Save the errors of an attempt. Refused annotations are no error.

        Raises the `GitHubError` of any other failed request.
        """
        # One at a time in each repository: the first shows whether they can be read.
        async with self._locks[item.repo]:
            if refusals.is_refused(self._db, ERRORS, item.repo, self._reader()):
                return
            try:
                found = await self._find_errors(item)
            except (Forbidden, NotFound, InvalidResponse) as error:
                self._save_refused(item, error)
                return
            except GitHubError:
                # Other attempts come first in the next pass.
                pending.save_requested(self._db, item, now=self._clock())
                raise
            errors.save(self._db, item, found)

    async def _find_errors(self, item: PendingItem) -> dict[int, JobError | None]:
        """The errors of the first failed jobs, by job."""
        found: dict[int, JobError | None] = {}
        for job_id in errors.failed_job_ids(self._db, item, MAX_JOBS):
            try:
                annotations = await self._github.fetch_annotations(
                    item.repo, job_id, is_enough=_has_telling_error
                )
            except NotFound:
                # The run was deleted, unless all annotations are hidden.
                if not errors.have_been_read(self._db, item.repo):
                    raise
                annotations = []
            found[job_id] = job_error(annotations, repo=item.repo)
        return found

    def _may_spend(self) -> bool:
        """Whether enough of the rate limit is left; unknown limits are no limits."""
        limit = self._github.connection.stats.lowest_rate_limit(self._clock())
        return limit is None or limit.share > LEAST_SHARE

    def _reader(self) -> Reader:
        digest = self._github.connection.credentials.digest
        return Reader(digest, self._clock())

    def _save_refused(self, item: PendingItem, error: GitHubError) -> None:
        log.warning(
            "%s: cannot read the errors of failed jobs, so its tiles show none. %s",
            item.repo,
            error,
        )
        is_unclear = isinstance(error, InvalidResponse)
        errors.save_refused(
            self._db,
            item,
            self._reader(),
            refused_for=UNCLEAR_FOR if is_unclear else REFUSED_FOR,
        )


def _has_telling_error(annotations: Sequence[Annotation]) -> bool:
    error = job_error(annotations)
    return error is not None and not error.is_generic
