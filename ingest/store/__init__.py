"""Every write to the database, each public function one transaction.

`runs` holds what GitHub said of runs, `feeds` what is watched and how fresh it is,
`instance` the settings and the polls. Rows come from `ingest.rows`; when to write is
decided by `ingest.poller`. `revision` grows in the transaction of any change that a
reader of runs or wall could see.
"""

from ingest.store.etags import Seen, save_seen, seen
from ingest.store.feeds import (
    Feed,
    feed_of,
    quiet_feeds,
    run_count,
    save_backfill,
    save_checked,
    save_description,
    save_feed_error,
    save_first_page_next,
    save_walk,
    save_watched,
    stale_after,
    watched_feeds,
)
from ingest.store.instance import (
    save_instance,
    save_next_poll,
    save_poll,
    save_token_expiration,
    utc,
)
from ingest.store.payloads import count_payloads, prune_payloads
from ingest.store.pending import (
    Pending,
    pending,
    save_asked,
    save_done,
    save_gone,
    save_jobs,
)
from ingest.store.runs import (
    Saved,
    save_followed_run,
    save_live_page,
    save_older_page,
    save_repo_page,
    save_single_run,
)
from ingest.store.space import free_bytes, vacuum

__all__ = [
    "Feed",
    "Pending",
    "Saved",
    "Seen",
    "count_payloads",
    "feed_of",
    "free_bytes",
    "pending",
    "prune_payloads",
    "quiet_feeds",
    "run_count",
    "save_asked",
    "save_backfill",
    "save_checked",
    "save_description",
    "save_done",
    "save_feed_error",
    "save_first_page_next",
    "save_followed_run",
    "save_gone",
    "save_instance",
    "save_jobs",
    "save_live_page",
    "save_next_poll",
    "save_older_page",
    "save_poll",
    "save_repo_page",
    "save_seen",
    "save_single_run",
    "save_token_expiration",
    "save_walk",
    "save_watched",
    "seen",
    "stale_after",
    "utc",
    "vacuum",
    "watched_feeds",
]
