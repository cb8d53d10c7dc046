"""Logs which workflow files count as deleted, renamed, or neither."""

import logging
from collections.abc import Sequence

from sqlite_utils import Database

from ci_observer.ingest.feeds.workflows import same_names
from ci_observer.ingest.store import workflows
from ci_observer.ingest.store.workflows import DELETED, Workflow

log = logging.getLogger("ci_observer.ingest")


class WorkflowLog:
    """Logs decisions about workflow files, each once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._logged_names: set[tuple[str, str]] = set()

    def log_gone(self, repo: str, before: Sequence[Workflow]) -> None:
        """Log which files GitHub's new list proves to be deleted or renamed."""
        now = workflows.known(self._db, repo)
        known = {w.workflow: w for w in now}
        files = {w.workflow_id: w.workflow for w in now}
        for old in before:
            new = known.get(old.workflow)
            if new is None:
                path = files.get(old.workflow_id)
                log.info(
                    "%s: %s is called %s now: one history", repo, old.workflow, path
                )
            elif old.workflow_state != DELETED == new.workflow_state:
                log.info(
                    "%s: %s is deleted on GitHub: its runs stay", repo, old.workflow
                )

    def log_same_names(self, repo: str) -> None:
        """Log the files that stay although another one of their name may be new."""
        for name, files in same_names(workflows.known(self._db, repo)).items():
            if (repo, name) in self._logged_names:
                continue
            if unused := workflows.unused_since_next(self._db, repo, files):
                self._logged_names.add((repo, name))
                log.info(
                    "%s: %s are all called %r. A name proves no rename, so each has a "
                    "tile, also without a run since the next one was created: %s",
                    repo,
                    ", ".join(files),
                    name,
                    ", ".join(unused),
                )
