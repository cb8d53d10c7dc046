"""When each source of feeds is refreshed: an owner, or the name of a repository."""

from datetime import datetime, timedelta

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.feeds.refresh_times import (
    next_charged_refresh_at,
    next_refresh_at,
)
from ci_observer.ingest.feeds.selection import FeedSelection
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.store import feeds, repos
from ci_observer.ingest.store.keys import Owner
from ci_observer.ingest.times import NEVER, Clock

# The number of passes over which a restart spreads the refreshes.
REFRESH_PASSES = 5
MIN_REFRESHES = 20


class RefreshSchedule:
    """Remembers when the sources are due. A source that is not known is due."""

    def __init__(
        self,
        config: Config,
        db: Database,
        github: GitHub,
        clock: Clock,
        selection: FeedSelection,
    ) -> None:
        self._config = config
        self._db = db
        self._github = github
        self._clock = clock
        self._selection = selection
        self._due_at: dict[str, datetime] = {}

    def start(self) -> None:
        """Schedule the first refresh of each repository after a restart."""
        for repo in self._selection.repos():
            self._due_at[repo.lower()] = self._first_refresh_at(repo)

    def due_repos(self) -> list[str]:
        """The repositories that are due.

        New ones and those that something has made due at once; of the others the least
        recently refreshed ones, a few in each pass.
        """
        every = self._selection.repos()
        due = [repo for repo in every if self.is_due(repo)]
        known = {repo: repos.get(self._db, repo) for repo in due}
        last = {repo: k.metadata_at or "" for repo, k in known.items() if k}
        urgent = [r for r in due if self._due_at.get(r.lower(), NEVER) == NEVER]
        others = sorted(set(due) - set(urgent), key=lambda r: (last.get(r, ""), r))
        limit = max(MIN_REFRESHES, len(every) // REFRESH_PASSES)
        return urgent + others[:limit]

    def is_due(self, source: Owner | str) -> bool:
        """Whether a source is due now."""
        return self._due_at.get(str(source).lower(), NEVER) <= self._clock()

    def make_due(self, source: Owner | str) -> None:
        """Make a source due at once."""
        self._due_at.pop(str(source).lower(), None)

    def postpone(self, source: Owner | str, wait: timedelta) -> None:
        """Make a source due after a wait."""
        self._due_at[str(source).lower()] = self._clock() + wait

    def record_refresh(self, repo: str) -> None:
        """Schedule the next refresh of a repository that was refreshed just now."""
        self._due_at[repo.lower()] = self._next_refresh_at(repo, self._clock())

    def _first_refresh_at(self, repo: str) -> datetime:
        stored = repos.get(self._db, repo)
        is_complete = all(f.metadata_at for f in feeds.watched(self._db, repo))
        if not stored or not stored.metadata_at or not is_complete:
            return NEVER
        now = self._clock()
        refreshed_at = datetime.fromisoformat(stored.metadata_at)
        # A time in the future is that of a wrong clock.
        if refreshed_at > now:
            return now
        return self._next_refresh_at(repo, refreshed_at)

    def _next_refresh_at(self, repo: str, last_at: datetime) -> datetime:
        if not self._github.connection.has_token:
            count = len(self._selection.repos())
            return next_charged_refresh_at(repo, last_at, count=count)
        refresh = timedelta(seconds=self._config.refresh_seconds)
        return next_refresh_at(repo, last_at, refresh=refresh)
