"""Which repository a watched name means: GitHub's number tells, also after a rename.

A renamed repository keeps one history, under the watched name, until the settings have
its new name: then the history is that one's. A name that another repository has got is
that one's alone, and the former one's history stands aside.
"""

import logging

from sqlite_utils import Database

from ci_observer.ingest.feeds.selection import Wanted
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.store import feeds, repos
from ci_observer.ingest.store.database import transaction

log = logging.getLogger("ci_observer.ingest")


class Renaming:
    """Keeps one history for each repository of a database.

    `wanted` tells which names the settings mean.
    """

    def __init__(self, db: Database, github: GitHub, wanted: Wanted) -> None:
        self._db = db
        self._github = github
        self._wanted = wanted
        self._redirected: dict[str, int] = {}

    def start(self) -> None:
        """Take up what was known before: renamed ones are asked by their number."""
        for repo in repos.known(self._db):
            if repo.kept_as and not self._wanted.is_watched(repo.kept_as):
                repos.remove_alias(self._db, repo.repo)
            if repo.is_renamed and repo.repo_id:
                self._ask_by_number(repo.repo, repo.repo_id)
                if self._wanted.is_named(repo.repo):
                    _tell_name(repo.repo, str(repo.full_name))

    def is_elsewhere(self, repo: str) -> bool:
        """Whether it is another watched name's repository, watched there."""
        known = repos.get(self._db, repo)
        return known is not None and known.kept_as is not None

    def is_redirected(self, repo: str) -> bool:
        """Whether GitHub has redirected a name since this was last asked."""
        number = self._github.connection.renamed_ids.get(repo.lower())
        is_new = number is not None and number != self._redirected.get(repo.lower())
        if number is not None:
            self._redirected[repo.lower()] = number
        return is_new

    def recognise(self, repo: str, found: Repository) -> bool:
        """Keep one history of the repository that GitHub shows under a name.

        False when another watched name has it.
        """
        with transaction(self._db):
            self._set_aside(repo, found)
            for other in repos.other_names(self._db, found.repo_id, but=repo):
                is_called = _is_called(found, repo)
                if self._wanted.is_watched(other) and not is_called:
                    repos.rename(self._db, repo, other)
                    self._keep_as(repo, found, other)
                    return False
                repos.rename(self._db, other, repo)
                log.warning("%s: its history is that of %s now", other, repo)
                if self._wanted.is_named(other):
                    self._keep_as(other, found, repo)
            repos.save(self._db, repo, found)
        self._github.connection.renamed_ids.pop(repo.lower(), None)
        if not _is_called(found, repo):
            self._ask_by_number(repo, found.repo_id)
            _tell_name(repo, found.full_name)
        return True

    def _set_aside(self, repo: str, found: Repository) -> None:
        """Keep the history of the repository that had this name before."""
        known = repos.get(self._db, repo)
        if known is None or known.repo_id is None or known.repo_id == found.repo_id:
            return
        aside = f"{repo}@{known.repo_id}"
        repos.rename(self._db, repo, aside)
        feeds.save_watched_in(self._db, aside, [])
        self._ask_by_number(aside, known.repo_id)
        log.warning(
            "%s is another repository than before: the former one's history is %s now",
            repo,
            aside,
        )

    def _ask_by_number(self, repo: str, number: int) -> None:
        self._github.connection.renamed_ids[repo.lower()] = number
        self._redirected[repo.lower()] = number

    def _keep_as(self, repo: str, found: Repository, kept_as: str) -> None:
        repos.save_alias(self._db, repo, found, kept_as=kept_as)
        log.warning(
            "%s and %s are one repository, polled once: write %s alone in GH_REPOS",
            repo,
            kept_as,
            found.full_name,
        )


def _tell_name(repo: str, name: str) -> None:
    log.warning("%s is renamed to %s: write %s in GH_REPOS", repo, name, name)


def _is_called(found: Repository, name: str) -> bool:
    return found.full_name.lower() == name.lower()
