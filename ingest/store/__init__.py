"""Every write to the database, each public function one transaction.

`runs` holds what GitHub said of runs, `feeds` what is watched and how fresh it is,
`places` what repositories and workflow files there are,
`instance` the settings and the polls. Rows come from `ingest.rows`; when to write is
decided by `ingest.poller`. `revision` grows in the transaction of any change that a
reader of runs or wall could see.
"""

from ingest.store.etags import Seen, save_seen, seen
from ingest.store.feeds import (
    Feed,
    feed_of,
    feeds_behind,
    save_backfill,
    save_checked,
    save_description,
    save_feed_error,
    save_first_page_next,
    save_walk,
    save_watched,
    save_watched_of,
    watched_feeds,
)
from ingest.store.history import save_older_page, save_window_page
from ingest.store.instance import (
    save_instance,
    save_next_poll,
    save_poll,
    save_token_expiration,
    transaction,
)
from ingest.store.payloads import count_payloads, prune_payloads
from ingest.store.pending import (
    Pending,
    count_pending,
    pending,
    save_asked,
    save_done,
    save_gone,
    save_jobs,
)
from ingest.store.places import (
    ACTIVE,
    DELETED,
    ListedPage,
    Repo,
    Workflow,
    listed_repos,
    names_of,
    repo_of,
    repos,
    save_alias,
    save_described,
    save_listed,
    save_moved,
    save_name_back,
    save_repo,
    save_workflows,
    workflows_of,
)
from ingest.store.runs import (
    Saved,
    save_followed_run,
    save_live_page,
    save_repo_page,
    save_single_run,
)
from ingest.store.space import free_bytes, vacuum
from ingest.times import utc

__all__ = [
    "ACTIVE",
    "DELETED",
    "Feed",
    "ListedPage",
    "Pending",
    "Repo",
    "Saved",
    "Seen",
    "Workflow",
    "count_payloads",
    "count_pending",
    "feed_of",
    "feeds_behind",
    "free_bytes",
    "listed_repos",
    "names_of",
    "pending",
    "prune_payloads",
    "repo_of",
    "repos",
    "save_alias",
    "save_asked",
    "save_backfill",
    "save_checked",
    "save_described",
    "save_description",
    "save_done",
    "save_feed_error",
    "save_first_page_next",
    "save_followed_run",
    "save_gone",
    "save_instance",
    "save_jobs",
    "save_listed",
    "save_live_page",
    "save_moved",
    "save_name_back",
    "save_next_poll",
    "save_older_page",
    "save_poll",
    "save_repo",
    "save_repo_page",
    "save_seen",
    "save_single_run",
    "save_token_expiration",
    "save_walk",
    "save_watched",
    "save_watched_of",
    "save_window_page",
    "save_workflows",
    "seen",
    "transaction",
    "utc",
    "vacuum",
    "watched_feeds",
    "workflows_of",
]
