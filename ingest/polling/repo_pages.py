"""Which of GitHub's two lists is asked: a workflow's own, or its whole repository's.

A repository with several watched workflows is asked with one question for all of them,
as long as most of what runs there is watched: otherwise the runs of other workflows
would change the answer, and cost a request, at every poll.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci_observer.ingest.github.client import RunPage
from ci_observer.ingest.github.names import workflow_file
from ci_observer.ingest.store.feeds import Feed

REPO_PAGE = 50
FEWEST_FEEDS = 2
WATCHED_SHARE = 0.5
# How long a repository with much else going on is asked workflow by workflow.
OWN_LISTS_FOR = timedelta(hours=1)


@dataclass(frozen=True)
class RepoList:
    """One question for several feeds of a repository."""

    repo: str
    feeds: tuple[Feed, ...]

    def __str__(self) -> str:
        return self.repo

    @property
    def checked_at(self) -> str | None:
        """Since when no answer has told of all of them."""
        return min((feed.checked_at or "" for feed in self.feeds), default="") or None


# What a pass asks for newest runs.
Question = Feed | RepoList


def feeds_of(question: Question) -> tuple[Feed, ...]:
    """The feeds of which the answer tells."""
    return question.feeds if isinstance(question, RepoList) else (question,)


class RepoLists:
    """Decides, feed by feed, which list tells its newest runs for less."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._own_lists_until: dict[str, datetime] = {}

    def split(self, feeds: Sequence[Feed]) -> tuple[list[Feed], list[RepoList]]:
        """The feeds to ask by their own lists, and the repositories to ask for all.

        A feed's first answer, and the word that it does not exist, come from its own.
        """
        by_repo: dict[str, list[Feed]] = defaultdict(list)
        for feed in feeds:
            by_repo[feed.repo].append(feed)
        own: list[Feed] = []
        lists: list[RepoList] = []
        for repo, all_feeds in by_repo.items():
            told = [feed for feed in all_feeds if feed.checked_at and not feed.error]
            if len(told) < FEWEST_FEEDS or self._has_much_else(repo):
                told = []
            else:
                lists.append(RepoList(repo, tuple(told)))
            own += [feed for feed in all_feeds if feed not in told]
        return own, lists

    def learn(self, asked: RepoList, page: RunPage) -> None:
        """See from an answer whether the next question is better put otherwise."""
        watched = {feed.workflow for feed in asked.feeds}
        ours = sum(workflow_file(run) in watched for run in page.runs)
        if ours < WATCHED_SHARE * len(page.runs):
            self._own_lists_until[asked.repo] = self._clock() + OWN_LISTS_FOR

    def _has_much_else(self, repo: str) -> bool:
        until = self._own_lists_until.get(repo)
        return until is not None and until > self._clock()
