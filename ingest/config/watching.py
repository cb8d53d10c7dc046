"""What the YAML file says about repositories, teams, screens and muted tiles.

Plain data. `file_model` checks the file, `config_file` makes these of it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EXCLUSION = "!"
_WILDCARDS = {"*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, kw_only=True)
class RepoSettings:
    """The settings of the repositories that `repository` selects.

    `workflows` is None where the list of all repositories counts. `branches` are names
    and patterns. `schedules` has, for a workflow, the longest time in seconds between
    two of its scheduled runs.
    """

    repository: str
    workflows: tuple[str, ...] | None = None
    branches: tuple[str, ...] = ()
    team: str | None = None
    schedules: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Team:
    """A team: the repositories that fit a pattern or have one of the topics."""

    name: str
    repositories: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Screen:
    """A stored view of the wall: the query string of its address, without `?`."""

    name: str
    query: str


@dataclass(frozen=True, kw_only=True)
class Mute:
    """A tile that is muted until a day has ended, or until a time.

    `branch` is None for the tiles of all branches.
    """

    repo: str
    workflow: str
    branch: str | None
    reason: str
    until: date | datetime

    def until_at(self, timezone: str) -> datetime:
        """When it ends. Days and times without a zone are those of `timezone`."""
        zone = ZoneInfo(timezone)
        if isinstance(self.until, datetime):
            until = self.until
            return (until if until.tzinfo else until.replace(tzinfo=zone)).astimezone(
                UTC
            )
        next_day = self.until + timedelta(days=1)
        return datetime.combine(next_day, time(), zone).astimezone(UTC)


def is_pattern(item: str) -> bool:
    """Whether an item selects repositories by a pattern, such as `acme/api-*`."""
    return "*" in item or "?" in item


@lru_cache(maxsize=10_000)
def _regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"([*?])", pattern.lower())
    return re.compile("".join(_WILDCARDS.get(p) or re.escape(p) for p in parts))


def fits(pattern: str, repo: str) -> bool:
    """Whether a repository fits a name or a pattern, in any letter case."""
    return _regex(pattern).fullmatch(repo.lower()) is not None


def specificity(pattern: str) -> tuple[bool, int]:
    """Sorts patterns: a name is more specific than any pattern, a long one than `*`."""
    return not is_pattern(pattern), len(re.sub(r"[*?]", "", pattern))
