"""Changes that ingest would write while the servers are measured."""

import json
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ci_observer.ingest.db import schema
from ci_observer.ingest.store import feeds, runs
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import utc

NEWEST_SQL = """
select raw_json from runs_full where run_id = (
  select run_id from runs where repo = ? and workflow = ?
  order by started_at desc limit 1
)
"""


class RunChanges:
    """Changes the newest runs of all feeds in turn, through the product's store.

    It adds attempts, but no runs, so the database keeps its size.
    """

    def __init__(self, path: Path) -> None:
        self._db = schema.connect(path)
        self._feeds = feeds.watched(self._db)
        self._next_feeds = cycle(self._feeds)
        self._reruns: dict[Feed, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        now = datetime.now(UTC)
        for feed in self._feeds:
            feeds.save_checked(self._db, feed, now)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for feed in self._feeds:
            if feed in self._reruns:
                self._finish_rerun(feed)
        self._db.close()

    def make(self) -> None:
        """Re-run the newest run of the next feed, or finish its re-run."""
        feed = next(self._next_feeds)
        if feed in self._reruns:
            self._finish_rerun(feed)
        else:
            self._start_rerun(feed)

    def _start_rerun(self, feed: Feed) -> None:
        [[text]] = self._db.execute(NEWEST_SQL, [feed.repo, feed.workflow])
        run: dict[str, Any] = json.loads(text)
        run |= {"status": "in_progress", "conclusion": None}
        run["run_attempt"] += 1
        run["run_started_at"] = utc(datetime.now(UTC))
        self._reruns[feed] = run
        self._save(feed, run)

    def _finish_rerun(self, feed: Feed) -> None:
        run = self._reruns.pop(feed)
        self._save(feed, run | {"status": "completed", "conclusion": "success"})

    def _save(self, feed: Feed, run: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        run["updated_at"] = utc(now)
        runs.save_run(self._db, feed, run, now=now)
