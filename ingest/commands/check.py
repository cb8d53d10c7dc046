"""The command `check`: prints the settings and tests every feed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import click

from ci_observer.ingest.commands.check_annotations import annotations_text
from ci_observer.ingest.commands.check_runs import find_faults, same_name_texts
from ci_observer.ingest.commands.runtime import open_github, utc_now
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.errors import GitHubError
from ci_observer.ingest.feeds.owners import fetch_owner
from ci_observer.ingest.feeds.selection import has_tile, is_selected
from ci_observer.ingest.feeds.workflows import workflow_rows
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import RequestStats
from ci_observer.ingest.github.headers import parse_expiration
from ci_observer.ingest.github.names import EVERY_WORKFLOW
from ci_observer.ingest.store.workflows import ACTIVE
from ci_observer.ingest.texts import escaped

MASK = "********"


def database_text(config: Config) -> str:
    """Whether the database exists and can be used; it is not changed.

    Raises `DatabaseError` if the other commands would.
    """
    return f"Database: {schema.describe(config.db_path)}."


@dataclass(frozen=True)
class Line:
    """A line of the report; `is_good` is false if it reports a failure."""

    text: str
    is_good: bool


async def run_check(config: Config) -> bool:
    """Test every feed, print a line for each, and return whether all are found."""
    is_good = True
    async with open_github(config) as github:
        async for line in check_feeds(config, github):
            click.echo(escaped(line.text))
            is_good &= line.is_good
        click.echo(budget_text(config, github.connection.stats, now=utc_now()))
    return is_good


def settings_text(config: Config) -> str:
    """The settings in effect, one a line, with the token masked."""
    token = MASK if config.token else "none (public repositories, 60 requests an hour)"
    values = {
        "GITHUB_TOKEN": token,
        "GITHUB_TOKEN_FILE": config.token_file or "",
        "GH_REPOS": ",".join(config.repos),
        "GH_WORKFLOWS": ",".join(config.workflows),
        "REFRESH_SECONDS": config.refresh_seconds,
        "DASHBOARD_TITLE": config.title,
        "GITHUB_API_URL": config.api_url,
        "CI_OBSERVER_DB": config.db_path,
        "CI_OBSERVER_HOST": config.host,
        "CI_OBSERVER_PORT": config.port,
        "HISTORY_DAYS": config.history_days,
        "DASHBOARD_TIMEZONE": config.timezone,
        "FETCH_JOBS": config.fetch_jobs,
        "PAYLOAD_DAYS": config.payload_days or "all",
    }
    return "\n".join(f"{name:<20}{value}" for name, value in values.items())


async def check_feeds(config: Config, github: GitHub) -> AsyncIterator[Line]:
    """Test each owner, repository and workflow; one line each, as responses come."""
    found: dict[str, str] = {}
    for owner in config.owners:
        async for line in _check_owner(owner, github, found):
            yield line
    named = {repo.lower(): repo for repo in config.named_repos}
    names: dict[int, str] = {}
    for key, repo in (found | named).items():
        is_named = key in named
        async for line in _check_repo(repo, config, github, names, is_named=is_named):
            yield line


async def _check_owner(
    owner: str, github: GitHub, found: dict[str, str]
) -> AsyncIterator[Line]:
    """Test an owner, and add the live repositories to `found`."""
    try:
        pages = await fetch_owner(github, owner)
    except GitHubError as error:
        yield Line(f"{owner}/*: {error}", is_good=False)
        return
    repos = [repo for page in pages for repo in page.repos or []]
    live = [repo.full_name for repo in repos if repo.is_live]
    found |= {name.lower(): name for name in live}
    left_out = len(repos) - len(live)
    yield Line(
        f"{owner}/*: {len(live)} repositories found, {left_out} left out (archived, "
        "disabled or forks)",
        is_good=bool(live),
    )


async def _check_repo(
    repo: str, config: Config, github: GitHub, names: dict[int, str], *, is_named: bool
) -> AsyncIterator[Line]:
    """Test a repository. `names` holds the tested ones by id, to find duplicates."""
    try:
        found = (await github.fetch_repo(repo)).value
        workflows = workflow_rows((await github.fetch_workflows(repo)).value or [])
    except GitHubError as error:
        yield Line(f"{repo}: {error}", is_good=False)
        return
    if found is None:
        return
    if (other := names.setdefault(found.repo_id, repo)) != repo:
        yield Line(
            f"{repo}: the same repository as {other}, polled once: write only "
            f"{found.full_name} in GH_REPOS",
            is_good=True,
        )
        return
    yield Line(f"{repo}: found, default branch {found.default_branch}", is_good=True)
    if found.full_name.lower() != repo.lower():
        name = found.full_name
        text = f"{repo}: renamed to {name}: write {name} in GH_REPOS"
        yield Line(text, is_good=True)
    if found.is_private and config.fetch_jobs != "none":
        text = await annotations_text(github, repo)
        yield Line(f"  {text}", is_good=True)
    async for fault in find_faults(github, repo, workflows):
        yield Line(f"{repo}: {fault}", is_good=False)
    states = {w.workflow: w.workflow_state for w in workflows}
    if is_named and EVERY_WORKFLOW not in config.workflows:
        for name in config.workflows:
            yield _workflow_line(name, states)
        return
    for name in sorted(states):
        if is_selected(config, name):
            state = states[name]
            text = "found" if state == ACTIVE else str(state)
            left_out = "" if has_tile(config, name, state) else ", left out"
            yield Line(f"  {name}: {text}{left_out}", is_good=True)
    shown = [w for w in workflows if is_selected(config, w.workflow)]
    async for text in same_name_texts(github, repo, shown):
        yield Line(f"  {text}", is_good=True)


def budget_text(config: Config, stats: RequestStats, *, now: datetime) -> str:
    """The rest of the rate limit, and the days until the token expires."""
    lines = []
    if limit := stats.rate_limit:
        lines.append(
            f"Rate limit: {limit.remaining} of {limit.limit} requests left "
            f"until {limit.reset_at:%H:%M} UTC."
        )
    else:
        lines.append("Rate limit: none in GitHub's responses.")
    if config.token and (expires_at := parse_expiration(stats.token_expires)):
        days = (expires_at - now).days
        lines.append(f"The token expires in {days} days, on {expires_at:%Y-%m-%d}.")
    return "\n".join(lines)


def _workflow_line(name: str, states: dict[str, str | None]) -> Line:
    if name not in states:
        return Line(f"  {name}: not found in .github/workflows", is_good=False)
    state = states[name]
    if state != ACTIVE:
        return Line(f"  {name}: {state}", is_good=False)
    return Line(f"  {name}: found", is_good=True)
