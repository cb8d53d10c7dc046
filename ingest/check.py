"""What `ci-observer check` finds out: the settings, and whether each feed is there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from ingest.client import GitHub, Meter
from ingest.config import EVERY_WORKFLOW, Config
from ingest.errors import GitHubError
from ingest.wire import parse_expiration

MASK = "********"


@dataclass(frozen=True)
class Line:
    """One line of the report, and whether what it says is good."""

    text: str
    is_good: bool


def settings_text(config: Config) -> str:
    """The effective settings, one a line, with the token masked."""
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
    """Try each repository and workflow, one line each, as GitHub answers."""
    for repo in config.repos:
        try:
            branch = (await github.fetch_default_branch(repo)).value
            workflows = (await github.fetch_workflows(repo)).value or []
        except GitHubError as error:
            yield Line(f"{repo}: {error}", is_good=False)
            continue
        states = {
            str(item.get("path")).rpartition("/")[2]: item.get("state")
            for item in workflows
        }
        yield Line(f"{repo}: found, default branch {branch}", is_good=True)
        wanted = config.workflows
        for name in sorted(states) if EVERY_WORKFLOW in wanted else wanted:
            yield _workflow_line(name, states)


def budget_text(config: Config, meter: Meter, *, now: datetime) -> str:
    """The rate limit that is left, and the days until the token expires."""
    lines = []
    if limit := meter.rate_limit:
        lines.append(
            f"Rate limit: {limit.remaining} of {limit.limit} requests left "
            f"until {limit.reset_at:%H:%M} UTC."
        )
    else:
        lines.append("Rate limit: GitHub names none.")
    if config.token and (expires_at := parse_expiration(meter.token_expires)):
        days = (expires_at - now).days
        lines.append(f"The token expires in {days} days, on {expires_at:%Y-%m-%d}.")
    return "\n".join(lines)


def _workflow_line(name: str, states: dict[str, str | None]) -> Line:
    if name not in states:
        return Line(f"  {name}: not found in .github/workflows", is_good=False)
    state = states[name]
    if state != "active":
        return Line(f"  {name}: {state}", is_good=False)
    return Line(f"  {name}: found", is_good=True)
