"""A part of `check`: teams, screens and muted tiles of the settings file."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from urllib.parse import parse_qs

from ci_observer.ingest.commands.check_lines import Line
from ci_observer.ingest.config import Config
from ci_observer.ingest.config.repo_rules import team_of, workflows_of
from ci_observer.ingest.config.watching import Mute
from ci_observer.ingest.github.names import EVERY_WORKFLOW, is_dynamic

NO_TEAM = "null"


def view_lines(
    config: Config, repos: Mapping[str, Collection[str]], now: datetime
) -> Iterator[Line]:
    """What the teams, screens and mutes stand for, and which of them have no effect.

    `repos` are the watched repositories with their topics.
    """
    teams = {repo: team_of(config, repo, topics) for repo, topics in repos.items()}
    known = {name for name in teams.values() if name}
    for team in config.teams:
        names = [repo for repo, name in teams.items() if name == team.name]
        yield (
            Line(f"Team {team.name}: {', '.join(names)}")
            if names
            else _useless(f"Team {team.name}: no repository is watched")
        )
    for screen in config.screens:
        yield Line(f"Screen /s/{screen.name}: {screen.query}")
        wanted = parse_qs(screen.query).get("team", [])
        for name in wanted:
            if name.lower() not in {NO_TEAM, *map(str.lower, known)}:
                yield _useless(f"Screen /s/{screen.name}: there is no team {name}")
    watched = {repo.lower() for repo in repos}
    for mute in config.muted:
        yield _mute_line(config, mute, watched, now)


def _mute_line(
    config: Config, mute: Mute, repos: Collection[str], now: datetime
) -> Line:
    branch = f"@{mute.branch}" if mute.branch else ""
    tile = f"Muted {mute.repo}/{mute.workflow}{branch}"
    until = mute.until_at(config.timezone)
    if until <= now:
        return _useless(f"{tile}: ended at {until:%Y-%m-%d %H:%M} UTC")
    selected = workflows_of(config, mute.repo)
    is_every = EVERY_WORKFLOW in selected and not is_dynamic(mute.workflow)
    lower = {workflow.lower() for workflow in selected}
    if mute.repo.lower() not in repos or not (
        is_every or mute.workflow.lower() in lower
    ):
        return _useless(f"{tile}: there is no such tile")
    return Line(f"{tile}: until {until:%Y-%m-%d %H:%M} UTC, {mute.reason}")


def _useless(text: str) -> Line:
    return Line(f"{text}. Correct it, or remove it.", is_warning=True)
