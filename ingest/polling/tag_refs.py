"""Pushed refs: requests each one once, to find out whether it is a tag.

Only for workflows that never ran on the default branch. `store.refs` finds them.
"""

import logging
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.errors import AccountStopped, Forbidden, InvalidResponse
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.polling.schedule import NO_ACCESS_WAIT, STOPPED_WAIT
from ci_observer.ingest.store import refs
from ci_observer.ingest.store.refs import PushedRef
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

# The limit of one pass; the others follow in later passes.
MAX_REFS = 10


class TagRefs:
    """Fetches refs of tags, and saves which ones exist."""

    def __init__(self, db: Database, github: GitHub, clock: Clock) -> None:
        self._db = db
        self._github = github
        self._clock = clock
        self._refused_until: dict[str, datetime] = {}

    def next_refs(self) -> list[PushedRef]:
        """The refs to fetch in this pass."""
        now = self._clock()
        refused = [repo for repo, until in self._refused_until.items() if until > now]
        return refs.unknown(self._db, MAX_REFS, refused=refused)

    async def fetch(self, ref: PushedRef) -> None:
        """Fetch and save whether a ref is a tag.

        A refusal is logged: the token may read Actions, but not Contents.
        """
        try:
            is_tag = await self._github.has_tag(ref.repo, ref.name)
        except AccountStopped:
            # Refs of other accounts come first in the next pass.
            self._refused_until[ref.repo] = self._clock() + STOPPED_WAIT
            raise
        except (Forbidden, InvalidResponse) as error:
            if ref.repo not in self._refused_until:
                log.warning("%s: cannot tell whether it is a tag. %s", ref, error)
            self._refused_until[ref.repo] = self._clock() + NO_ACCESS_WAIT
            return
        refs.save(self._db, ref, is_tag=is_tag, now=self._clock())
