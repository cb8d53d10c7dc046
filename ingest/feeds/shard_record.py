"""Writes which part of the selected repositories this shard watches, for the wall."""

import logging
from collections.abc import Iterable

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.config.shard import Shard, mismatch_text
from ci_observer.ingest.feeds.selection import FeedSelection
from ci_observer.ingest.store import feeds, instance
from ci_observer.ingest.store.feeds import Feed

log = logging.getLogger("ci_observer.ingest")


class ShardRecord:
    """The shard of this instance, as readers of the database see it.

    Without the setting SHARD it writes that there is none.
    """

    def __init__(self, config: Config, db: Database, selection: FeedSelection) -> None:
        self._config = config
        self._db = db
        self._selection = selection
        self._has_feeds = False

    def save(self) -> None:
        """Write the shard, with the repositories that it and all shards watch."""
        shard = self._config.shard
        if shard is None:
            instance.save_shard(self._db, None, None)
            return
        own, every = self._selection.repos(), self._selection.all_repos()
        self._has_feeds = bool(feeds.watched(self._db))
        record = instance.shard_text(shard, repos=len(own), all_repos=every)
        instance.save_shard(self._db, record, self._empty_text(len(own), every))

    def log_change(self, former: Shard | None, watched: Iterable[Feed]) -> None:
        """Log at a start that the database had another shard until now.

        `watched` are its feeds until now.
        """
        leaving = {f.repo for f in watched if not self._config.is_in_shard(f.repo)}
        text = mismatch_text(former, self._config.shard)
        if text:
            log.warning(text)
        elif leaving:
            log.warning(
                "SHARD=%s is new for this database; ci-observer reshard divides it",
                self._config.shard,
            )
        if leaving:
            log.warning(
                "Repositories of other shards that are not watched here any more: %s. "
                "Their history stays in this database",
                len(leaving),
            )

    def save_if_empty(self) -> None:
        """Write it again if the shard had no workflow to watch."""
        if self._config.shard and not self._has_feeds:
            self.save()

    def _empty_text(self, own: int, every: int) -> str | None:
        """Why the wall has no tiles; None if it has some, or lists are missing."""
        shard = self._config.shard
        if shard is None or self._has_feeds or not every:
            return None
        if own == 0:
            what = f"none of the {every} selected repositories"
        elif all(self._selection.has_metadata(r) for r in self._selection.repos()):
            what = (
                f"{own} of {every} selected repositories, none with a workflow of "
                "GH_WORKFLOWS"
            )
        else:
            return None
        return (
            f"{shard.name.capitalize()} has {what}, so there is nothing to poll here. "
            "That is no error: the other shards watch the rest."
        )
