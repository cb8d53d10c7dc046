"""What is watched: the feeds that the settings name, and what GitHub says of them.

A repository is described once a day: its default branch, its workflows' names and
states, and with `GH_WORKFLOWS=*` which workflows there are.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlite_utils import Database

from ingest import store
from ingest.client import Answer, GitHub
from ingest.config import EVERY_WORKFLOW, Config
from ingest.store import Feed, Seen

ACTIVE = "active"
DELETED = "deleted"
WORKFLOW_FOLDER = ".github/workflows/"
DESCRIBE_EVERY = timedelta(days=1)

# GitHub's name and state of a workflow, by its file name.
Workflows = dict[str, tuple[str | None, str | None]]
T = TypeVar("T")


class Watch:
    """Keeps the watched feeds of one database in step with the settings and GitHub."""

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
        self._is_every = EVERY_WORKFLOW in config.workflows
        self._describe_at: dict[str, datetime] = {}

    def start(self) -> None:
        """Make the watched feeds those that the settings name.

        With `*` those are for the time being the ones that were watched before.
        """
        if self._is_every:
            repos = {repo.lower() for repo in self._config.repos}
            pairs = [
                (feed.repo, feed.workflow)
                for feed in self.feeds()
                if feed.repo.lower() in repos
            ]
        else:
            pairs = [(r, w) for r in self._config.repos for w in self._config.workflows]
        store.save_watched(self._db, pairs)
        for repo in self._config.repos:
            self._describe_at[repo] = self._first_description(repo)

    def feeds(self) -> list[Feed]:
        """The watched feeds, as stored."""
        return store.watched_feeds(self._db)

    def feeds_of(self, repo: str) -> list[Feed]:
        """The watched feeds of a repository, whatever the letter case of its name."""
        return store.watched_feeds(self._db, repo)

    def repos_to_describe(self) -> list[str]:
        """The repositories that are due to be described."""
        now = self._clock()
        return [repo for repo in self._config.repos if self._describe_at[repo] <= now]

    async def describe(self, repo: str) -> None:
        """Ask GitHub about a repository, and watch what the settings want of it."""
        branch = await self._unless_seen(
            f"{repo} repository", repo, self._github.fetch_default_branch
        )
        items = await self._unless_seen(
            f"{repo} workflows", repo, self._github.fetch_workflows
        )
        workflows = None if items.value is None else _by_file(items.value)
        if self._is_every and workflows is not None:
            self._watch_of_repo(repo, self._wanted(repo, workflows))
        store.save_description(
            self._db,
            repo,
            default_branch=branch.value,
            workflows=workflows,
            now=self._clock(),
            seen=[
                Seen(f"{repo} {what}", answer.etag)
                for what, answer in (("repository", branch), ("workflows", items))
                if answer.etag
            ],
        )
        self.describe_again_after(repo, DESCRIBE_EVERY)

    async def _unless_seen(
        self, url: str, repo: str, fetch: Callable[..., Awaitable[Answer[T]]]
    ) -> Answer[T]:
        """Fetch with the ETag of before, if all of what it stands for is stored."""
        feeds = self.feeds_of(repo)
        is_stored = bool(feeds) and all(feed.described_at for feed in feeds)
        known = store.seen(self._db, url) if is_stored else None
        return await fetch(repo, etag=known.etag if known else None)

    def describe_again_after(self, repo: str, wait: timedelta) -> None:
        """Leave a repository alone for a while."""
        self._describe_at[repo] = self._clock() + wait

    def watch_placeholder(self, repo: str) -> None:
        """With `*`, give a repository without feeds one, for its error to be seen."""
        self._watch_of_repo(repo, [EVERY_WORKFLOW])

    def _first_description(self, repo: str) -> datetime:
        described = [feed.described_at for feed in self.feeds_of(repo)]
        if self._is_every or not all(described):
            return self._clock()
        return datetime.fromisoformat(min(filter(None, described))) + DESCRIBE_EVERY

    def _wanted(self, repo: str, workflows: Workflows) -> list[str]:
        """The active workflows, and watched ones that became disabled: they alarm."""
        watched = {feed.workflow for feed in self.feeds_of(repo)}
        return [
            name
            for name, (_, state) in workflows.items()
            if state == ACTIVE or (name in watched and state != DELETED)
        ]

    def _watch_of_repo(self, repo: str, workflows: list[str]) -> None:
        others = [
            (feed.repo, feed.workflow)
            for feed in self.feeds()
            if feed.repo.lower() != repo.lower()
        ]
        store.save_watched(self._db, others + [(repo, name) for name in workflows])


def file_of(run: dict[str, Any]) -> str:
    """A run's workflow, by its file name; documented paths may end in `@ref`."""
    path, _, _ = str(run.get("path")).partition("@")
    return path.removeprefix(WORKFLOW_FOLDER)


def _by_file(items: list[dict[str, Any]]) -> Workflows:
    return {
        path.removeprefix(WORKFLOW_FOLDER): (item.get("name"), item.get("state"))
        for item in items
        if (path := str(item.get("path"))).startswith(WORKFLOW_FOLDER)
    }
