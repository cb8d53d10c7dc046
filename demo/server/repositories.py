"""The repositories and workflow files of the world, and their renames."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import RLock
from typing import Any

from ci_observer.demo.seeded_random import stable_int, stable_sha
from ci_observer.demo.server.model import Json, Repo, Workflow

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

CHANGEABLE = {
    "archived",
    "default_branch",
    "description",
    "disabled",
    "private",
    "retention_days",
    "topics",
}


class Repositories:
    """The part of `World` that does not depend on its time."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.repos: dict[str, Repo] = {}
        self.repos_by_id: dict[int, Repo] = {}
        self.moved: dict[str, Repo] = {}
        self.revision = 0
        self._used_ids: set[int] = set()

    def add_repo(
        self,
        full_name: str,
        *,
        payload: Json | None = None,
        **fields: Any,
    ) -> Repo:
        """Create `owner/name`; `payload` is a recorded repository object.

        `fields`: `default_branch`, `private`, `fork`, `archived`, `disabled`,
        `owner_type`, `description`, `retention_days`, `topics`, as in `Repo`.
        """
        owner, _, name = full_name.partition("/")
        number = stable_int(f"repo {full_name.lower()}", 10**8, 10**9)
        # A repository that reuses an old name gets another id.
        while number in self._used_ids:
            number += 1
        repo = Repo(owner, name, number, LONG_AGO, payload=payload, **fields)
        if payload is not None:
            repo.id = payload["id"]
            repo.owner_type = payload["owner"]["type"]
        with self.lock:
            self._used_ids.add(repo.id)
            self.repos[full_name.lower()] = self.repos_by_id[repo.id] = repo
        return repo

    def repo(self, full_name: str) -> Repo:
        """The repository with this name, ignoring case; KeyError if there is none."""
        return self.repos[full_name.lower()]

    def ensure_repo(self, repo: str | Repo) -> Repo:
        """The repository, created if the name is new."""
        if isinstance(repo, Repo):
            return repo
        return self.repos.get(repo.lower()) or self.add_repo(repo)

    def update_repo(self, full_name: str, **changes: Any) -> Repo:
        """Change fields of `add_repo`, such as `default_branch` or `archived`."""
        if unknown := set(changes) - CHANGEABLE:
            raise TypeError(f"{unknown} is not one of {sorted(CHANGEABLE)}")
        with self.lock:
            repo = self.repo(full_name)
            for name, value in changes.items():
                setattr(repo, name, value)
            self._rebuild(repo)
        return repo

    def _rebuild(self, repo: Repo) -> None:
        repo.minimal = None
        repo.edition += 1
        self.revision += 1

    def add_tag(self, repo: str | Repo, name: str, sha: str | None = None) -> None:
        """Create a tag, whose ref `refs/tags/{name}` is found from now on."""
        owner = self.ensure_repo(repo)
        with self.lock:
            owner.tags[name] = sha or stable_sha(f"tag {owner.id} {name}")

    def remove_tag(self, repo: str, name: str) -> None:
        """Delete a tag: requests for its ref get a 404 from now on."""
        with self.lock:
            del self.repo(repo).tags[name]

    def rename_repo(self, full_name: str, new_name: str) -> Repo:
        """Rename: requests for the old name get a 301 from now on."""
        with self.lock:
            repo = self.repos.pop(full_name.lower())
            self.moved[full_name.lower()] = repo
            repo.owner, _, repo.name = new_name.partition("/")
            self.repos[new_name.lower()] = repo
            self._rebuild(repo)
        return repo

    def remove_repo(self, full_name: str) -> None:
        """Delete the repository: requests get a 404 from now on."""
        with self.lock:
            repo = self.repos.pop(full_name.lower())
            del self.repos_by_id[repo.id]

    def add_workflow(
        self, repo: str | Repo, file: str, *, name: str | None = None, **fields: Any
    ) -> Workflow:
        """Create a workflow file (`ci.yml`) in a repository.

        `fields`: `state`, `jobs` (JobSpecs), `path`, `path_ref`, `id`, `created_at`,
        `is_listed`, as in `Workflow`.
        """
        owner = self.ensure_repo(repo)
        number = stable_int(f"workflow {owner.id} {file}", 10**7, 10**9)
        path = fields.pop("path", f".github/workflows/{file}")
        title = file.rpartition(".")[0] or file if name is None else name
        number = fields.pop("id", number)
        created = fields.pop("created_at", LONG_AGO)
        workflow = Workflow(owner, number, title, path, created, **fields)
        with self.lock:
            owner.workflows[file] = workflow
        return workflow

    def set_workflow_state(self, repo: str, file: str, state: str) -> None:
        """Disable or enable the workflow: `disabled_manually`, `active`, …"""
        with self.lock:
            self.repo(repo).workflows[file].state = state

    def remove_workflow(self, repo: str, file: str) -> None:
        """Delete the workflow: requests get a 404 from now on."""
        with self.lock:
            del self.repo(repo).workflows[file]

    def workflow(self, repo: str | Repo, file: str) -> Workflow:
        """The workflow with this file name; created if new, like its repository."""
        owner = self.ensure_repo(repo)
        return owner.workflows.get(file) or self.add_workflow(owner, file)
