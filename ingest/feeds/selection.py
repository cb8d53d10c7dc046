"""Selects the repositories and workflows to watch, from settings and stored lists."""

from collections.abc import Iterable

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.config.repo_rules import (
    is_selected_repo,
    is_selected_workflow,
    workflows_of,
)
from ci_observer.ingest.github.names import EVERY_WORKFLOW
from ci_observer.ingest.store import repos, workflows
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.repos import Repo
from ci_observer.ingest.store.workflows import DELETED, DISABLED_FORK


class FeedSelection:
    """Which repositories and workflows the settings select. Writes nothing.

    With shards, all of it is that of this shard, unless the name says otherwise.
    A repository is *named* when the settings have its name, *listed* when it is in the
    list of an owner and a pattern such as `owner/*` selects it.
    """

    def __init__(self, config: Config, db: Database) -> None:
        self._config = config
        self._db = db
        self._named = {repo.lower() for repo in config.named_repos}
        self._owners = {owner.lower() for owner in config.owners}

    def repos(self) -> list[str]:
        """The repositories to watch, each under one of its names."""
        every = {
            repo.lower(): repo
            for owner in self._config.owners
            for repo in sorted(self.listed(owner))
        }
        every |= {repo.lower(): repo for repo in self._config.named_repos}
        aliases = {r.repo.lower() for r in repos.known(self._db) if r.alias_of}
        return [repo for key, repo in every.items() if key not in aliases]

    def listed(self, owner: str) -> set[str]:
        """The live repositories in an owner's list that are watched here."""
        return {
            repo.repo
            for repo in repos.listed(self._db, owner)
            if self._config.is_in_shard(repo.repo) and self._is_selected(repo)
        }

    def listed_in_all_shards(self, owner: str) -> set[str]:
        """The live repositories in an owner's list that any shard watches."""
        return {r.repo for r in repos.listed(self._db, owner) if self._is_selected(r)}

    def all_repos(self) -> int:
        """The number of repositories that all shards watch."""
        every = {repo.lower() for repo in self._config.all_named_repos}
        for owner in self._config.owners:
            every |= {repo.lower() for repo in self.listed_in_all_shards(owner)}
        aliases = {r.repo.lower() for r in repos.known(self._db) if r.alias_of}
        return len(every - aliases)

    def has_owner(self, owner: str) -> bool:
        """Whether the list of this owner's repositories is fetched."""
        return owner.lower() in self._owners

    def is_named(self, repo: str) -> bool:
        """Whether the settings name this repository."""
        return repo.lower() in self._named

    def is_watched(self, repo: str) -> bool:
        """Whether the settings select this repository, by its name or by a pattern."""
        if self.is_named(repo):
            return True
        known = repos.get(self._db, repo)
        if known is None or known.listed_in is None:
            return False
        return self._config.is_in_shard(repo) and self._is_selected(known)

    def is_in_other_shard(self, repo: str, topics: Iterable[str]) -> bool:
        """Whether the settings select this repository for another shard."""
        if self._config.is_in_shard(repo):
            return False
        named = {name.lower() for name in self._config.all_named_repos}
        return repo.lower() in named or is_selected_repo(
            self._config, repo, set(topics)
        )

    def _is_selected(self, repo: Repo) -> bool:
        topics = repo.topic_list if self._config.topics else ()
        return is_selected_repo(self._config, repo.repo, topics)

    def has_metadata(self, repo: str) -> bool:
        """Whether the metadata of a repository was fetched."""
        known = repos.get(self._db, repo)
        return known is not None and known.metadata_at is not None

    def follows_list(self, repo: str) -> bool:
        """Whether GitHub's list of workflows decides which of them are watched."""
        is_every = EVERY_WORKFLOW in workflows_of(self._config, repo)
        return is_every or not self.is_named(repo)

    def workflows(
        self, repo: str, feeds: Iterable[Feed], *, is_listed: bool = False
    ) -> list[str]:
        """The workflows to watch in a repository. `feeds` are the watched feeds.

        All that GitHub lists and the settings select, disabled ones too: the wall says
        so. If both repository and workflow are named, in any case: the wall shows a
        missing one as missing. `is_listed` means that GitHub's list is stored.
        """
        if not self.is_watched(repo):
            return []
        if not self.follows_list(repo):
            return list(workflows_of(self._config, repo))
        watched = {f.workflow for f in feeds if f.repo.lower() == repo.lower()}
        known = workflows.known(self._db, repo)
        if not known and not is_listed:
            return sorted(watched)
        return [
            w.workflow
            for w in known
            if is_selected_workflow(self._config, repo, w.workflow)
            and has_tile(
                self._config,
                repo,
                w.workflow,
                w.workflow_state,
                is_watched=w.workflow in watched,
            )
        ]


def has_tile(
    config: Config,
    repo: str,
    workflow: str,
    state: str | None,
    *,
    is_watched: bool = False,
) -> bool:
    """Whether a selected workflow that GitHub lists with this state has a tile.

    A deleted one has none. All workflows of a fork are disabled at first, so `*` leaves
    those out that were never watched.
    """
    if state == DISABLED_FORK:
        return is_watched or workflow in workflows_of(config, repo)
    return state != DELETED
