"""What the settings say about one repository. Pure functions."""

from collections.abc import Collection

from ci_observer.ingest.config.settings import Config
from ci_observer.ingest.config.watching import RepoSettings, fits, specificity
from ci_observer.ingest.github.names import EVERY_WORKFLOW, is_dynamic


def is_selected_repo(config: Config, repo: str, topics: Collection[str]) -> bool:
    """Whether a repository in an owner's list is watched, by its name and its topics.

    A name of its own selects a repository in any case; that is not asked here.
    """
    return (
        any(fits(pattern, repo) for pattern in config.patterns)
        and not any(fits(pattern, repo) for pattern in config.exclusions)
        and (not config.topics or not set(config.topics).isdisjoint(topics))
    )


def settings_of(config: Config, repo: str) -> list[RepoSettings]:
    """The settings that concern a repository, the most specific first."""
    found = [s for s in config.repo_settings if fits(s.repository, repo)]
    return sorted(found, key=lambda s: specificity(s.repository), reverse=True)


def workflows_of(config: Config, repo: str) -> tuple[str, ...]:
    """The workflows to watch in a repository: its own list, or that of all."""
    own = (s.workflows for s in settings_of(config, repo) if s.workflows is not None)
    return next(own, config.workflows)


def is_selected_workflow(config: Config, repo: str, workflow: str) -> bool:
    """Whether the settings select a workflow. `*` leaves out GitHub's own ones."""
    selected = workflows_of(config, repo)
    is_every = EVERY_WORKFLOW in selected and not is_dynamic(workflow)
    return is_every or workflow in selected


def branches_of(config: Config, repo: str) -> tuple[str, ...]:
    """The branches of a repository that have tiles: names and patterns, or none."""
    return next((s.branches for s in settings_of(config, repo) if s.branches), ())


def team_of(config: Config, repo: str, topics: Collection[str]) -> str | None:
    """The team of a repository: its own, else the first that has it."""
    own = (s.team for s in settings_of(config, repo) if s.team)
    if team := next(own, None):
        return team
    teams = (
        (max(map(specificity, fitting)), -number, team.name)
        for number, team in enumerate(config.teams)
        if (fitting := [p for p in team.repositories if fits(p, repo)])
    )
    by_name = max(teams, default=None)
    if by_name:
        return by_name[-1]
    by_topic = (t.name for t in config.teams if not set(t.topics).isdisjoint(topics))
    return next(by_topic, None)


def schedule_of(config: Config, repo: str, workflow: str) -> int | None:
    """The longest time in seconds between two scheduled runs of a workflow."""
    for settings in settings_of(config, repo):
        for name, seconds in settings.schedules:
            if name in (workflow, EVERY_WORKFLOW):
                return seconds
    return None
