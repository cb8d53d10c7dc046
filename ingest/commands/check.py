"""The command `check`: tests the settings and every feed, and prints the result."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlite_utils import Database

from ci_observer.ingest.alerts.receivers import names_of
from ci_observer.ingest.commands.check_app import app_lines
from ci_observer.ingest.commands.check_lines import Line
from ci_observer.ingest.commands.check_repos import FeedChecks
from ci_observer.ingest.commands.runtime import open_github, utc_now
from ci_observer.ingest.commands.terminal import StatusLine
from ci_observer.ingest.config import Config
from ci_observer.ingest.config.multipliers import multipliers_text
from ci_observer.ingest.config.shard import mismatch_text
from ci_observer.ingest.db import schema
from ci_observer.ingest.db.disk import (
    STEPS,
    existing_folder,
    free_space,
    warning_text,
)
from ci_observer.ingest.errors import DatabaseError
from ci_observer.ingest.github.headers import parse_expiration
from ci_observer.ingest.github.http_messages import RequestStats
from ci_observer.ingest.polling.concurrency import MAX_REQUESTS
from ci_observer.ingest.store.instance import stored_shard

MASK = "********"

T = TypeVar("T")


def check_database(config: Config) -> list[Line]:
    """Whether the database exists and can be used, and the room on its disk.

    The database is not changed.
    """
    try:
        lines = [Line(f"Database: {schema.describe(config.db_path)}.")]
    except DatabaseError as error:
        lines = [Line(str(error), is_good=False)]
    if found := free_space(existing_folder(config.db_path)):
        lines.append(Line(f"Disk: {found[1]}."))
    return lines


def alert_lines(config: Config) -> list[Line]:
    """How many addresses alerts have, and a warning if some could not be sent."""
    if not config.alert_urls:
        return []
    lines = [Line(f"Alerts: to {', '.join(names_of(config.alert_urls))}.")]
    select = "select warning from alert_warnings"
    rows = _read_database(config, lambda db: db.execute(select).fetchall())
    return lines + [Line(warning, is_warning=True) for (warning,) in rows or ()]


def shard_lines(config: Config) -> list[Line]:
    """A warning if the database is that of another shard."""
    text = mismatch_text(_read_database(config, stored_shard), config.shard)
    return [Line(text, is_warning=True)] if text else []


def _read_database(config: Config, read: Callable[[Database], T]) -> T | None:
    """What `read` returns; None if the database cannot be read.

    There is none yet, or the line about the database says why.
    """
    try:
        with closing(schema.connect_read_only(config.db_path)) as db:
            return read(db)
    except (DatabaseError, schema.StorageError):
        return None


def disk_warnings(config: Config) -> tuple[str, ...]:
    """The warning about a disk that is nearly full, if it is."""
    folder = existing_folder(config.db_path)
    found = free_space(folder)
    if found is None or found[0] >= STEPS[0]:
        return ()
    return (warning_text(folder, found[1]),)


@dataclass(frozen=True)
class CheckResult:
    """The lines of the report, and the rest of the limit."""

    lines: list[Line]
    feeds: int = 0
    not_tried: int = 0
    peers: int = 0
    budget: str = ""


async def run_check(config: Config) -> CheckResult:
    """Test the database and every feed. On a terminal, a line shows the progress."""
    lines = [*check_database(config), *shard_lines(config), *alert_lines(config)]
    if config.why_not_polling:
        # An instance may have no other purpose than to show its peers.
        is_empty_shard = config.why_not_polling == config.why_shard_is_empty
        is_good = bool(config.peers) or is_empty_shard
        line = Line(config.why_not_polling, is_good=is_good)
        return CheckResult([*lines, line])
    status = StatusLine()
    slots = asyncio.Semaphore(MAX_REQUESTS)
    status.show("waiting for GitHub")
    try:
        async with open_github(config, slot=lambda account: slots) as github:
            lines += await app_lines(config, github.connection.app)
            feeds = FeedChecks(config, github, status.show)
            lines += [line async for line in feeds.run()]
            lowest = github.connection.stats.lowest_rate_limit(utc_now())
            lines += feeds.jobs.lines(lowest)
            budget = budget_text(config, github.connection.stats, now=utc_now())
    finally:
        status.clear()
    return CheckResult(lines, feeds.tried, feeds.not_tried, budget=budget)


def with_peers(result: CheckResult, peers: Sequence[tuple[str, bool]]) -> CheckResult:
    """The result with a line for each peer, which has a text and whether it is good."""
    lines = [Line(text, is_good=is_good) for text, is_good in peers]
    return replace(result, lines=[*result.lines, *lines], peers=len(lines))


def report_lines(config: Config, result: CheckResult) -> Iterator[str]:
    """The whole output: the verdict and its reasons, then the details."""
    warnings = (*config.warnings, *(w.text for w in result.lines if w.is_warning))
    yield verdict(result, warnings)
    problems = [line.problem for line in result.lines if not line.is_good]
    yield from (f"  Problem: {problem}" for problem in problems)
    yield from (f"  Warning: {warning}" for warning in warnings)
    yield ""
    yield from settings_text(config).splitlines()
    yield f"Proxy for GitHub: {config.proxy or 'none'}."
    yield f"Trusted certificates: {config.certificates}."
    yield from (line.text for line in result.lines)
    yield from result.budget.splitlines()


def verdict(result: CheckResult, warnings: Collection[str]) -> str:
    """One line that says whether polling works, and what to do."""
    problems = sum(not line.is_good for line in result.lines)
    warned = f" There {_number(len(warnings), 'warning', 'is', 'are')}."
    if problems:
        them = "it" if problems == 1 else "them"
        return (
            f"{_number(problems, 'problem')}. Correct {them}, and run ci-observer "
            f"check again.{warned if warnings else ''}"
        )
    left_out = f", {result.not_tried} not tried" if result.not_tried else ""
    peers = f" {_number(result.peers, 'peer')} can be shown." if result.peers else ""
    return (
        f"OK: {_number(result.feeds, 'workflow')} can be polled{left_out}.{peers}"
        f"{warned if warnings else ''}"
    )


def _number(number: int, noun: str, verb: str = "", verbs: str = "") -> str:
    form = noun if number == 1 else f"{noun}s"
    return f"{verb if number == 1 else verbs} {number} {form}".lstrip()


def settings_text(config: Config) -> str:
    """The settings in effect, one a line, with the token masked."""
    without = "" if config.app_id else "none (public repositories, 60 requests an hour)"
    values = {
        "GITHUB_TOKEN": MASK if config.token else without,
        "GITHUB_TOKEN_FILE": config.token_file or "",
        "GITHUB_APP_ID": config.app_id or "",
        "GITHUB_APP_PRIVATE_KEY_FILE": config.app_key_file or "",
        "GITHUB_APP_INSTALLATION_ID": config.app_installation_id or "",
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
        "PEERS": ",".join(config.peers),
        "PEER_TOKENS_FILE": config.peer_tokens_file or "",
        "ADHOC_SQL": config.adhoc_sql,
        "CSV_FORMULAS": config.csv_formulas,
        "MINUTE_MULTIPLIERS": multipliers_text(config.minute_multipliers),
        "ALERT_URLS": MASK if config.alert_urls else "none (no alerts)",
        "ALERT_URLS_FILE": config.alert_urls_file or "",
        "ALERT_EVENTS": ",".join(config.alert_events),
        "ALERT_AFTER": config.alert_after,
        "ALERT_REPOS": ",".join(config.alert_repos) or "all",
        "SHARD": config.shard or "",
        "CI_OBSERVER_CONFIG": config.config_file or "",
    }
    sources = {name: f"   ({source})" for name, source in config.sources}
    return "\n".join(
        f"{name:<28}{value}{sources.get(name, '')}" for name, value in values.items()
    )


def budget_text(config: Config, stats: RequestStats, *, now: datetime) -> str:
    """The rest of each rate limit, and the days until the token expires."""
    limits = {name: of.rate_limit for name, of in sorted(stats.by_account.items())}
    lines = [
        f"Rate limit{f' for {name}' if name else ''}: {limit.remaining} of "
        f"{limit.limit} requests left until {limit.reset_at:%H:%M} UTC."
        for name, limit in limits.items()
        if limit
    ]
    if not lines:
        lines.append("Rate limit: none in GitHub's responses.")
    if config.token and (expires_at := parse_expiration(stats.token_expires)):
        days = (expires_at - now).days
        lines.append(f"The token expires in {days} days, on {expires_at:%Y-%m-%d}.")
    return "\n".join(lines)
