"""The lively world of the demo: 90 days of history, then changes every few seconds.

`workflow_profiles.py` lists the workflows, `generator.py` creates their runs, and
`scripted_cases.py` adds rare cases.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ci_observer.demo.scenario.generator import RunGenerator
from ci_observer.demo.scenario.pushes import Pushes
from ci_observer.demo.scenario.scripted_cases import schedule_cases
from ci_observer.demo.scenario.workflow_profiles import (
    ARCHIVED,
    REPOSITORIES,
    WORKFLOW_PROFILES,
)
from ci_observer.demo.server.model import Sites
from ci_observer.demo.server.world import World
from ci_observer.demo.times import as_utc

HISTORY = timedelta(days=90)
# The values of GH_REPOS and GH_WORKFLOWS that watch all of it.
REPOS = ",".join(REPOSITORIES)
WORKFLOWS = "*"


def build(start: datetime | str, *, seed: int = 7, sites: Sites | None = None) -> World:
    """The world at the time `start`; `advance_to` continues it.

    The same start and seed give the same world, in any number of steps.
    """
    first = as_utc(start) - HISTORY
    world = World(first, sites=sites)
    for name, (branch, description) in REPOSITORIES.items():
        world.add_repo(
            name,
            default_branch=branch,
            description=description,
            archived=name in ARCHIVED,
        )
    pushes = Pushes()
    for profile in WORKFLOW_PROFILES:
        path = {"path": profile.path} if profile.path else {}
        world.add_workflow(
            profile.repo,
            profile.file,
            name=profile.name,
            state=profile.state,
            jobs=profile.jobs,
            **path,
        )
        generator = RunGenerator(profile, as_utc(start), seed, pushes)
        generator.schedule_from(world, first)
    schedule_cases(world, as_utc(start))
    world.advance_to(start)
    return world
