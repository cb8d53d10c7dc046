"""Every write to the database, each public function one transaction.

`runs` holds what GitHub said of runs, `feeds` what is watched and how fresh it is,
`instance` the settings and the polls. Rows come from `ingest.rows`; when to write is
decided by `ingest.poller`. `revision` grows in the transaction of any change that a
reader of runs or wall could see.
"""

from ingest.store.feeds import (
    Feed,
    save_checked,
    save_description,
    save_feed_error,
    save_watched,
    watched_feeds,
)
from ingest.store.instance import save_instance, save_next_poll, save_poll, utc
from ingest.store.runs import Saved, save_live_page, save_older_page

__all__ = [
    "Feed",
    "Saved",
    "save_checked",
    "save_description",
    "save_feed_error",
    "save_instance",
    "save_live_page",
    "save_next_poll",
    "save_older_page",
    "save_poll",
    "save_watched",
    "utc",
    "watched_feeds",
]
