"""What the settings mean, given what is known of owners, repositories and workflows."""

from collections.abc import Iterable

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.github.names import (
    EVERY_WORKFLOW,
    every_repo_of,
    is_dynamic,
    owner_of,
)
from ci_observer.ingest.store import repos, workflows
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.workflows import ACTIVE, DELETED


class Wanted:
    """Which repositories and workflows the settings ask for; it only reads.

    A repository is *named* when the settings have its name, *listed* when it is in the
    list of an owner of theirs.
    """

    def __init__(self, config: Config, db: Database) -> None:
        self._config = config
        self._db = db
        self._is_every = EVERY_WORKFLOW in config.workflows
        self._named = {repo.lower() for repo in config.named_repos}
        self._owners = {every_repo_of(owner).lower() for owner in config.owners}

    def repos(self) -> list[str]:
        """The repositories to watch, each under one of its names."""
        every = {
            repo.lower(): repo
            for owner in self._config.owners
            for repo in sorted(self.listed(owner))
        }
        every |= {repo.lower(): repo for repo in self._config.named_repos}
        elsewhere = {r.repo.lower() for r in repos.known(self._db) if r.kept_as}
        return [repo for key, repo in every.items() if key not in elsewhere]

    def listed(self, owner: str) -> set[str]:
        """The live repositories that were in an owner's list."""
        return {repo.repo for repo in repos.listed(self._db, owner)}

    def is_owner(self, item: str) -> bool:
        """Whether it is an owner of the settings, as `owner/*`."""
        return item.lower() in self._owners

    def is_named(self, repo: str) -> bool:
        """Whether the settings name this repository."""
        return repo.lower() in self._named

    def is_watched(self, repo: str) -> bool:
        """Whether the settings mean this name, by itself or by its owner."""
        known = repos.get(self._db, repo)
        is_listed = known is not None and known.listed_on is not None
        return self.is_named(repo) or (
            is_listed and self.is_owner(every_repo_of(owner_of(repo)))
        )

    def is_chosen(self, repo: str) -> bool:
        """Whether which workflows are watched there follows from GitHub's list."""
        return self._is_every or not self.is_named(repo)

    def workflows(
        self, repo: str, feeds: Iterable[Feed], *, is_described: bool = False
    ) -> list[str]:
        """The workflows to watch in a repository; `feeds` are the watched ones.

        Those that are active, and watched ones that became disabled: they alarm. A
        named one of a named repository in any case, so that its absence is seen.
        """
        if not self.is_watched(repo):
            return []
        if not self.is_chosen(repo):
            return list(self._config.workflows)
        watched = {f.workflow for f in feeds if f.repo.lower() == repo.lower()}
        known = workflows.known(self._db, repo)
        if not known and not is_described:
            return sorted(watched)
        return [
            w.workflow
            for w in known
            if is_meant(self._config, w.workflow)
            and w.replaced_by is None
            and (
                w.workflow_state == ACTIVE
                or (w.workflow in watched and w.workflow_state != DELETED)
            )
        ]


def is_meant(config: Config, workflow: str) -> bool:
    """Whether the settings mean a workflow; GitHub's own ones must be named."""
    is_every = EVERY_WORKFLOW in config.workflows and not is_dynamic(workflow)
    return is_every or workflow in config.workflows
