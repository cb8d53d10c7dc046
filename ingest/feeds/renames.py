"""Keeps one history for each repository, also when its name changes.

GitHub's repository id identifies a repository across renames. A renamed repository
keeps its rows under the watched name until the settings have the new name. When a
name has passed to another repository, the former one's rows move to `name@id`.
"""

import logging
from collections.abc import Iterable

from sqlite_utils import Database

from ci_observer.ingest.feeds.selection import FeedSelection
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.names import owner_of
from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.store import feeds, repos
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.repos import Repo

log = logging.getLogger("ci_observer.ingest")


class Renames:
    """Matches repository names with repository ids."""

    def __init__(self, db: Database, github: GitHub, selection: FeedSelection) -> None:
        self._db = db
        self._github = github
        self._selection = selection
        self._known_ids: dict[str, int] = {}

    def start(self) -> None:
        """Restore the state of renamed repositories from the database."""
        for repo in repos.known(self._db):
            if repo.alias_of and not self._is_watched_in_any_shard(repo):
                repos.remove_alias(self._db, repo.repo)
            if repo.is_renamed and repo.repo_id:
                self._request_by_id(repo.repo, repo.repo_id, repo.full_name)
                if self._selection.is_named(repo.repo):
                    _log_rename(repo.repo, str(repo.full_name))

    def is_alias(self, repo: str) -> bool:
        """Whether the rows of this name are kept under another watched name."""
        known = repos.get(self._db, repo)
        return known is not None and known.alias_of is not None

    def take_redirected(self, names: Iterable[str]) -> list[str]:
        """The names that GitHub has redirected to a repository id since last time."""
        ids = self._github.connection.renamed_ids
        redirected = []
        for name in names:
            repo_id = ids.get(name.lower())
            if repo_id is not None and repo_id != self._known_ids.get(name.lower()):
                self._known_ids[name.lower()] = repo_id
                redirected.append(name)
        return redirected

    def reconcile(self, repo: str, found: Repository) -> bool:
        """Join the rows of all names of the repository that GitHub shows for a name.

        Returns False if they are kept under another watched name.
        """
        with transaction(self._db):
            self._set_former_aside(repo, found)
            if not _is_called(found, repo) and self._has_moved_away(repo, found):
                return False
            for other in repos.other_names(self._db, found.repo_id, exclude=repo):
                if self._selection.is_watched(other) and not _is_called(found, repo):
                    repos.rename(self._db, repo, other)
                    self._save_alias(repo, found, other)
                    return False
                repos.rename(self._db, other, repo)
                log.warning("%s: its history is that of %s now", other, repo)
                if self._selection.is_named(other):
                    self._save_alias(other, found, repo)
            repos.save(self._db, repo, found)
        self._github.connection.renamed_ids.pop(repo.lower(), None)
        if not _is_called(found, repo):
            self._request_by_id(repo, found.repo_id, found.full_name)
            _log_rename(repo, found.full_name)
        return True

    def _has_moved_away(self, repo: str, found: Repository) -> bool:
        """Stop watching a repository whose present name belongs to another shard.

        Only if the settings select that name: otherwise no shard would watch it.
        """
        name, topics = found.full_name, found.topics or ()
        if not self._selection.is_in_other_shard(name, topics):
            return False
        repos.rename(self._db, repo, name)
        feeds.save_watched_in(self._db, name, [])
        repos.save(self._db, name, found)
        repos.save_alias(self._db, repo, found, alias_of=name)
        log.warning(
            "%s is renamed to %s, which another shard watches. Its history until now "
            "stays here under the new name; ci-observer reshard joins both parts",
            repo,
            name,
        )
        return True

    def _is_watched_in_any_shard(self, alias: Repo) -> bool:
        name = alias.alias_of or ""
        return self._selection.is_watched(name) or self._selection.is_in_other_shard(
            name, alias.topic_list
        )

    def _set_former_aside(self, repo: str, found: Repository) -> None:
        """Move the rows of the repository that had this name before."""
        known = repos.get(self._db, repo)
        if known is None or known.repo_id is None or known.repo_id == found.repo_id:
            return
        aside = f"{repo}@{known.repo_id}"
        repos.rename(self._db, repo, aside)
        feeds.save_watched_in(self._db, aside, [])
        self._request_by_id(aside, known.repo_id)
        log.warning(
            "%s is another repository than before: the former one's history is %s now",
            repo,
            aside,
        )

    def _request_by_id(
        self, repo: str, repo_id: int, full_name: str | None = None
    ) -> None:
        """Have requests for a name use the id, which needs no redirect.

        They carry the credential of the owner in the full name.
        """
        connection = self._github.connection
        connection.renamed_ids[repo.lower()] = repo_id
        if full_name:
            connection.credentials.set_owner(repo, owner_of(full_name))
        self._known_ids[repo.lower()] = repo_id

    def _save_alias(self, repo: str, found: Repository, alias_of: str) -> None:
        repos.save_alias(self._db, repo, found, alias_of=alias_of)
        log.warning(
            "%s and %s are one repository, polled once: write %s alone in GH_REPOS"
            " or the settings file",
            repo,
            alias_of,
            found.full_name,
        )


def _log_rename(repo: str, name: str) -> None:
    log.warning(
        "%s is renamed to %s: write %s in GH_REPOS or the settings file",
        repo,
        name,
        name,
    )


def _is_called(found: Repository, name: str) -> bool:
    return found.full_name.lower() == name.lower()
