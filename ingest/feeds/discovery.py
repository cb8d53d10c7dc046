"""What is watched: the feeds that the settings mean, and what GitHub says of them.

A repository is described once a day: its name and default branch, its workflows' names
and states. An owner's repositories are listed as often. From what is known of both, and
from the settings, follows which workflows of which repositories are feeds.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import GitHubError, InvalidResponse, NotFound
from ci_observer.ingest.feeds.owners import fetch_owner
from ci_observer.ingest.feeds.renames import Renaming
from ci_observer.ingest.feeds.selection import Wanted
from ci_observer.ingest.feeds.workflows import find_replaced, workflow_rows
from ci_observer.ingest.github.client import GitHub, Response
from ci_observer.ingest.github.names import (
    EVERY_WORKFLOW,
    every_repo_of,
    is_every_repo,
    owner_of,
)
from ci_observer.ingest.store import feeds, repos, responses, workflows
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.times import utc

log = logging.getLogger("ci_observer.ingest")

NEVER = datetime.min.replace(tzinfo=UTC)
DESCRIBE_EVERY = timedelta(days=1)
# What was described just now is not asked again for every workflow that is missing.
LOOK_AGAIN_AFTER = timedelta(minutes=10)

T = TypeVar("T")


class Watch:
    """Keeps the watched feeds of one database in step with the settings and GitHub.

    What is asked for daily is a repository, or an owner, written as in the settings.
    """

    def __init__(
        self,
        config: Config,
        db: Database,
        github: GitHub,
        clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._db = db
        self._github = github
        self._clock = clock
        self._wanted = Wanted(config, db)
        self._renaming = Renaming(db, github, self._wanted)
        self._refused: set[str] = set()
        self._ask_at: dict[str, datetime] = {}

    def start(self) -> None:
        """Make the watched feeds those that the settings and what is known ask for."""
        before = self.feeds()
        self._renaming.start()
        pairs = [
            (repo, workflow)
            for repo in self._wanted.repos()
            for workflow in self._wanted.workflows(repo, before)
        ]
        pairs += [
            (feed.repo, feed.workflow)
            for feed in before
            if self._wanted.is_owner(feed.repo)
        ]
        feeds.save_watched(self._db, pairs)
        for repo in self._wanted.repos():
            self._ask_at[repo.lower()] = self._first_description(repo)

    def feeds(self) -> list[Feed]:
        """The watched feeds, as stored."""
        return feeds.watched(self._db)

    def feeds_of(self, repo: str) -> list[Feed]:
        """The watched feeds of a repository, whatever the letter case of its name."""
        return feeds.watched(self._db, repo)

    def owners_to_list(self) -> list[str]:
        """The owners whose repositories are due to be listed, as `owner/*`."""
        return [
            every_repo_of(owner)
            for owner in self._config.owners
            if self._is_due(every_repo_of(owner))
        ]

    def repos_to_describe(self) -> list[str]:
        """The repositories that are due to be described, or were found renamed."""
        for repo in self._wanted.repos():
            if self._renaming.is_redirected(repo):
                self._ask_at.pop(repo.lower(), None)
        return [repo for repo in self._wanted.repos() if self._is_due(repo)]

    async def list_owner(self, item: str) -> None:
        """Ask GitHub which repositories an owner has, and watch the live ones."""
        owner = owner_of(item)
        pages = await fetch_owner(
            self._github, owner, lambda key: responses.get_cached(self._db, key)
        )
        with transaction(self._db):
            before = self._wanted.listed(owner)
            for found in (repo for page in pages for repo in page.repos or []):
                if found.is_live:
                    self._renaming.recognise(found.full_name, found)
            repos.save_listed(self._db, owner, pages)
            listed = self._wanted.listed(owner)
            for repo in before ^ listed:
                self._watch_again(repo)
        _log_changes(item, before, listed)
        self._refused.discard(item.lower())
        self.describe_again_after(item, DESCRIBE_EVERY)
        if not listed:
            raise NotFound(
                "No repository to watch: name some in GH_REPOS, or let the token see "
                f"more. Each that it sees of {owner} is archived, disabled or a fork."
            )
        self._tell_of_owner(owner)

    async def describe(self, repo: str) -> None:
        """Ask GitHub about a repository, and watch what the settings want of it."""
        found = await self._unless_seen(repo, "repository", self._github.fetch_repo)
        if found.value and not self._renaming.recognise(repo, found.value):
            return
        items = await self._unless_seen(repo, "workflows", self._github.fetch_workflows)
        listed = None if items.value is None else workflow_rows(items.value)
        if self._wanted.is_chosen(repo):
            listed = await find_replaced(self._db, self._github, repo, listed)
        if self._renaming.is_elsewhere(repo):
            return
        with transaction(self._db):
            if listed is not None:
                workflows.save(self._db, repo, listed)
            self._watch_again(repo, is_described=True)
            self._save_description(repo, (("repository", found), ("workflows", items)))
        self.describe_again_after(repo, DESCRIBE_EVERY)
        self._tell_of_owner(owner_of(repo))

    def describe_again_after(self, repo: str, wait: timedelta) -> None:
        """Leave a repository or an owner alone for a while."""
        self._ask_at[repo.lower()] = self._clock() + wait

    def note_refused(self, item: str, error: GitHubError, wait: timedelta) -> None:
        """Have the error of a repository or an owner be seen, and ask again later.

        A repository that nobody named leaves the wall.
        """
        self.describe_again_after(item, wait)
        if is_every_repo(item):
            self._refused.add(item.lower())
        elif not self._wanted.is_named(item):
            log.warning("%s is left out: %s", item, error)
            feeds.save_watched_in(self._db, item, [])
            self._tell_of_owner(owner_of(item))
            return
        if not self.feeds_of(item):
            feeds.save_watched_in(self._db, item, [EVERY_WORKFLOW])

    def look_again(self, repo: str) -> None:
        """Describe a repository in the next pass, since something there is gone.

        Not for a named workflow that is missing: it is shown as missing anyway.
        """
        known = repos.get(self._db, repo)
        if known is None or not self._wanted.is_chosen(repo):
            return
        if (known.described_at or "") <= utc(self._clock() - LOOK_AGAIN_AFTER):
            self._ask_at.pop(repo.lower(), None)

    def check_runs(self, repo: str, runs: Iterable[dict[str, Any]]) -> None:
        """Raise `InvalidResponse` for runs of another repository of the same name.

        Which repository it is is asked in the next pass, so that histories do not mix.
        """
        known = repos.get(self._db, repo)
        for run in runs:
            match run.get("repository"):
                case {"id": int(number)} if known and known.repo_id not in (
                    None,
                    number,
                ):
                    self._ask_at.pop(repo.lower(), None)
                    raise InvalidResponse(
                        f"Another repository is called {repo} now. Its runs are "
                        "fetched from the next poll on, as a history of their own."
                    )

    def _watch_again(self, repo: str, *, is_described: bool = False) -> None:
        wanted = self._wanted.workflows(
            repo, self.feeds_of(repo), is_described=is_described
        )
        feeds.save_watched_in(self._db, repo, wanted)

    async def _unless_seen(
        self, repo: str, what: str, fetch: Callable[..., Awaitable[Response[T]]]
    ) -> Response[T]:
        """Fetch with the ETag of before, if all of what it stands for is stored."""
        stored = repos.get(self._db, repo)
        is_stored = stored is not None and stored.described_at is not None
        known = responses.get_cached(self._db, f"{repo} {what}") if is_stored else None
        return await fetch(repo, etag=known.etag if known else None)

    def _save_description(
        self, repo: str, answers: Iterable[tuple[str, Response[Any]]]
    ) -> None:
        stored = repos.get(self._db, repo)
        feeds.save_metadata(
            self._db,
            repo,
            default_branch=stored.default_branch if stored else None,
            workflows={
                w.workflow: (w.workflow_name, w.workflow_state)
                for w in workflows.known(self._db, repo)
            },
            now=self._clock(),
            seen=[
                CachedResponse(f"{repo} {what}", a.etag)
                for what, a in answers
                if a.etag
            ],
        )
        repos.save_metadata_at(self._db, repo, self._clock())

    def _tell_of_owner(self, owner: str) -> None:
        """Say on the wall that an owner has nothing to show, or no longer."""
        item = every_repo_of(owner)
        if not self._wanted.is_owner(item) or item.lower() in self._refused:
            return
        listed = self._wanted.listed(owner)
        if any(map(self._is_due, listed)):
            return
        if any(map(self.feeds_of, listed)):
            feeds.save_watched_in(self._db, item, [])
            return
        feeds.save_watched_in(self._db, item, [EVERY_WORKFLOW])
        [feed] = self.feeds_of(item)
        names = " or ".join(self._config.workflows)
        error = (
            "No workflow to watch: check GH_WORKFLOWS, or the token's permission "
            f"Actions: read. It sees no active {names} in {owner}'s {len(listed)} "
            "repositories."
        )
        if feed.error != error:
            log.warning("%s: %s", item, error)
        feeds.save_error(
            self._db,
            feed,
            error=error,
            kind=NotFound.kind,
            now=self._clock(),
            retry_at=None,
        )

    def _first_description(self, repo: str) -> datetime:
        stored = repos.get(self._db, repo)
        described = [f.described_at for f in self.feeds_of(repo)]
        if not stored or not stored.described_at or not all(described):
            return self._clock()
        if EVERY_WORKFLOW in self._config.workflows:
            return self._clock()
        return datetime.fromisoformat(stored.described_at) + DESCRIBE_EVERY

    def _is_due(self, item: str) -> bool:
        return self._ask_at.get(item.lower(), NEVER) <= self._clock()


def _log_changes(item: str, before: set[str], listed: set[str]) -> None:
    for what, names in (("new", listed - before), ("gone", before - listed)):
        if names:
            log.info("%s: %s: %s", item, what, ", ".join(sorted(names)))
