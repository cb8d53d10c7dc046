"""The command `check`: prints the settings and tests every feed."""

import asyncio
from datetime import datetime

import click

from ci_observer.ingest.commands.check_repos import FeedChecks
from ci_observer.ingest.commands.runtime import open_github, utc_now
from ci_observer.ingest.commands.terminal import StatusLine
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.github.headers import parse_expiration
from ci_observer.ingest.github.http_messages import RequestStats
from ci_observer.ingest.polling.concurrency import MAX_REQUESTS
from ci_observer.ingest.texts import escaped

MASK = "********"


def database_text(config: Config) -> str:
    """Whether the database exists and can be used; it is not changed.

    Raises `DatabaseError` if the other commands would.
    """
    return f"Database: {schema.describe(config.db_path)}."


async def run_check(config: Config) -> bool:
    """Test every feed, print a line for each, and return whether none has failed."""
    is_good = True
    status = StatusLine()
    slots = asyncio.Semaphore(MAX_REQUESTS)
    async with open_github(config, slot=lambda: slots) as github:
        feeds = FeedChecks(config, github, status.show)
        async for line in feeds.run():
            status.clear()
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
        "CI_OBSERVER_BASE_URL": config.base_url,
        "CI_OBSERVER_ALLOWED_HOSTS": ",".join(config.allowed_hosts),
        "FORWARDED_ALLOW_IPS": config.forwarded_allow_ips,
        "ACCESS_TOKEN": MASK if config.access_token else "none (everybody may read)",
        "ACCESS_TOKEN_FILE": config.access_token_file or "",
        "ADHOC_SQL": config.adhoc_sql,
        "CSV_FORMULAS": config.csv_formulas,
    }
    return "\n".join(f"{name:<26}{value}" for name, value in values.items())


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
