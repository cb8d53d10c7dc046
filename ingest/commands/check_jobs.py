"""A part of `check`: what the jobs of finished runs will cost."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ci_observer.ingest.commands.check_lines import Line
from ci_observer.ingest.commands.check_lists import Budget
from ci_observer.ingest.config import Config
from ci_observer.ingest.config.repo_rules import is_selected_workflow
from ci_observer.ingest.errors import GitHubError
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.headers import RateLimit
from ci_observer.ingest.github.names import workflow_file
from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.polling.job_budget import RESERVED, UNLIMITED_A_SECOND
from ci_observer.ingest.store.job_walk import SELECTED
from ci_observer.ingest.times import Clock, parse_instant

PAGE_SIZE = 100
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class JobsEstimate:
    """Counts the finished runs of each repository whose jobs would be fetched."""

    def __init__(
        self, config: Config, github: GitHub, budget: Budget, clock: Clock
    ) -> None:
        self._config = config
        self._github = github
        self._budget = budget
        self._clock = clock
        self._runs_a_day = 0.0
        self._left_out = 0

    async def count(self, repo: str, found: Repository) -> None:
        """Count the runs on a repository's newest page, with one request."""
        if self._config.fetch_jobs not in SELECTED:
            return
        if not self._budget.has_room(repo):
            self._left_out += 1
            return
        path = self._github.repo_runs_path(repo, per_page=PAGE_SIZE)
        try:
            page = await self._github.fetch_page(repo, path)
        except GitHubError:
            # The lines of the repository report it.
            self._left_out += 1
            return
        is_whole = page.next_url is None
        selected = sum(self._is_selected(repo, run, found) for run in page.runs)
        span = span_of(page.runs, self._clock(), is_whole=is_whole)
        self._runs_a_day += selected * (DAY / span)

    def lines(self, limit: RateLimit | None) -> Iterator[Line]:
        """What jobs cost an hour, and what those of the history cost once."""
        which = self._config.fetch_jobs
        if which not in SELECTED:
            return
        an_hour = self._runs_a_day / 24
        left_out = (
            f" Without {self._left_out} repositories that were not tried."
            if self._left_out
            else ""
        )
        yield Line(
            f"Jobs: FETCH_JOBS={which} fetches those of about "
            f"{self._runs_a_day:,.0f} runs a day: {_about(an_hour)} an hour.{left_out}"
        )
        most = most_an_hour(limit)
        history = self._runs_a_day * self._config.history_days
        if an_hour > most:
            yield Line(
                f"Jobs: polling leaves about {most:,.0f} requests an hour for them, so "
                "most runs stay without jobs, the newest come first. FETCH_JOBS=failed "
                "needs fewer."
            )
        elif history:
            hours = history / max(most - an_hour, 1)
            took = "less than an hour" if hours < 1 else f"about {hours:,.0f} h"
            yield Line(
                f"Jobs of the last {self._config.history_days} days: about "
                f"{history:,.0f} requests, at most {most:,.0f} an hour, in {took}."
            )

    def _is_selected(
        self, repo: str, run: Mapping[str, Any], found: Repository
    ) -> bool:
        file = workflow_file(run)
        if run.get("status") != "completed" or not file:
            return False
        if not is_selected_workflow(self._config, repo, file):
            return False
        if self._config.fetch_jobs == "all":
            return True
        is_own = not str(run.get("event")).startswith("pull_request")
        return is_own and run.get("head_branch") == found.default_branch


def span_of(
    runs: Sequence[Mapping[str, Any]], now: datetime, *, is_whole: bool
) -> timedelta:
    """The time in which these runs were created.

    A list that is whole may be that of a new repository: its few runs are those of a
    day at least.
    """
    times = [parse_instant(str(run.get("created_at"))) for run in runs]
    oldest = min((at for at in times if at), default=now)
    return max(now - oldest, DAY if is_whole else HOUR)


def most_an_hour(limit: RateLimit | None) -> float:
    """The requests for jobs that a rate limit allows, if polling needs few."""
    if limit is None:
        return UNLIMITED_A_SECOND * 3600
    return limit.limit * (1 - RESERVED)


def _about(requests: float) -> str:
    """A number of requests, such as "about 12 requests"."""
    if requests < 1:
        return "less than one request"
    return (
        "about 1 request" if round(requests) == 1 else f"about {requests:,.0f} requests"
    )
