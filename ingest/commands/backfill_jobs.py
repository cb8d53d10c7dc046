"""A part of `backfill`: how far back the jobs of the watched feeds are fetched."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlite_utils import Database

from ci_observer.ingest.commands.terminal import HistoryProgress
from ci_observer.ingest.store import job_walk
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import Clock, utc


class JobsBackfill:
    """The progress of the walks through the feeds' runs, back to `since`."""

    def __init__(
        self,
        db: Database,
        feeds: Callable[[], Sequence[Feed]],
        since: datetime,
        clock: Clock,
    ) -> None:
        self._db = db
        self._feeds = feeds
        self._since = since
        self._clock = clock

    def places(self) -> list[str]:
        """How far back each walk has come that is not complete.

        A feed with an error waits for a later poll.
        """
        wanted = {feed.key for feed in self._feeds()}
        now = utc(self._clock())
        found = [
            min(job_walk.looked_at_from(self._db, key) or now, now)
            for key in job_walk.next_feeds(self._db)
            if key in wanted
        ]
        return [place for place in found if place >= utc(self._since)]

    def progress(self) -> HistoryProgress:
        """The complete walks, and the days over all of them."""
        places, feeds = self.places(), len(self._feeds())
        days = (self._clock() - self._since).days
        missing = [(datetime.fromisoformat(at) - self._since).days for at in places]
        return HistoryProgress(
            complete=feeds - len(places),
            feeds=feeds,
            days=feeds * days - sum(min(days, each) for each in missing),
            all_days=feeds * days,
        )
