"""A part of `check`: tests each owner, repository and workflow."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from ci_observer.ingest.commands.check_annotations import annotations_text
from ci_observer.ingest.commands.check_jobs import JobsEstimate
from ci_observer.ingest.commands.check_lines import (
    Line,
    RepoReport,
    feed_line,
    named_line,
    without_duplicates,
)
from ci_observer.ingest.commands.check_lists import Budget, FeedList, FeedLists
from ci_observer.ingest.commands.check_runs import find_faults, same_name_texts
from ci_observer.ingest.commands.check_selection import SelectedRepos
from ci_observer.ingest.commands.check_views import view_lines
from ci_observer.ingest.commands.runtime import utc_now
from ci_observer.ingest.config import Config
from ci_observer.ingest.config.repo_rules import (
    is_selected_workflow,
    workflows_of,
)
from ci_observer.ingest.errors import GitHubError
from ci_observer.ingest.feeds.owners import fetch_owner
from ci_observer.ingest.feeds.selection import has_tile
from ci_observer.ingest.feeds.workflows import workflow_rows
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.names import EVERY_WORKFLOW
from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.polling.concurrency import MAX_REQUESTS
from ci_observer.ingest.store.workflows import Workflow

NO_WORKFLOW = (
    "Nothing would be polled: no repository of GH_REPOS has a workflow of GH_WORKFLOWS."
    " Correct one of them, or the lists of the settings file; * as the only workflow"
    " watches every one."
)

Item = TypeVar("Item")
Result = TypeVar("Result")


class FeedChecks:
    """Tests what the settings select. `show` shows the progress."""

    def __init__(
        self, config: Config, github: GitHub, show: Callable[[str], None]
    ) -> None:
        self._config = config
        self._github = github
        self._budget = Budget(github.connection)
        self._lists = FeedLists(
            github,
            self._budget,
            lambda lists: show(f"{lists.tried} of {lists.known} workflows tried"),
        )
        self.jobs = JobsEstimate(config, github, self._budget, utc_now)
        self._named = {repo.lower() for repo in config.named_repos}
        self._repos_left_out = 0
        self._selected = SelectedRepos(config)

    @property
    def tried(self) -> int:
        """The workflows whose list of runs was tried."""
        return self._lists.tried

    @property
    def not_tried(self) -> int:
        """The known workflows that were left out."""
        return self._lists.left_out

    async def run(self) -> AsyncIterator[Line]:
        """A line for each owner, repository and workflow, as responses come."""
        is_good = True
        async for line in self._lines():
            is_good &= line.is_good
            yield line
        if text := self._left_out_text():
            yield Line(text)
        elif is_good and not self._lists.known and not self._config.shard:
            yield Line(NO_WORKFLOW, is_good=False)

    async def _lines(self) -> AsyncIterator[Line]:
        repos: dict[str, str] = {}
        for owner in self._config.owners:
            yield await self._check_owner(owner, repos)
        for line in (*self._selected.lines(), *self._selected.shard_lines()):
            yield line
        repos |= {repo.lower(): repo for repo in self._config.named_repos}
        topics = self._selected.topics()
        watched = {name: topics.get(key, ()) for key, name in repos.items()}
        for line in view_lines(self._config, watched, utc_now()):
            yield line
        names: dict[int, str] = {}
        async for report in in_order(repos.values(), self._check_repo):
            for line in without_duplicates(report, names):
                yield line

    async def _check_owner(self, owner: str, repos: dict[str, str]) -> Line:
        """Test an owner, and add the live repositories to `repos`."""
        try:
            pages = await fetch_owner(self._github, owner)
        except GitHubError as error:
            self._budget.count_error(error)
            return Line(f"{owner}/*: {error}", is_good=False)
        found = [repo for page in pages for repo in page.repos or []]
        live = [repo for repo in found if repo.is_live]
        selected = self._selected.select(owner, live)
        repos |= {name.lower(): name for name in selected}
        left_out = len(found) - len(live)
        return Line(
            f"{owner}/*: {len(live)} repositories found, {left_out} left out "
            "(archived, disabled or forks)",
            is_good=bool(live),
        )

    async def _check_repo(self, repo: str) -> RepoReport:
        if not self._budget.has_room(repo):
            self._repos_left_out += 1
            return RepoReport(repo, [Line(f"{repo}: not tried")])
        try:
            found = (await self._github.fetch_repo(repo)).value
            listed = (await self._github.fetch_workflows(repo)).value
        except GitHubError as error:
            self._budget.count_error(error)
            return RepoReport(repo, [Line(f"{repo}: {error}", is_good=False)])
        if found is None:
            return RepoReport(repo, [])
        lines = await self._repo_lines(repo, found, workflow_rows(listed or []))
        return RepoReport(repo, lines, found)

    async def _repo_lines(
        self, repo: str, found: Repository, workflows: list[Workflow]
    ) -> list[Line]:
        name = found.full_name
        lines = [Line(f"{repo}: found, default branch {found.default_branch}")]
        if name.lower() != repo.lower():
            lines.append(
                Line(
                    f"{repo}: renamed to {name}: write {name} in GH_REPOS"
                    " or the settings file"
                )
            )
        annotations, faults, lists, _ = await asyncio.gather(
            self._annotation_lines(repo, found),
            self._fault_lines(repo, workflows),
            self._lists.try_all(repo, self._with_tile(repo, workflows)),
            self.jobs.count(repo, found),
        )
        return lines + annotations + faults + self._feed_lines(repo, workflows, lists)

    async def _annotation_lines(self, repo: str, found: Repository) -> list[Line]:
        if not found.is_private or self._config.fetch_jobs == "none":
            return []
        return [Line(f"  {await annotations_text(self._github, repo)}")]

    async def _fault_lines(self, repo: str, workflows: list[Workflow]) -> list[Line]:
        # Without room, the lines of the workflows say that their runs are not tried.
        if not self._budget.has_room(repo):
            return []
        faults = await find_faults(self._github, repo, workflows)
        return [Line(f"{repo}: {fault}", is_good=False) for fault in faults]

    def _follows_list(self, repo: str) -> bool:
        """Whether GitHub's list of workflows decides which of them are watched."""
        is_every = EVERY_WORKFLOW in workflows_of(self._config, repo)
        return is_every or repo.lower() not in self._named

    def _with_tile(self, repo: str, workflows: list[Workflow]) -> list[Workflow]:
        if not self._follows_list(repo):
            selected = workflows_of(self._config, repo)
            return [w for w in workflows if w.workflow in selected]
        return [
            w
            for w in workflows
            if is_selected_workflow(self._config, repo, w.workflow)
            and has_tile(self._config, repo, w.workflow, w.workflow_state)
        ]

    def _feed_lines(
        self, repo: str, workflows: list[Workflow], lists: dict[str, FeedList]
    ) -> list[Line]:
        states = {w.workflow: w.workflow_state for w in workflows}
        if not self._follows_list(repo):
            names = workflows_of(self._config, repo)
            return [named_line(name, states, lists) for name in names]
        shown = [
            w for w in workflows if is_selected_workflow(self._config, repo, w.workflow)
        ]
        lines = [
            feed_line(name, states[name], lists.get(name))
            for name in sorted(w.workflow for w in shown)
        ]
        texts = same_name_texts(shown, lists)
        return lines + [Line(f"  {text}") for text in texts]

    def _left_out_text(self) -> str | None:
        repos, feeds = self._repos_left_out, self._lists.left_out
        if not repos and not feeds:
            return None
        counts = " and ".join(
            f"{count} {name}"
            for count, name in ((repos, "repositories"), (feeds, "workflows"))
            if count
        )
        return f"Not tried: {counts}, {self._budget.reason}"


async def in_order(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]]
) -> AsyncIterator[Result]:
    """The results of the work in the order of the items, worked on a few at a time."""
    tasks: deque[asyncio.Future[Result]] = deque()
    try:
        for item in items:
            tasks.append(asyncio.ensure_future(work(item)))
            if len(tasks) >= MAX_REQUESTS:
                yield await tasks.popleft()
        while tasks:
            yield await tasks.popleft()
    finally:
        for task in tasks:
            task.cancel()
