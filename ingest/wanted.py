"""What the settings mean, given what is known of repositories and workflows."""

from collections.abc import Iterable

from sqlite_utils import Database

from ingest import store
from ingest.config import DYNAMIC, EVERY_WORKFLOW, Config
from ingest.store import ACTIVE, DELETED, Feed


class Wanted:
    """Which repositories and workflows the settings ask for; it only reads.

    `is_every` when which workflows are watched follows from GitHub's list.
    """

    def __init__(self, config: Config, db: Database) -> None:
        self._config = config
        self._db = db
        self.is_every = EVERY_WORKFLOW in config.workflows
        self._watched = {repo.lower() for repo in config.repos}

    def repos(self) -> list[str]:
        """The repositories to watch, each under one of its names."""
        elsewhere = {r.repo.lower() for r in store.repos(self._db) if r.kept_as}
        return [r for r in self._config.repos if r.lower() not in elsewhere]

    def is_watched(self, repo: str) -> bool:
        """Whether the settings mean this name."""
        return repo.lower() in self._watched

    def workflows(
        self, repo: str, feeds: Iterable[Feed], *, is_described: bool = False
    ) -> list[str]:
        """The workflows to watch in a repository; `feeds` are the watched ones.

        Those that are active, and watched ones that became disabled: they alarm. A
        named one in any case, so that its absence is seen.
        """
        if not self.is_watched(repo):
            return []
        if not self.is_every:
            return list(self._config.workflows)
        watched = {f.workflow for f in feeds if f.repo.lower() == repo.lower()}
        known = store.workflows_of(self._db, repo)
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
    is_every = EVERY_WORKFLOW in config.workflows and not workflow.startswith(DYNAMIC)
    return is_every or workflow in config.workflows
