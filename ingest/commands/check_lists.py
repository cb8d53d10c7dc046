"""A part of `check`: lists of runs, requested within the rate limit."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ci_observer.ingest.errors import (
    GitHubError,
    GitHubUnreachable,
    RateLimited,
    Unauthorized,
)
from ci_observer.ingest.feeds.workflows import api_id
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection
from ci_observer.ingest.github.credentials import EVERY_ACCOUNT
from ci_observer.ingest.github.headers import RateLimit
from ci_observer.ingest.github.pages import RunPage
from ci_observer.ingest.polling.concurrency import MAX_REQUESTS
from ci_observer.ingest.store.workflows import Workflow

# The shares of the rate limit that are left for polling.
RESERVED = 1 / 10
RESERVED_WITHOUT_TOKEN = 1 / 3
RESERVED_FROM_SECOND_PAGES = 1 / 2
# A second page exists from three runs on, and one broken run hides no other.
FEED_PAGE_SIZE = 2

SAME_PAGE = (
    "the second page of runs is the first one again, so older runs would be missing. "
    "Look at the proxy in front of GITHUB_API_URL"
)
EMPTY_PAGE = (
    "GitHub counts {total} runs, but the second page has none, so older runs would be "
    "missing. Look at the proxy in front of GITHUB_API_URL"
)


class Budget:
    """The requests that `check` may spend. Some are left for polling.

    Each account of the credentials has its own.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stopped: set[str] = set()

    def has_room(self, repo: str) -> bool:
        """Whether another feed of a repository may be tried."""
        has_token = self._connection.has_token
        reserved = RESERVED if has_token else RESERVED_WITHOUT_TOKEN
        is_stopped = self._stopped & {EVERY_ACCOUNT, self._account_of(repo)}
        return not is_stopped and self._has_left(repo, reserved)

    def has_room_for_second_pages(self, repo: str) -> bool:
        """Whether the second page of a feed's list may be tried, too."""
        is_large = self._limit_of(repo) is None or self._connection.has_token
        return is_large and self._has_left(repo, RESERVED_FROM_SECOND_PAGES)

    @property
    def reason(self) -> str:
        """Why there is no room, as the end of a sentence, and what to do."""
        if self._stopped:
            return "because the error above concerns every request."
        if self._connection.has_token:
            return "to leave requests for polling. Try again when the limit is reset."
        return (
            "to leave requests for polling: without a token, GitHub allows few an hour."
            " Set GITHUB_TOKEN, or try again when the limit is reset."
        )

    def count_error(self, error: GitHubError) -> None:
        """Stop if an error concerns every further request of its account."""
        if isinstance(error, GitHubUnreachable):
            self._stopped.add(EVERY_ACCOUNT)
        elif isinstance(error, RateLimited | Unauthorized):
            self._stopped.add(error.account or EVERY_ACCOUNT)

    def _has_left(self, repo: str, reserved: float) -> bool:
        limit = self._limit_of(repo)
        return limit is None or limit.remaining > reserved * limit.limit

    def _limit_of(self, repo: str) -> RateLimit | None:
        return self._connection.stats.of(self._account_of(repo)).rate_limit

    def _account_of(self, repo: str) -> str:
        return self._connection.credentials.account_of(repo)


@dataclass(frozen=True)
class FeedList:
    """What a workflow's own list of runs shows.

    `fault` says why it cannot be used, None if it can or was not tried. `newest` is the
    day of the newest run, None if there is none.
    """

    is_tried: bool = False
    fault: str | None = None
    newest: str | None = None

    @property
    def last_run_text(self) -> str:
        """The newest run, or why it is not known."""
        if not self.is_tried:
            return "not tried"
        return self.fault or (f"last run {self.newest}" if self.newest else "no run")


class FeedLists:
    """Tries the lists of feeds, and counts them. `on_tried` is called after each."""

    def __init__(
        self, github: GitHub, budget: Budget, on_tried: Callable[["FeedLists"], None]
    ) -> None:
        self.known = self.tried = self.left_out = 0
        self._github = github
        self._budget = budget
        self._on_tried = on_tried
        # The rest of the budget is known only after a response.
        self._slots = asyncio.Semaphore(MAX_REQUESTS)

    async def try_all(
        self, repo: str, workflows: Sequence[Workflow]
    ) -> dict[str, FeedList]:
        """The list of each workflow, by its file name."""
        self.known += len(workflows)
        lists = await asyncio.gather(*[self._try_list(repo, w) for w in workflows])
        return {w.workflow: found for w, found in zip(workflows, lists, strict=True)}

    async def _try_list(self, repo: str, workflow: Workflow) -> FeedList:
        async with self._slots:
            if not self._budget.has_room(repo):
                self.left_out += 1
                return FeedList()
            found = await self._fetch_list(repo, workflow)
        self.tried += 1
        self._on_tried(self)
        return found

    async def _fetch_list(self, repo: str, workflow: Workflow) -> FeedList:
        name = api_id(workflow.workflow, workflow.workflow_id)
        path = self._github.runs_path(repo, name, per_page=FEED_PAGE_SIZE)
        try:
            first = await self._github.fetch_page(repo, path)
            fault = first.refusal or None
            if fault is None and self._budget.has_room_for_second_pages(repo):
                fault = await find_paging_fault(self._github, repo, path, first)
        except GitHubError as error:
            self._budget.count_error(error)
            return FeedList(is_tried=True, fault=str(error))
        days = [str(run.get("created_at") or "")[:10] for run in first.runs]
        return FeedList(is_tried=True, fault=fault, newest=next(iter(days), None))


async def find_paging_fault(
    github: GitHub, repo: str, path: str, first: RunPage
) -> str | None:
    """The fault of the page after the first one; None if there is no such page."""
    if first.next_url is None:
        return None
    second = await github.fetch_page(repo, first.next_url)
    if not second.runs:
        return EMPTY_PAGE.format(total=first.total_count)
    if _ids(second) != _ids(first):
        return None
    # A new run moves the others by one.
    again = await github.fetch_page(repo, path)
    return SAME_PAGE if _ids(again) == _ids(first) else None


def _ids(page: RunPage) -> list[Any]:
    return [run.get("id") for run in page.runs]
